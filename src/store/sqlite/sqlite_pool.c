/*
 * sqlite_pool: the connections of this process, and the transaction of a call. A connection serves
 * one call at a time and is kept for the next. SQLite has one writer at a time: the writers of this
 * process queue here, where waking is quick; those of other processes meet in the file, where the
 * driver polls.
 */
#include "sqlite_room.h"

#include "base/clock.h"
#include "base/cond.h"
#include <pthread.h>
#include <stdlib.h>

struct sqlite_pool {
	char *path;
	int64_t limit_ms;
	bool as_found;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct sqlite_conn *idle[SQLITE_CONNECTIONS_MAX];
	int idle_count, open_count; /* open: idle or in use */
	bool is_writing;
};

/* --- connections --- */

static bool is_free(const struct sqlite_pool *pool, bool is_write)
{
	return (pool->idle_count > 0 || pool->open_count < SQLITE_CONNECTIONS_MAX) &&
	       !(is_write && pool->is_writing);
}

/* A place for one more call; *conn is NULL when its connection is still to be made. */
static bool take_place(struct sqlite_pool *pool, bool is_write, int64_t until_ms,
		       struct sqlite_conn **conn)
{
	bool ok;

	pthread_mutex_lock(&pool->lock);
	while (!(ok = is_free(pool, is_write)) &&
	       cond_wait_until(&pool->changed, &pool->lock, until_ms))
		;
	if (ok) {
		*conn = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
		pool->open_count += *conn == NULL;
		pool->is_writing |= is_write;
	}
	pthread_mutex_unlock(&pool->lock);
	return ok;
}

/* conn NULL: its connection is gone. */
static void give_place(struct sqlite_pool *pool, bool is_write, struct sqlite_conn *conn)
{
	pthread_mutex_lock(&pool->lock);
	if (conn)
		pool->idle[pool->idle_count++] = conn;
	else
		pool->open_count--;
	if (is_write)
		pool->is_writing = false;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

/* --- calls --- */

static enum error_code begin(struct sqlite_pool *pool, bool is_write, struct sqlite_call *out,
			     struct error *err)
{
	int64_t until_ms = clock_mono_ms() + pool->limit_ms;
	struct sqlite_call call = { .pool = pool, .is_write = is_write };
	enum error_code code;

	if (!take_place(pool, is_write, until_ms, &call.conn))
		return ERROR_STORE_TIMEOUT;
	if (!call.conn && !(call.conn = sqlite_file_open(pool->path, pool->limit_ms, pool->as_found,
							 &code, err))) {
		give_place(pool, is_write, NULL);
		return code;
	}
	call.conn->until_ms = until_ms;
	code = sql_run(call.conn, is_write ? SQL_BEGIN_WRITE : SQL_BEGIN_READ, NULL, 0, NULL);
	if (code != ERROR_NONE)
		return sqlite_end(&call, code);
	*out = call;
	return ERROR_NONE;
}

enum error_code sqlite_begin(struct sqlite_pool *pool, bool is_write, struct sqlite_call *out)
{
	return begin(pool, is_write, out, NULL);
}

/* A connection that saw a broken file is not used again: the file may be mended under another
 * descriptor. */
static bool is_broken(enum error_code code)
{
	return code == ERROR_STORE_DOWN || code == ERROR_CORRUPT || code == ERROR_CONFIG;
}

enum error_code sqlite_end(struct sqlite_call *call, enum error_code code)
{
	if (code == ERROR_NONE)
		code = sql_run(call->conn, SQL_COMMIT, NULL, 0, NULL);
	if (!sqlite3_get_autocommit(call->conn->db))
		sqlite3_exec(call->conn->db, "ROLLBACK", NULL, NULL, NULL);
	if (is_broken(code)) {
		sqlite_file_close(call->conn);
		call->conn = NULL;
	}
	give_place(call->pool, call->is_write, call->conn);
	return code;
}

void sqlite_may_last(struct sqlite_call *call)
{
	call->conn->until_ms = clock_mono_ms() + SQLITE_LONG_MS;
}

enum error_code sqlite_try_open(struct sqlite_pool *pool, struct error *err)
{
	struct sqlite_call call = { 0 };
	enum error_code code = begin(pool, false, &call, err);

	return code == ERROR_NONE && call.conn ? sqlite_end(&call, code) : code;
}

/* --- life --- */

struct sqlite_pool *sqlite_pool_open(const char *path, const struct store_options *options,
				     struct error *err)
{
	struct sqlite_pool *pool = calloc(1, sizeof *pool);

	if (!pool || !(pool->path = strdup(path))) {
		free(pool);
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
		return NULL;
	}
	pool->limit_ms = options->limit_ms;
	pool->as_found = options->as_found;
	pthread_mutex_init(&pool->lock, NULL);
	cond_init(&pool->changed);
	return pool;
}

const char *sqlite_pool_path(const struct sqlite_pool *pool)
{
	return pool->path;
}

void sqlite_pool_free(struct sqlite_pool *pool)
{
	if (!pool)
		return;
	while (pool->idle_count > 0)
		sqlite_file_close(pool->idle[--pool->idle_count]);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool->path);
	free(pool);
}
