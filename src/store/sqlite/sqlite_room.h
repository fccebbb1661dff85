/*
 * sqlite_room: what the parts of the SQLite store know of each other.
 *
 *   sqlite.c         the table of its functions, the URI, ping
 *   sqlite_pool.c    connections, and a call's transaction on one of them
 *   sqlite_queue.c   who writes next, and who shares a transaction
 *   sqlite_log.c     the thread that takes the log into the file
 *   sqlite_file.c    one connection: the file, its settings, its time limit
 *   sqlite_schema.c  tables and indexes, and the way from each version to the next
 *   sqlite_sql.h     all statements
 *   sqlite_query.c   statements with their values, columns, errors
 *   sqlite_fold.c    fold(text) for SQL
 *   sqlite_search.c  the index of what is said
 *   sqlite_try.c     could it be written, is it sound? for `c1d check`
 *   sqlite_backup.c  a copy as of one moment
 *   sqlite_thread.c, sqlite_message.c, sqlite_page.c, sqlite_turn.c, sqlite_claim.c,
 *   sqlite_node.c, sqlite_copy.c   the functions
 *
 * Every function of STORE_OPS is one transaction, so what it read is true until it has written.
 */
#ifndef SQLITE_ROOM_H
#define SQLITE_ROOM_H

#include "../store_ops.h"
#include "sqlite_sql.h"

#include <sqlite3.h>

#define SQLITE_SCHEME          "sqlite:"
#define SQLITE_CONNECTIONS_MAX 32

/* --- sqlite_file.c --- */
struct sqlite_conn {
	sqlite3 *db;
	bool is_broken;                    /* it saw a broken file */
	int64_t until_ms;                  /* monotonic: what still runs then is ended */
	sqlite3_stmt *prepared[SQL_COUNT]; /* NULL until first used */
};

/* Opens the file, makes it (and the folder it lies in) where there is none, and brings its tables
 * up to date; as_found: none of this. NULL: *code; err has words for ERROR_CONFIG. */
struct sqlite_conn *sqlite_file_open(const char *path, int64_t limit_ms, bool as_found,
				     enum error_code *code, struct error *err);
void sqlite_file_close(struct sqlite_conn *conn);
/* Whether its commits wait for the disk. false: that could not be changed. */
bool sqlite_file_sync(struct sqlite_conn *conn, bool is_on);
/* Writes what stands there already, synced: can it be written? */
enum error_code sqlite_file_touch(struct sqlite_conn *conn);

/* --- sqlite_schema.c --- */
/* Brings the tables to this program's version, whoever else is at it. SQLITE_BUSY: try again.
 * *version: what was found, higher than ours for a newer program's. An SQLite code. */
int sqlite_schema(sqlite3 *db, int *version);
int sqlite_schema_read(sqlite3 *db, int *version); /* 0: no tables yet */
extern const int sqlite_schema_version;

/* --- sqlite_pool.c --- */
struct sqlite_pool;
struct sqlite_group;

struct sqlite_call {
	struct sqlite_pool *pool;
	struct sqlite_conn *conn;
	struct sqlite_group *group; /* that shares its transaction; NULL: it has its own */
	int64_t until_ms;           /* monotonic */
	bool is_write, is_lazy;
};

struct sqlite_pool *sqlite_pool_open(const char *path, const struct store_options *options,
				     struct error *err);
void sqlite_pool_free(struct sqlite_pool *pool);
const char *sqlite_pool_path(const struct sqlite_pool *pool);
/* A connection with a transaction for one call, which sqlite_end commits for ERROR_NONE and else
 * undoes; it gives the code of the call as a whole. */
enum error_code sqlite_begin(struct sqlite_pool *pool, bool is_write, struct sqlite_call *out);
enum error_code sqlite_end(struct sqlite_call *call, enum error_code code);
/* The same for what is done again should a loss of power undo it: its commit does not wait for the
 * disk (the next one that does covers it), and nobody shares it. */
enum error_code sqlite_begin_lazy(struct sqlite_pool *pool, struct sqlite_call *out);
/* What comes now may take long: an administrator waits for it, and no client. */
void sqlite_may_last(struct sqlite_call *call);
#define SQLITE_LONG_MS (10LL * 60 * 1000)
/* err gets words for ERROR_CONFIG. */
enum error_code sqlite_try_open(struct sqlite_pool *pool, struct error *err);

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

/* NULL for what is unknown (negative). */
static inline struct sql_value sql_count(int64_t number)
{
	struct sql_value value = sql_int(number);

	if (number < 0)
		value.kind = SQL_NULL;
	return value;
}

#define SQL_VALUES(...)                                                                            \
	(const struct sql_value[]){ __VA_ARGS__ },                                                 \
		sizeof((const struct sql_value[]){ __VA_ARGS__ }) / sizeof(struct sql_value)

/* A statement with values bound to ?1, ?2 ...: they have to live until sql_done. Afterwards it
 * stands before its first row. One use of a statement at a time. */
enum error_code sql_start(struct sqlite_conn *conn, enum sql_id id, const struct sql_value *values,
			  size_t count, sqlite3_stmt **query);
/* ERROR_NONE: there is a row. ERROR_NOT_FOUND: there is none (any more). */
enum error_code sql_step(sqlite3_stmt *query);
void sql_done(sqlite3_stmt *query); /* NULL is fine */
/* Runs a statement that gives no rows; *changed (may be NULL): how many it changed. */
enum error_code sql_run(struct sqlite_conn *conn, enum sql_id id, const struct sql_value *values,
			size_t count, int *changed);

struct slice sql_column(sqlite3_stmt *row, int column);  /* until the next step; NULL for NULL */
int64_t sql_column_count(sqlite3_stmt *row, int column); /* -1 for NULL */

/* The driver's last error as one of ours; its words go to the log, of what keeps it from being
 * reached or written once until sqlite_is_back. */
enum error_code sqlite_failed(sqlite3 *db);
void sqlite_is_back(void);

/* --- sqlite_try.c, sqlite_backup.c --- */
bool sqlite_try_write(const char *uri, const struct config *config, const char **how,
		      struct error *err);
bool sqlite_look(const char *uri, const char **how, struct error *err);
bool sqlite_backup(const char *uri, const char *path, const struct store_watch *watch,
		   struct error *err);
#define SQLITE_FOUND_SIZE 160
/* Each page of the database, without the order of its indexes. ERROR_CORRUPT: found says what.
 * ERROR_STORE_TIMEOUT: its progress handler has ended it. */
enum error_code sqlite_check_pages(sqlite3 *db, char found[SQLITE_FOUND_SIZE]);

/* sqlite_fold.c: gives this connection the SQL function fold(text): letters that differ by case
 * alone become the same, in any script. An SQLite code. */
int sqlite_fold_add(struct sqlite_conn *conn);
void sqlite_wake(void);

/* --- sqlite_search.c --- */
/* ?8 of the statements that search */
enum sqlite_search {
	SQLITE_SEARCH_TITLES,
	SQLITE_SEARCH_RARE,
	SQLITE_SEARCH_COMMON,
	SQLITE_SEARCH_SHORT,
};
/* *match: what the index is asked for. */
enum error_code sqlite_search_plan(struct sqlite_conn *conn, const char *q, struct arena *arena,
				   const char **match, enum sqlite_search *how);
/* Takes some of the messages into the index that are not in it yet; *more: some are left. */
enum error_code sqlite_search_fill(struct sqlite_conn *conn, bool *more);

/* --- what functions share, within a call --- */
enum error_code sqlite_thread_read(struct sqlite_conn *conn, const char *owner, const char *id,
				   struct arena *arena, struct thread *out);
/* Up to limit threads of a statement. */
enum error_code sqlite_thread_rows(sqlite3_stmt *query, struct thread_fill *fill);
enum error_code sqlite_thread_put(struct sqlite_conn *conn, const struct thread *thread);
/* Is there such a thread, and may owner touch it? */
enum error_code sqlite_thread_check(struct sqlite_conn *conn, const char *owner, const char *id);
/* Removes up to limit messages; *removed: how many. */
enum error_code sqlite_thread_empty(struct sqlite_conn *conn, const char *id, size_t limit,
				    int *removed);

/* With the content, or (of statements that give none) its length alone. */
enum error_code sqlite_message_take(sqlite3_stmt *row, bool content, struct arena *arena,
				    struct message *out);
enum error_code sqlite_message_find(struct sqlite_conn *conn, enum sql_id id,
				    const struct sql_value *values, size_t count,
				    struct arena *arena, struct message *out);
enum error_code sqlite_message_put(struct sqlite_conn *conn, const struct message *message);
/* The same; what is there under its id becomes it. */
enum error_code sqlite_message_replace(struct sqlite_conn *conn, const struct message *message);
/* The last message of a thread: *seq 0 and "" without one. id has room for ID_MAX + 1. */
enum error_code sqlite_message_last(struct sqlite_conn *conn, const char *thread_id, int64_t *seq,
				    char *id);
/* Rows of a statement, as far as the list takes them. */
enum error_code sqlite_message_rows(sqlite3_stmt *query, bool content, struct message_fill *fill);

#define X(name, ...) enum error_code sqlite_##name(void *self, __VA_ARGS__);
STORE_OPS(X)
#undef X

#endif
