/*
 * firestore_room: what the Firestore store's files share.
 *
 *   firestore.c           the table of its functions, opening, ping, the version
 *   firestore_call.h      one request and its answer (HTTP, the token, trying again)
 *   firestore_json.h      what was answered, as a tree
 *   firestore_name.c      what collections, documents and fields are called
 *   firestore_op.c        one operation: asking, reading documents, committing
 *   firestore_write.c     writing a commit's body
 *   firestore_query.c     queries, all in one table
 *   firestore_document.c, firestore_value.c   documents <-> struct thread, struct message
 *   firestore_parts.c     contents that are too long for one document
 *   firestore_number.c    numbers for messages that other programs wrote
 *   firestore_try.c       can it be written? for `c1d check`
 *   firestore_thread.c, firestore_list.c, firestore_deletion.c, firestore_take.c,
 *   firestore_message.c, firestore_add.c, firestore_page.c,
 *   firestore_turn.c, firestore_asked.c, firestore_claim.c,
 *   firestore_node.c, firestore_sweep.c, firestore_copy.c, firestore_put.c   the operations
 *
 * A step reads documents, and commits what follows from them in one commit of several documents,
 * which holds only while what was read is still so (updateTime, exists). Who loses begins the step
 * anew. So there is no transaction, and no lock that somebody could die with.
 *
 * A message's document is `<thread_id>~<id>`, or, of one that another program wrote, just its id.
 * Deleted threads leave their collection for one of marks, so that others see them no more either.
 */
#ifndef FIRESTORE_ROOM_H
#define FIRESTORE_ROOM_H

#include "../store_ops.h"
#include "base/id.h"
#include "base/json.h"
#include "firestore_call.h"
#include "firestore_json.h"

struct firestore {
	struct firestore_link *link;
	int64_t limit_ms;
	size_t callers;
	bool as_found; /* nothing is written unasked */
};

enum firestore_collection {
	FS_THREADS,
	FS_MESSAGES,
	FS_PARTS,   /* of long contents */
	FS_DELETED, /* marks of threads that were deleted */
	FS_KEYS,    /* which answer has this Idempotency-Key */
	FS_NODES,
	FS_STOPS, /* wishes that runs be stopped */
	FS_META,
	FS_CHECKS,
	FS_COLLECTIONS
};
/* --- firestore_op.c: one operation --- */

struct firestore_reply;

struct firestore_op {
	struct firestore *firestore;
	struct arena arena;              /* trees, names: until the step's end */
	struct firestore_reply *replies; /* what the trees are views of */
	struct buffer body;              /* of the next request */
	struct json_writer w;            /* into it */
	size_t writes;                   /* in the commit that is being written */
	struct buffer mask;              /* fields of the document that is being written */
	bool is_inside;                  /* a map of it */
	int64_t until_ms;                /* monotonic */
	bool is_long; /* each part of it has the store's limit, not all of it together */
	int tries;
	bool is_lost; /* the last commit found that what was read is so no more */
};

/* A step may be repeated: it reads all that it builds upon. */
typedef enum error_code firestore_step(struct firestore_op *op, void *arg);
/* Runs the step until its commit is not lost, with pauses, as long as the store's limit allows. */
enum error_code firestore_do(void *self, firestore_step *step, void *arg);
/* The same for administrators, who wait. */
enum error_code firestore_do_long(void *self, firestore_step *step, void *arg);
/* A step of many: what it read is let go at its end, the deadline is the operation's. */
enum error_code firestore_part_of(struct firestore_op *op, firestore_step *step, void *arg);
bool firestore_is_late(const struct firestore_op *op);

struct firestore_name {
	enum firestore_collection in;
	const char *id; /* of the document */
};

struct firestore_document {
	struct slice id;
	const struct firestore_json *fields;   /* NULL: it is not there, or has none */
	struct slice update_time, create_time; /* ptr NULL: it is not there */
};

static inline bool firestore_is_there(const struct firestore_document *document)
{
	return document->update_time.ptr != NULL;
}

/* Reads documents by their names, in one go. mask: fields with spaces between, NULL: all. */
enum error_code firestore_get(struct firestore_op *op, const struct firestore_name *names,
			      size_t count, const char *mask, struct firestore_document *out);

/* Sends what was written. op->is_lost: a precondition did not hold (ERROR_CONFLICT), or others were
 * at the same documents and it may well hold (another error). `results` (may be NULL): the list of
 * writeResults. */
enum error_code firestore_commit(struct firestore_op *op, const struct firestore_json **results);
/* The same, of writes that do no harm when they are repeated. */
enum error_code firestore_commit_again(struct firestore_op *op,
				       const struct firestore_json **results);
/* Asks with the body as it is, what changes nothing. */
enum error_code firestore_ask(struct firestore_op *op, const char *verb,
			      const struct firestore_json **out);
void firestore_body(struct firestore_op *op); /* a new one */

/* --- firestore_name.c --- */
extern const char *const firestore_collections[FS_COLLECTIONS];

/* Ids of documents: none may be like __this__. */
const char *firestore_id(struct firestore_op *op, const char *id);
const char *firestore_message_id(struct firestore_op *op, const char *thread_id, const char *id);
/* The same back, as a view. thread_id NULL: of a thread. */
struct slice firestore_id_of(struct slice document_id, const char *thread_id);
/* What fields and names are written with. */
void firestore_document_name(struct firestore_op *op, enum firestore_collection in,
			     const char *id); /* a JSON string */
void firestore_put_mask(struct firestore_op *op, const char *key, const char *fields);

/* --- firestore_write.c: the body of a commit --- */

enum firestore_when { FS_ANY, FS_ABSENT, FS_PRESENT, FS_AS_READ };

/* How a write ends: what becomes of other fields, when it holds, and what the server fills in. */
struct firestore_end {
	/* NULL: the document becomes what was written. Else other fields stay, but for these, which
	 * are taken away where they were not written; spaces between, "": none. */
	const char *gone;
	enum firestore_when when;
	struct slice update_time; /* FS_AS_READ */
	const char *now;          /* NULL or a field that becomes the server's time */
	const char *most;         /* NULL or a field that becomes at least at_least */
	int64_t at_least;
};

void firestore_write(struct firestore_op *op, enum firestore_collection in, const char *id);
void firestore_written(struct firestore_op *op, const struct firestore_end *end);
/* Of a document that is still as it was read. */
void firestore_written_over(struct firestore_op *op, const struct firestore_document *read,
			    const char *gone);
void firestore_delete(struct firestore_op *op, enum firestore_collection in, const char *id,
		      const struct firestore_document *as_read_or_null);
/* The commit holds only while there is no such document. */
void firestore_absent(struct firestore_op *op, enum firestore_collection in, const char *id);

/* Fields between the two; what is NULL or unknown (negative) is left out. */
void firestore_put_text(struct firestore_op *op, const char *key, const char *text);
void firestore_put_slice(struct firestore_op *op, const char *key, struct slice text);
void firestore_put_int(struct firestore_op *op, const char *key, int64_t value);
void firestore_put_count(struct firestore_op *op, const char *key, int64_t value);
void firestore_put_bool(struct firestore_op *op, const char *key, bool value);
void firestore_put_time(struct firestore_op *op, const char *key, int64_t wall_ms);
/* As the server said it, to the nanosecond. */
void firestore_put_timestamp(struct firestore_op *op, const char *key, struct slice time);
void firestore_put_run(struct firestore_op *op, const struct run_ref *run, bool stop);
/* --- firestore_query.c --- */

struct firestore_query {
	enum firestore_collection in;
	const char *equal;  /* fields that are compared with values, spaces between; NULL: none */
	const char *order;  /* a field, '-' in front of one that falls; NULL: by name */
	const char *select; /* NULL: whole documents */
};

enum firestore_query_id {
	FQ_THREADS_OF_USER,
	FQ_ARCHIVED_OF_USER,
	FQ_THREADS_OF_ALL,
	FQ_ARCHIVED_OF_ALL,
	FQ_THREADS_BY_NAME,
	FQ_THREADS_TO_TAKE,
	FQ_CLAIM_OF_RUN,
	FQ_CLAIMS_OF_NODE,
	FQ_MARKS_OF_NODE,
	FQ_STOPS_OF_NODE,
	FQ_MESSAGES_ON,
	FQ_MESSAGES_BACK,
	FQ_MESSAGE_LAST,
	FQ_MESSAGES_NUMBERED,
	FQ_RUNS_OF,
	FQ_ANSWERS_OF,
	FQ_MESSAGE_BY_RUN,
	FQ_MESSAGES_TO_PURGE,
	FQ_MESSAGES_BY_TIME,
	FQ_MESSAGES_BY_TIME_BACK,
	FQ_MESSAGES_OF_ALL,
	FQ_PARTS_TO_PURGE,
	FQ_MARKS_TO_PURGE,
	FQ_MARKS_BY_AGE,
	FQ_NODES_BY_AGE,
	FQ_QUERIES
};
extern const struct firestore_query firestore_queries[FQ_QUERIES];

struct firestore_value {
	enum { FV_TEXT, FV_INT, FV_BOOL, FV_TIME } type;
	struct slice text; /* FV_TEXT; FV_TIME: as the server writes it */
	int64_t number;
};
#define FS_TEXT(t) ((struct firestore_value){ FV_TEXT, slice_of(t), 0 })
#define FS_INT(n)  ((struct firestore_value){ FV_INT, { NULL, 0 }, (n) })
#define FS_BOOL(b) ((struct firestore_value){ FV_BOOL, { NULL, 0 }, (b) })
#define FS_TIME(t) ((struct firestore_value){ FV_TIME, (t), 0 })

struct firestore_find {
	enum firestore_query_id id;
	struct firestore_value equal[3]; /* in the order of the query's */
	size_t limit;
	/* The page goes on behind a document: its value of the order's field, and its id. */
	const struct firestore_value *behind;
	const char *behind_id; /* without: behind all documents of that value */
};

struct firestore_found {
	struct firestore_document *items;
	size_t count;
	struct slice read_time; /* the server's clock */
};

/* ERROR_TOO_LARGE: the reply is longer than a reply may be; ask for fewer. */
enum error_code firestore_find(struct firestore_op *op, const struct firestore_find *find,
			       struct firestore_found *out);
/* How many there are. */
enum error_code firestore_count(struct firestore_op *op, const struct firestore_find *find,
				int64_t *out);

/* --- firestore_value.c: fields, each by its type --- */

/* `bad` stays once it is set. */
struct firestore_taker {
	const struct firestore_json *fields;
	struct arena *arena; /* texts are copied into it */
	bool bad;
};

/* A field of the wrong type is bad; one that is absent or null too, where it is needed. */
struct slice firestore_take_slice(struct firestore_taker *t, const char *key, bool needed);
const char *firestore_take_text(struct firestore_taker *t, const char *key, bool needed);
int64_t firestore_take_int(struct firestore_taker *t, const char *key, int64_t otherwise);
bool firestore_take_bool(struct firestore_taker *t, const char *key);
/* Milliseconds; `otherwise`: for one that is absent, INT64_MIN: it is needed. */
int64_t firestore_take_time(struct firestore_taker *t, const char *key, int64_t otherwise);
/* A JSON object's text: of a string that holds one, or of a map. */
const char *firestore_take_object(struct firestore_taker *t, const char *key);
const struct firestore_json *firestore_take_map(struct firestore_taker *t, const char *key);

/* Views of a field, without a copy; ptr NULL, 0 or false where it is none. */
struct slice firestore_text(const struct firestore_json *fields, const char *key);
struct slice firestore_timestamp(const struct firestore_json *fields, const char *key);
int64_t firestore_int(const struct firestore_json *fields, const char *key);
bool firestore_has(const struct firestore_json *fields, const char *key);
/* RFC 3339 to milliseconds; false: it is none. */
bool firestore_time_read(struct slice text, int64_t *wall_ms);

/* --- firestore_document.c --- */

/* Fields of an answer that are not always there. */
#define FS_ANSWER_GONE                                                                             \
	"parts parts_of finish_reason model input_tokens output_tokens total_tokens unasked"

/* A thread as it is stored: what is ours besides. */
struct firestore_thread {
	struct thread thread;
	struct firestore_document document;
	int64_t last;    /* the last message's number; -1: others made it, it has none yet */
	bool is_foreign; /* others write here: their messages have to be looked for */
	bool is_touched; /* others changed it since its messages were numbered */
	bool run_stop;   /* there is a wish that its run be stopped */
};

/* ERROR_CORRUPT goes to the log with the document's id. */
enum error_code firestore_take_thread(const struct firestore_document *document,
				      struct arena *arena, struct firestore_thread *out);
struct run_ref firestore_take_run(struct firestore_taker *t, bool *stop);
/* All fields but the run and what is ours besides. */
void firestore_put_thread(struct firestore_op *op, const struct thread *thread);

#define FS_PARTS_MAX 64

struct firestore_parts {
	int64_t count;   /* documents behind the first piece */
	const char *set; /* which */
	int64_t size;    /* bytes in all */
};

/* A message; of a long one its content is the first piece, and `parts` says where the rest is. */
enum error_code firestore_take_message(const struct firestore_document *document,
				       struct arena *arena, struct message *out,
				       struct firestore_parts *parts);
/* All but the content and its size. */
void firestore_put_message(struct firestore_op *op, const struct message *message);
void firestore_put_usage(struct firestore_op *op, const struct usage *usage);

/* --- firestore_parts.c --- */

/* A content that is to be written: pieces go first, under a name that nobody knows yet. */
struct firestore_long {
	const char *thread_id, *document_id;
	struct slice content;
	char set[ID_UUID_SIZE];
	bool is_put;
};

bool firestore_is_long(struct slice content);
/* What is too long for the document; nothing to do for most. */
enum error_code firestore_long_put(struct firestore_op *op, struct firestore_long *text);
/* Fields of the message: content, size, parts, parts_of. */
void firestore_put_content(struct firestore_op *op, const struct firestore_long *text);
/* Deletes what a document has, in the commit that is being written. */
void firestore_parts_delete(struct firestore_op *op, const char *document_id,
			    const struct firestore_json *fields);
/* Completes a content. ERROR_NOT_FOUND: it was replaced meanwhile; read the message again. */
enum error_code firestore_parts_read(struct firestore_op *op, const char *document_id,
				     const struct firestore_parts *parts, struct arena *arena,
				     struct slice *content);

/* --- firestore_number.c --- */
/* Gives numbers to messages that have none, by created_at. op->is_lost: read the thread again. */
enum error_code firestore_number(struct firestore_op *op, struct firestore_thread *thread);
/* The same of a thread on which nobody was seen to write. */
enum error_code firestore_number_anyway(struct firestore_op *op, struct firestore_thread *thread);

/* --- what operations share --- */

/* The thread, its messages numbered where that is asked for. */
enum error_code firestore_thread_read(struct firestore_op *op, const char *owner, const char *id,
				      bool number, struct arena *arena,
				      struct firestore_thread *out);
/* Of a document that was read with others. */
enum error_code firestore_thread_of(const struct firestore_document *document, const char *owner,
				    struct arena *arena, struct firestore_thread *out);
/* A new thread, in the commit that is being written; its run is its claim. */
void firestore_thread_make(struct firestore_op *op, const struct thread *thread, int64_t last);
/* A thread's update begins: rev, updated_at where it is given; the caller puts more in and ends
 * it with firestore_written_over. */
void firestore_thread_change(struct firestore_op *op, const struct firestore_thread *thread,
			     int64_t updated_ms_or_0);
/* The message among two documents, its own and one of another program. NULL: neither. */
const struct firestore_document *firestore_pick(const struct firestore_document pair[2],
						const char *thread_id);
/* Those two of a message. */
void firestore_message_names(struct firestore_op *op, const char *thread_id, const char *id,
			     struct firestore_name out[2]);
/* The last message of a thread: *seq 0 and id "" without one. */
enum error_code firestore_message_last(struct firestore_op *op, const char *thread_id, int64_t *seq,
				       const char **id);
/* A new message, in the commit that is being written. */
void firestore_message_make(struct firestore_op *op, const struct message *message,
			    const struct firestore_long *text);
/* Who has its Idempotency-Key, if it has one: only when the key's document is as it was read (NULL:
 * whatever it is). */
void firestore_key_make(struct firestore_op *op, const struct message *message,
			const struct firestore_document *read);
/* Answers that ended lately, without their content. */
enum error_code firestore_runs_ended(struct firestore_op *op, const char *thread_id,
				     struct arena *arena, struct message_list *out);
/* Removes up to limit messages of a marked thread, and all else when they were the last. */
enum error_code firestore_thread_empty(struct firestore_op *op, const char *id, size_t limit,
				       size_t *removed);
/* Deletes what else a message has (parts, its key), in the commit that is being written. */
enum error_code firestore_keys_delete(struct firestore_op *op, const char *thread_id,
				      const struct firestore_document *messages, size_t count);
/* All threads of a store. */
enum error_code firestore_number_all(void *self);
/* The names of nodes that are silent for so long, in the op's arena. */
enum error_code firestore_nodes_silent(struct firestore_op *op, int64_t silent_ms,
				       const char ***names, size_t *count);
enum error_code firestore_holds_claim(struct firestore_op *op, const char *node, bool *holds);
/* A wish that the run be stopped, in the commit that is being written. */
void firestore_wish(struct firestore_op *op, const char *thread_id, const struct run_ref *run);
/* With all of its content. */
enum error_code firestore_message_take(struct firestore_op *op,
				       const struct firestore_document *document,
				       struct arena *arena, struct message *out);
enum error_code firestore_message_find(struct firestore_op *op, const char *thread_id,
				       const char *id, struct arena *arena, struct message *out);

/* --- firestore_schema.c --- */
/* Is it of a version that this program knows? One without gets ours. ERROR_CONFIG with words. */
enum error_code firestore_schema(struct firestore *firestore, struct error *err);
/* --- firestore_try.c --- */
bool firestore_try_write(const char *uri, const struct config *config, const char **how,
			 struct error *err);

#define X(name, ...) enum error_code firestore_##name(void *self, __VA_ARGS__);
STORE_OPS(X)
#undef X

#endif
