/*
 * sqlite_pool: the connections of this process, and the transaction of a call. A connection
 * serves one call at a time. SQLite has one writer at a time: the writers of this process queue
 * here, where waking is quick; those of other processes meet in the file, where the driver polls.
 */
#include "sqlite_room.h"

#include "base/clock.h"
#include <pthread.h>
#include <stdlib.h>

#define CONNECTIONS_MAX 8

struct sqlite_pool {
	char *path;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	sqlite3 *idle[CONNECTIONS_MAX];
	int idle_count, open_count; /* open: idle or in use */
	bool is_writing;
};

/* --- connections --- */

static bool is_free(const struct sqlite_pool *pool, bool is_write)
{
	return (pool->idle_count > 0 || pool->open_count < CONNECTIONS_MAX) &&
	       !(is_write && pool->is_writing);
}

/* A place for one more call; *db is NULL when its connection is still to be made. */
static bool take_place(struct sqlite_pool *pool, bool is_write, sqlite3 **db, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + SQLITE_WAIT_MS;
	struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
	bool ok;

	pthread_mutex_lock(&pool->lock);
	while (!(ok = is_free(pool, is_write)) &&
	       pthread_cond_timedwait(&pool->changed, &pool->lock, &until) == 0)
		;
	if (ok) {
		*db = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
		pool->open_count += *db == NULL;
		pool->is_writing |= is_write;
	}
	pthread_mutex_unlock(&pool->lock);
	return ok || error_set(err, ERROR_STORE_TIMEOUT, "The store is busy.");
}

/* db NULL: its connection is gone. */
static void give_place(struct sqlite_pool *pool, bool is_write, sqlite3 *db)
{
	pthread_mutex_lock(&pool->lock);
	if (db)
		pool->idle[pool->idle_count++] = db;
	else
		pool->open_count--;
	if (is_write)
		pool->is_writing = false;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

/* --- calls --- */

bool sqlite_begin(struct sqlite_pool *pool, bool is_write, struct sqlite_call *out,
		  struct error *err)
{
	struct sqlite_call call = { .pool = pool, .is_write = is_write };

	if (!take_place(pool, is_write, &call.db, err))
		return false;
	if (!call.db && !(call.db = sqlite_file_open(pool->path, err))) {
		give_place(pool, is_write, NULL);
		return false;
	}
	if (is_write && !sql_run(call.db, NULL, err, "BEGIN IMMEDIATE", NULL, 0))
		return sqlite_end(&call, false, err);
	*out = call;
	return true;
}

/* A connection that saw a broken file is not used again: the file may be mended under another
 * descriptor. */
static bool is_broken(enum error_code code)
{
	return code == ERROR_STORE_DOWN || code == ERROR_CORRUPT || code == ERROR_CONFIG;
}

bool sqlite_end(struct sqlite_call *call, bool ok, struct error *err)
{
	if (ok && call->is_write)
		ok = sql_run(call->db, NULL, err, "COMMIT", NULL, 0);
	if (!sqlite3_get_autocommit(call->db))
		sqlite3_exec(call->db, "ROLLBACK", NULL, NULL, NULL);
	if (!ok && is_broken(err->code)) {
		sqlite3_close(call->db);
		call->db = NULL;
	}
	give_place(call->pool, call->is_write, call->db);
	return ok;
}

/* --- life --- */

struct sqlite_pool *sqlite_pool_open(const char *path, struct error *err)
{
	struct sqlite_pool *pool = calloc(1, sizeof *pool);
	pthread_condattr_t monotonic;

	if (!pool || !(pool->path = strdup(path))) {
		free(pool);
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
		return NULL;
	}
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return pool;
}

void sqlite_pool_free(struct sqlite_pool *pool)
{
	if (!pool)
		return;
	while (pool->idle_count > 0)
		sqlite3_close(pool->idle[--pool->idle_count]);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool->path);
	free(pool);
}
