/*
 * mongo_room: what the MongoDB store's files share.
 *
 *   mongo.c           opening, clients, ping
 *   mongo_driver.c    the driver: started once, its log
 *   mongo_call.c      one operation: reading, changing, errors
 *   mongo_schema.c    indexes, and the way from each version to the next
 *   mongo_uri.c       the URI: checked, and our defaults set where it is silent
 *   mongo_try.c       can it be written? for `c1d check`
 *   mongo_document.c  documents <-> struct thread, struct message
 *   mongo_thread.c, mongo_take.c, mongo_deletion.c, mongo_node.c   the operations: threads,
 *   mongo_message.c, mongo_last.c, mongo_page.c                    messages,
 *   mongo_turn.c, mongo_asked.c, mongo_claim.c                     turns,
 *   mongo_copy.c                                                   whole stores
 *
 * Every step is one change of one document, or an insert: there is no transaction. Every read and
 * every findAndModify has a time limit on the server too, so what nobody waits for any more ends.
 */
#ifndef MONGO_ROOM_H
#define MONGO_ROOM_H

#include "../store_ops.h"

#include "base/id.h"
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>

#define MONGO_KEY_SIZE (MESSAGE_KEY_MAX + 1)
#define MONGO_DATABASE "c1d" /* unless the URI names one */
#define MONGO_CLIENTS  100   /* of a pool, unless the URI says maxPoolSize: the driver's default */
#define MONGO_TIME_MIN 0 /* of a thread's updated_at; a deleted one's mark has an earlier time */

enum mongo_collection { THREADS, MESSAGES, NODES, META, COLLECTIONS };

/* A client out of the driver's pool, and what is made of it for each operation. */
struct mongo_client {
	mongoc_client_t *client;
	mongoc_collection_t *in[COLLECTIONS];
	struct mongo_client *next;
};

#define MONGO_LASTS 64

/* A thread's last message while its rev is this. */
struct mongo_last {
	int64_t rev, seq;
	char thread_id[ID_MAX + 1], id[ID_MAX + 1];
};

struct mongo {
	mongoc_client_pool_t *pool;
	pthread_mutex_t lock;      /* guards idle and lasts */
	struct mongo_client *idle; /* the last one used is the next */
	char *database;
	int64_t limit_ms;
	size_t clients;
	atomic_bool has_schema;
	struct mongo_last lasts[MONGO_LASTS]; /* by a hash of the thread's id */
};

/* A client for the time of one operation. */
struct mongo_call {
	struct mongo *mongo;
	struct mongo_client *held;
	mongoc_client_t *client;        /* held's */
	mongoc_collection_t *const *in; /* held's */
	bson_error_t error;
	int64_t began_ms;
};

/* --- mongo_call.c --- */
extern const char *const mongo_collections[COLLECTIONS];

/* ERROR_OVERLOADED: no client is free. */
enum error_code mongo_begin(struct mongo *mongo, struct mongo_call *call);
void mongo_end(struct mongo_call *call);
void mongo_forget_clients(struct mongo *mongo); /* all of them, which are idle */
/* Is the time of this operation up? */
bool mongo_is_late(const struct mongo_call *call);
/* call->error as one of ours; the driver's words go to the log. */
enum error_code mongo_failed(const struct mongo_call *call);

/* All of these destroy the filters, updates and options that they are given. */

/* Options of a find: a limit and the time limit; for more to be appended. */
bson_t *mongo_options(const struct mongo_call *call, size_t limit);
mongoc_cursor_t *mongo_find(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			    bson_t *options);
/* Destroys the cursor, and says how it went. */
enum error_code mongo_found_all(struct mongo_call *call, mongoc_cursor_t *cursor);
/* The first that is found; it belongs to *cursor, which is destroyed in any case. ERROR_NOT_FOUND.
 */
enum error_code mongo_find_one(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			       bson_t *options, mongoc_cursor_t **cursor, const bson_t **out);

/* findAndModify of one document; out is what it was or, with MONGO_NEW, is, and belongs to reply,
 * which is destroyed in any case. ERROR_NOT_FOUND: none matched. */
enum { MONGO_OLD = 0, MONGO_NEW = 1, MONGO_UPSERT = 2 };
enum error_code mongo_modify(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			     bson_t *update, int how, bson_t *reply, bson_t *out);
/* *matched (may be NULL): did the filter match? */
enum error_code mongo_update(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			     bson_t *update, bool *matched);
/* The same of as many as match; *changed: how many. */
enum error_code mongo_update_many(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
				  bson_t *update, size_t *changed);
enum error_code mongo_delete(struct mongo_call *call, enum mongo_collection in, bson_t *filter);
/* In order; stops at the first that a unique index refuses: ERROR_CONFLICT. *done: how many are in.
 */
enum error_code mongo_insert(struct mongo_call *call, enum mongo_collection in,
			     const bson_t **documents, size_t count, size_t *done);

/* Writes of one kind, in order; stops at the first that is refused. *done: how many were made. */
enum error_code mongo_bulk(struct mongo_call *call, mongoc_bulk_operation_t *bulk, size_t count,
			   size_t *done);

/* Fills {$in: [...]} with the ids of up to limit documents; *count: how many. */
enum error_code mongo_some(struct mongo_call *call, enum mongo_collection in, bson_t *filter,
			   size_t limit, bson_t *ids, size_t *count);

/* --- mongo_uri.c --- */
/* NULL with ERROR_CONFIG: the reason, nothing secret. */
mongoc_uri_t *mongo_uri(const char *text, struct error *err);
bool mongo_check(const char *text, const struct config *config, struct error *err);

/* --- mongo_schema.c --- */
struct mongo_index {
	int since; /* version */
	enum mongo_collection in;
	const char *name;
	const char *keys; /* fields, spaces between; '-' in front of one that falls */
	bool is_unique, is_sparse;
};
extern const struct mongo_index mongo_indexes[];                     /* ends with a NULL name */
void mongo_index_keys(const struct mongo_index *index, bson_t *out); /* the caller's to destroy */

/* Brings indexes to this program's version. ERROR_CONFIG with words: a newer program's. */
enum error_code mongo_schema(struct mongo_call *call, struct error *err);
extern const int mongo_schema_version;
enum error_code mongo_schema_read(struct mongo_call *call, int64_t *out); /* 0: a new database */

/* --- mongo_last.c --- */
/* Is the thread's last message known, before the change of which this was its rev? *seq 0 and "":
 * it has none. */
bool mongo_last_known(struct mongo *mongo, const char *thread_id, int64_t rev, int64_t *seq,
		      char id[ID_MAX + 1]);
/* It is this one, and stays it for as long as the thread has this rev. */
void mongo_last_note(struct mongo *mongo, int64_t rev, const struct message *message);

/* --- mongo_document.c --- */
void mongo_put_thread(bson_t *document, const struct thread *thread);
void mongo_put_thread_fields(bson_t *document, const struct thread *thread); /* no _id, no claim */
enum error_code mongo_take_thread(const bson_t *document, struct arena *arena, struct thread *out);
void mongo_put_message(bson_t *document, const struct message *message);
void mongo_put_usage(bson_t *document, const struct usage *usage);
void mongo_put_content(bson_t *document, struct slice content);
/* content: with it, or its length alone (the document may lack it). */
enum error_code mongo_take_message(const bson_t *document, bool content, struct arena *arena,
				   struct message *out);
/* The next row of a list. *is_over: it does not fit any more. */
enum error_code mongo_list_message(const bson_t *document, bool content, struct message_fill *fill,
				   bool *is_over);
/* What a prompt needs of it: id, seq, role, status, content. */
enum error_code mongo_take_brief(const bson_t *document, const char *thread_id, struct arena *arena,
				 struct message *out);
/* `<thread_id>/<id>`: clients choose message ids, so they are unique within a thread only. */
void mongo_message_key(const char *thread_id, const char *id, char out[MONGO_KEY_SIZE]);
void mongo_put_text(bson_t *document, const char *key, const char *text_or_null);
const char *mongo_text(const bson_t *document, const char *key); /* NULL when it is none */
int64_t mongo_int(const bson_t *document, const char *key);      /* 0 when it is none */

/* --- mongo_try.c, mongo_reach.c --- */
bool mongo_try_write(const char *text, const struct config *config, const char **how,
		     struct error *err);
void mongo_reach(const char *uri, const struct config *config, struct reach *reach);

void mongo_wake(void); /* the driver, once a process */

/* --- what operations share --- */
/* Is there such a thread, and may owner touch it? */
enum error_code mongo_thread_check(struct mongo_call *call, const char *owner, const char *id);
enum error_code mongo_thread_read(struct mongo_call *call, const char *owner, const char *id,
				  struct arena *arena, struct thread *out);
/* What a cursor finds, which is destroyed. */
enum error_code mongo_thread_rows(struct mongo_call *call, mongoc_cursor_t *cursor,
				  struct thread_fill *fill);
/* A filter with this owner matched none: there is none, it is another's, or, unless any version
 * would have done, ERROR_PRECONDITION. */
enum error_code mongo_thread_why_not(struct mongo_call *call, const char *owner, const char *id,
				     bool any_version);
/* A filter of a thread that is there, and is owner's. */
bson_t *mongo_thread_alive(const char *owner, const char *id);
/* The run of each marked thread of these, if there is one, is to stop, on whichever node it is.
 * Takes the filter. */
enum error_code mongo_wish_stops(struct mongo_call *call, bson_t *filter);
enum error_code mongo_message_find(struct mongo_call *call, bson_t *filter, bson_t *options,
				   struct arena *arena, struct message *out);
/* The last message of a thread: *seq 0 and "" without one. id has room for ID_MAX + 1. */
enum error_code mongo_message_last(struct mongo_call *call, const char *thread_id, int64_t *seq,
				   char *id);
/* The names of nodes that are silent for so long, by the server's clock. */
enum error_code mongo_nodes_silent(struct mongo_call *call, int64_t silent_ms, size_t limit,
				   struct arena *arena, const char ***names, size_t *count);
/* Clears the claim where it is run_id's. */
enum error_code mongo_claim_clear(struct mongo_call *call, const char *thread_id,
				  const char *run_id);

#define X(name, ...) enum error_code mongo_##name(void *self, __VA_ARGS__);
STORE_OPS(X)
#undef X

#endif
