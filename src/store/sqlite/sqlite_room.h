/*
 * sqlite_room: what the parts of the SQLite store know of each other.
 *
 *   sqlite.c         the table of its functions, the URI, ping
 *   sqlite_pool.c    connections, and a call's transaction on one of them
 *   sqlite_file.c    one connection: the file, its settings, its tables
 *   sqlite_query.c   statements, columns, errors
 *   sqlite_try.c     could it be written? for `c1d check`
 *   sqlite_fold.c    fold(text) for SQL
 *   sqlite_thread.c, sqlite_message.c, sqlite_turn.c, sqlite_node.c   the functions
 *
 * Only store.c calls in, so `err` is never NULL here.
 */
#ifndef SQLITE_ROOM_H
#define SQLITE_ROOM_H

#include "../store_ops.h"

#include <sqlite3.h>

#define SQLITE_SCHEME  "sqlite:"
#define SQLITE_WAIT_MS 5000 /* longest wait for a connection or for another writer */

/* --- sqlite_file.c --- */
/* Opens the file, makes it (and the folder it lies in) and its tables where there are none. */
sqlite3 *sqlite_file_open(const char *path, struct error *err);
/* Writes what stands there already: can it be written? */
bool sqlite_file_touch(sqlite3 *db, struct error *err);

/* --- sqlite_pool.c --- */
struct sqlite_pool;

struct sqlite_call {
	struct sqlite_pool *pool;
	sqlite3 *db;
	bool is_write;
};

struct sqlite_pool *sqlite_pool_open(const char *path, struct error *err);
void sqlite_pool_free(struct sqlite_pool *pool);
/* A connection for one call; for a write with a transaction, which sqlite_end commits when ok and
 * else undoes. */
bool sqlite_begin(struct sqlite_pool *pool, bool is_write, struct sqlite_call *out,
		  struct error *err);
bool sqlite_end(struct sqlite_call *call, bool ok, struct error *err);

/* --- sqlite_query.c --- */
struct sql_value {
	enum { SQL_NULL, SQL_TEXT, SQL_INT } kind;
	struct slice text;
	int64_t number;
};

static inline struct sql_value sql_slice(struct slice text)
{
	return (struct sql_value){ .kind = SQL_TEXT, .text = text };
}

static inline struct sql_value sql_text(const char *text)
{
	return text ? sql_slice(slice_of(text)) : (struct sql_value){ .kind = SQL_NULL };
}

static inline struct sql_value sql_int(int64_t number)
{
	return (struct sql_value){ .kind = SQL_INT, .number = number };
}

#define SQL_VALUES(...)                                                                            \
	(const struct sql_value[]){ __VA_ARGS__ },                                                 \
		sizeof((const struct sql_value[]){ __VA_ARGS__ }) / sizeof(struct sql_value)

/* A statement with values bound to ?1, ?2 ...: they have to live until its end. */
sqlite3_stmt *sql_query(sqlite3 *db, struct error *err, const char *sql,
			const struct sql_value *values, size_t count);
enum sql_step { SQL_FAILED, SQL_DONE, SQL_ROW };
enum sql_step sql_step(sqlite3_stmt *query, struct error *err);
/* Runs a statement that gives no rows; *changed (may be NULL): how many rows it changed. */
bool sql_run(sqlite3 *db, int *changed, struct error *err, const char *sql,
	     const struct sql_value *values, size_t count);

const char *sql_column_text(sqlite3_stmt *row, int column, struct arena *arena); /* NULL for NULL */
struct slice sql_column_slice(sqlite3_stmt *row, int column, struct arena *arena);

/* The items with room for one more behind count of them; NULL when the arena is full. */
void *sql_grow(struct arena *arena, void *items, size_t count, size_t size);

/* Logs what the driver said and fills err with its meaning. What keeps it from being reached is
 * logged once until sqlite_is_back. */
bool sqlite_fail(sqlite3 *db, struct error *err);
void sqlite_is_back(void);
/* ERROR_OVERLOADED when the arena is full. */
bool sqlite_fits(const struct arena *arena, struct error *err);

/* sqlite_fold.c: gives this connection the SQL function fold(text), lower case in any script.
 */
bool sqlite_fold_add(sqlite3 *db, struct error *err);

/* --- the functions: those of store_ops.h, self is the pool --- */
bool sqlite_thread_insert(void *self, const struct thread *thread, struct error *err);
bool sqlite_thread_get(void *self, const char *id, struct arena *arena, struct thread *out,
		       struct error *err);
bool sqlite_thread_list(void *self, const struct thread_filter *filter, struct arena *arena,
			struct thread_list *out, struct error *err);
bool sqlite_thread_update(void *self, const char *id, const struct thread_patch *patch,
			  struct arena *arena, struct thread *out, struct error *err);
bool sqlite_thread_delete(void *self, const char *id, int64_t now_ms, struct error *err);
/* The same within a call. ERROR_NOT_FOUND. */
bool sqlite_thread_read(sqlite3 *db, const char *id, struct arena *arena, struct thread *out,
			struct error *err);

bool sqlite_claim(void *self, const struct claim *claim, struct arena *arena,
		  struct claim_result *out, struct error *err);
bool sqlite_claim_release(void *self, const char *thread_id, const char *run_id, struct error *err);
bool sqlite_next_seq(void *self, const char *thread_id, int64_t now_ms, int64_t *out,
		     struct error *err);
bool sqlite_finish(void *self, const struct finish *finish, bool *applied, struct error *err);

bool sqlite_message_insert(void *self, const struct message *messages, size_t count,
			   struct error *err);
bool sqlite_message_get(void *self, const char *thread_id, const char *id, struct arena *arena,
			struct message *out, struct error *err);
bool sqlite_message_by_run(void *self, const char *run_id, struct arena *arena, struct message *out,
			   struct error *err);
bool sqlite_message_by_key(void *self, const char *thread_id, const char *key, struct arena *arena,
			   struct message *out, struct error *err);
bool sqlite_message_list(void *self, const struct message_filter *filter, struct arena *arena,
			 struct message_list *out, struct error *err);
bool sqlite_message_update(void *self, const char *thread_id, const char *id,
			   const struct message_patch *patch, struct arena *arena,
			   struct message *out, struct error *err);

bool sqlite_node_beat(void *self, const char *node, int64_t now_ms, struct error *err);
bool sqlite_claims_of_dead(void *self, int64_t seen_before_ms, size_t limit, struct arena *arena,
			   struct claim_list *out, struct error *err);
bool sqlite_sweep(void *self, int64_t seen_before_ms, int64_t deleted_before_ms, struct error *err);

#endif
