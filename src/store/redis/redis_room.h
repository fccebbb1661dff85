/*
 * redis_room: what the Redis store's files share.
 *
 *   redis_store.c      the table of its functions, ping
 *   redis_open.c       a store is made, and ends
 *   redis_schema.c     the version of what lies there
 *   redis_place.c      the URI: where Redis is, and what its keys begin with; what it takes
 *   redis_lines.c      lines to it, opened by a thread of their own
 *   redis_call.c       one operation: commands, pipelines, scripts
 *   redis_reply.c      what Redis says when it refuses, as errors of ours; replies read
 *   redis_scripts.c    what runs in Redis, each an atomic step
 *   redis_fields.h     the fields of threads and messages
 *   redis_row.c        fields <-> struct thread, struct message
 *   redis_promise.c    may Redis lose what it was told? said loudly
 *   redis_try.c        could it be written, will it be kept? for `c1d check`
 *   redis_thread.c, redis_list.c, redis_deletion.c, redis_take.c     the operations: threads,
 *   redis_message.c, redis_page.c,                                   messages,
 *   redis_turn.c, redis_asked.c, redis_claim.c, redis_node.c,        turns, nodes,
 *   redis_copy.c                                                     whole stores
 *
 * Keys, behind a prefix with a hash tag, which keeps them together:
 *
 *   t:<thread>            hash    a thread, or the mark of a deleted one
 *   m:<thread>/<message>  hash    a message
 *   s:<thread>            zset    its messages by number
 *   r:<thread>            zset    those of them that runs wrote
 *   u0:<user>  u1:<user>  zset    a user's threads at work and archived: time of the last change
 *                                 (16 digits) and id, in the order of bytes
 *   a0  a1                zset    the same of everybody's
 *   ids                   zset    of all threads, in the order of bytes
 *   runs  keys            hash    which message a run wrote, an Idempotency-Key led to
 *   nodes                 zset    by Redis' time of their last beat
 *   claims  stops         zset    <node>/<thread>: what is held, what shall stop
 *   purge  marks          zset    deleted threads, with and without messages, by the time of it
 *   meta                  hash    version
 */
#ifndef REDIS_ROOM_H
#define REDIS_ROOM_H

#include "../store_ops.h"
#include "net/redis_script.h"
#include "redis_fields.h"

#include <stdatomic.h>

#define REDIS_BATCH     100 /* threads or messages that one script or pipeline takes */
#define REDIS_TIME_SIZE 17
#define REDIS_NODES_MAX 1000

/* --- redis_place.c --- */
struct redis_place {
	struct redis_url url;
	const char *base; /* what all keys begin with */
};

/* From the arena; false with ERROR_CONFIG and no part of the URI. */
bool redis_place_parse(const char *uri, struct arena *arena, struct redis_place *out,
		       struct error *err);
void redis_place_reach(const char *uri, const struct config *config, struct reach *reach);

/* --- redis_lines.c --- */
/* Those of net/redis_pool.h are for who does without Redis when it is slow: one failure keeps all
 * away for a while. Here a call that fails says nothing of the others. */
struct redis_lines;

#define REDIS_LINES_MAX 64

/* At most so many lines to url, which outlives it. NULL: no memory, or no thread. */
struct redis_lines *redis_lines_open(const struct redis_url *url, size_t most);
void redis_lines_free(struct redis_lines *lines);
/* ERROR_STORE_DOWN: none can be opened. ERROR_CONFIG: it lets us not in (err: why).
 * ERROR_OVERLOADED: all are busy. */
enum error_code redis_lines_take(struct redis_lines *lines, int64_t until_ms, redisContext **line,
				 struct error *err);
void redis_lines_give(struct redis_lines *lines, redisContext *line, bool is_good);

/* --- the store --- */
struct redis_store {
	struct arena arena; /* of place */
	struct redis_place place;
	struct redis_lines *lines;
	size_t size; /* how many lines there are at most */
	int64_t limit_ms;
	atomic_bool has_schema; /* it was there when it was looked at last */
	atomic_bool was_told;   /* what Redis may lose */
};

/* --- redis_open.c --- */
struct redis_store *redis_store_open(const struct store_options *options, struct error *err);
void redis_store_free(struct redis_store *store);

/* --- redis_call.c --- */

/* One operation on one line. Commands are made, then asked together; replies come in order and live
 * until redis_forget or redis_end. */
struct redis_call {
	struct redis_store *store;
	redisContext *line;
	int64_t until_ms;
	struct arena scratch; /* commands' words and lists of replies */
	redisReply **replies;
	size_t reply_count, owed; /* read; still to be read */
	bool is_broken;
	struct error *err; /* who asks can do something about ERROR_CONFIG; NULL: Redis is down */
};

enum error_code redis_begin(struct redis_store *store, struct redis_call *call);
/* For an administrator: with words, which live as long as the call. */
enum error_code redis_begin_told(struct redis_store *store, struct redis_call *call,
				 struct error *err);
void redis_end(struct redis_call *call);
/* Replies and words so far are of no more use. */
void redis_forget(struct redis_call *call);
bool redis_is_late(const struct redis_call *call);

struct redis_command {
	struct redis_call *call;
	const char **words;
	size_t *lengths;
	size_t count;
};

void redis_add(struct redis_command *command, struct slice word);
void redis_add_text(struct redis_command *command, const char *text); /* NULL: "" */
void redis_add_number(struct redis_command *command, int64_t number);
void redis_add_key(struct redis_command *command, const char *kind, const char *name_or_null);
/* m:<thread>/<message> */
void redis_add_message(struct redis_command *command, const char *thread_id, const char *id);

struct redis_command redis_command(struct redis_call *call, const char *name);
/* A command with a key as its first word. */
struct redis_command redis_of_key(struct redis_call *call, const char *name, const char *kind,
				  const char *key);
/* Sends it with the next that is asked. */
enum error_code redis_put(struct redis_command *command);
/* The next reply; an error of Redis is one of ours. */
enum error_code redis_get(struct redis_call *call, const redisReply **reply);
/* Both. */
enum error_code redis_ask(struct redis_command *command, const redisReply **reply);
/* The same of what may be refused, and nobody minds: ERROR_STORE. */
enum error_code redis_ask_quietly(struct redis_command *command, const redisReply **reply);

/* --- redis_schema.c --- */
#define REDIS_VERSION 1LL

/* *there: 0 when there is none. */
enum error_code redis_schema_read(struct redis_call *call, int64_t *there);
/* Where there is no version yet, ours becomes it: a write in any case. */
enum error_code redis_schema_put(struct redis_call *call);
/* Both. ERROR_CONFIG with words: a newer program's. */
enum error_code redis_schema(struct redis_call *call, struct error *err);

/* --- redis_scripts.c --- */
#define REDIS_STEP_NAMES(X)                                                                        \
	X(INSERT, insert)                                                                          \
	X(UPDATE, update)                                                                          \
	X(MARK, mark)                                                                              \
	X(TAKE, take)                                                                              \
	X(PUT_THREAD, put_thread)                                                                  \
	X(ADD, add)                                                                                \
	X(EDIT, edit)                                                                              \
	X(PAGE, page)                                                                              \
	X(FORGET, forget)                                                                          \
	X(PUT_MESSAGE, put_message)                                                                \
	X(TURN, turn)                                                                              \
	X(AGAIN, again)                                                                            \
	X(FINISH, finish)                                                                          \
	X(STOP, stop)                                                                              \
	X(BEAT, beat)                                                                              \
	X(FORGET_NODES, forget_nodes)                                                              \
	X(EMPTIED, emptied)                                                                        \
	X(FORGET_MARKS, forget_marks)

enum redis_step {
#define X(name, text) STEP_##name,
	REDIS_STEP_NAMES(X)
#undef X
		REDIS_STEPS
};

const struct redis_script *redis_script_of(enum redis_step step);

/* A call of a script with so many keys, which are to be added first. */
struct redis_command redis_step(struct redis_call *call, enum redis_step step, size_t keys);
/* Asks it, with its text where Redis does not know it (any more). */
enum error_code redis_run(struct redis_command *command, enum redis_step step,
			  const redisReply **reply);
/* Before scripts that go out with others: so that Redis knows it. */
enum error_code redis_load(struct redis_call *call, enum redis_step step);
/* What scripts that change a thread begin with: its key and those of lists; words of alive(). */
void redis_add_lists(struct redis_command *command, const char *thread_id, const char *user_id);
void redis_add_who(struct redis_command *command, const char *user_id, const char *owner,
		   const char *thread_id);

/* --- redis_reply.c --- */
/* An error of Redis as one of ours; its words go to the log, of what lasts once until it is back.
 */
enum error_code redis_refused(const redisReply *reply, struct error *err);
void redis_is_back(void);
/* Text or number of an element; "" and -1 when it is none. */
struct slice redis_slice(const redisReply *reply);
int64_t redis_number(const redisReply *reply);
/* Element of an array; NULL: there is none. */
const redisReply *redis_element(const redisReply *reply, size_t at);
size_t redis_count(const redisReply *reply); /* of elements */
/* The word that a script gave, alone or in front. */
bool redis_says(const redisReply *reply, const char *word);
/* ERROR_NONE unless that word is an error. */
enum error_code redis_verdict(const redisReply *reply);

/* --- redis_row.c --- */
const char *redis_time_text(int64_t ms, char out[REDIS_TIME_SIZE]);
/* Words of HMGET behind its key. */
void redis_add_thread_fields(struct redis_command *command);
void redis_add_message_fields(struct redis_command *command);
/* How many words, then fields with their values; those that are not there are passed over, or, with
 * `absent`, named behind. */
void redis_add_thread(struct redis_command *command, const struct thread *thread);
void redis_add_claim(struct redis_command *command, const struct run_ref *run);
void redis_add_fields(struct redis_command *command, const struct message *message, bool absent);
/* The same of what the end of a run sets. */
void redis_add_end(struct redis_command *command, const struct message *message);
/* ERROR_NOT_FOUND: there is no such hash, or it is a mark. ERROR_CORRUPT: it is none of ours. */
enum error_code redis_take_thread(const redisReply *row, struct slice id, struct arena *arena,
				  struct thread *out);
/* content: the last of its fields, or its length. */
enum error_code redis_take_message(const redisReply *row, const char *thread_id, struct slice id,
				   bool content, struct arena *arena, struct message *out);
/* <one>/<other>; false: it is none. From the arena. */
bool redis_split(struct slice pair, struct arena *arena, const char **one, const char **other);

/* --- redis_promise.c --- */
#define REDIS_PROMISE_SIZE 384
/* What a server that is set up like this one may lose, in words of that size at most; "": nothing
 * that it was told. */
enum error_code redis_promise(struct redis_call *call, char *out);

/* --- redis_try.c --- */
bool redis_try_write(const char *uri, const struct config *config, const char **how,
		     struct error *err);
const char *redis_may_lose(const char *uri, const struct config *config);

/* --- what operations share --- */
/* Whose thread is it? Asked of Redis only where owner does not tell. */
enum error_code redis_user_of(struct redis_call *call, const char *owner, const char *thread_id,
			      const char **user_id);
/* Is there such a thread, and may owner touch it? Of HMGET user deleted. */
enum error_code redis_put_check(struct redis_call *call, const char *thread_id);
enum error_code redis_get_check(struct redis_call *call, const char *owner);
enum error_code redis_thread_check(struct redis_call *call, const char *owner, const char *id);
enum error_code redis_message_read(struct redis_call *call, const char *thread_id, const char *id,
				   struct arena *arena, struct message *out);
/* Which message a run or a key leads to. ERROR_NOT_FOUND: none. */
enum error_code redis_led_to(struct redis_call *call, const char *index, const char *name,
			     struct arena *arena, const char **thread_id, const char **id);
/* What is read of a list of messages. */
struct redis_pages {
	const char *mode; /* page, rest, history, lengths: as the script says */
	const char *thread_id;
	size_t bytes, most; /* are left */
	size_t largest;
};
/* Adds to list what fits of the messages with these ids; lowers what is left. list->more: something
 * cut it. */
enum error_code redis_read_pages(struct redis_call *call, struct redis_pages *how,
				 const redisReply *ids, struct arena *arena,
				 struct message_list *list);
/* Removes these messages of a thread, REDIS_BATCH at most. ERROR_NOT_FOUND: not if_deleted, since
 * it is no deleted one. */
enum error_code redis_messages_forget(struct redis_call *call, const char *thread_id,
				      bool if_deleted, const struct slice *ids, size_t count);
/* Removes up to limit messages of a marked thread; *removed: how many. */
enum error_code redis_thread_empty(struct redis_call *call, const char *id, size_t limit,
				   size_t *removed);
/* The names of nodes that are silent for so long. */
enum error_code redis_nodes_silent(struct redis_call *call, int64_t silent_ms, size_t limit,
				   const redisReply **names);

#define X(name, ...) enum error_code redis_##name(void *self, __VA_ARGS__);
STORE_OPS(X)
#undef X

#endif
