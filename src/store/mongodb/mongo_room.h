/*
 * mongo_room: what the MongoDB store's files share.
 *
 *   mongo.c           opening, indexes, clients, errors
 *   mongo_uri.c       the URI: checked, and our defaults set where it is silent
 *   mongo_try.c       can it be written? for `c1d check`
 *   mongo_document.c  documents <-> struct thread, struct message
 *   mongo_thread.c, mongo_message.c, mongo_node.c   the operations
 */
#ifndef MONGO_ROOM_H
#define MONGO_ROOM_H

#include "../store_ops.h"
#include <mongoc/mongoc.h>
#include <stdatomic.h>

#define MONGO_KEY_SIZE 258   /* two ids, a slash and the NUL */
#define MONGO_DATABASE "c1d" /* unless the URI names one */

struct mongo {
	mongoc_client_pool_t *pool;
	char *database;
	atomic_bool has_indexes;
};

/* A client and the collections for the time of one operation. */
struct mongo_call {
	struct mongo *mongo;
	mongoc_client_t *client;
	mongoc_collection_t *threads, *messages;
	bson_error_t error;
	int64_t began_ms;
};

void mongo_begin(struct mongo *mongo, struct mongo_call *call);
void mongo_end(struct mongo_call *call);
/* call->error as one of ours; the driver's words go to the log. Returns false. */
bool mongo_failed(const struct mongo_call *call, struct error *err);

/* findAndModify, giving the document as it is afterwards. *found: did the filter match? Then *out
 * is a view into reply, which the caller destroys in any case. */
bool mongo_modify(struct mongo_call *call, mongoc_collection_t *collection, const bson_t *filter,
		  const bson_t *update, bson_t *reply, bson_t *out, bool *found, struct error *err);

/* The first document that matches: its owner is the cursor, which the caller destroys in any case.
 * NULL without an error: there is none (ERROR_NOT_FOUND is filled in). */
const bson_t *mongo_find_one(struct mongo_call *call, mongoc_collection_t *collection,
			     const bson_t *filter, mongoc_cursor_t **cursor, struct error *err);

/* updateOne; *matched: did the filter match? */
bool mongo_update(struct mongo_call *call, mongoc_collection_t *collection, const bson_t *filter,
		  const bson_t *update, bool *matched, struct error *err);

/* Once a process, as often as it is called. */
void mongo_start_driver(void);

/* --- mongo_uri.c --- */
/* NULL with ERROR_CONFIG: the reason, nothing secret. */
mongoc_uri_t *mongo_uri(const char *text, struct error *err);

/* --- mongo_document.c --- */
void mongo_put_thread(bson_t *document, const struct thread *thread);
bool mongo_take_thread(const bson_t *document, struct arena *arena, struct thread *out,
		       struct error *err);
void mongo_put_message(bson_t *document, const struct message *message);
bool mongo_take_message(const bson_t *document, struct arena *arena, struct message *out,
			struct error *err);
/* `<thread_id>/<id>`: clients choose message ids, so they are unique within a thread only. */
void mongo_message_key(const char *thread_id, const char *id, char out[MONGO_KEY_SIZE]);
void mongo_put_text(bson_t *document, const char *key, const char *text_or_null);

/* --- operations --- */
extern const struct store_ops mongo_ops;
#define MONGO_OP(name) __typeof__(*((struct store_ops *)0)->name) mongo_##name
MONGO_OP(thread_insert);
MONGO_OP(thread_get);
MONGO_OP(thread_list);
MONGO_OP(thread_update);
MONGO_OP(thread_delete);
MONGO_OP(claim);
MONGO_OP(claim_release);
MONGO_OP(next_seq);
MONGO_OP(message_insert);
MONGO_OP(message_get);
MONGO_OP(message_by_run);
MONGO_OP(message_by_key);
MONGO_OP(message_list);
MONGO_OP(message_update);
MONGO_OP(finish);
MONGO_OP(node_beat);
MONGO_OP(claims_of_dead);
MONGO_OP(sweep);

#endif
