/*
 * sqlite_pool: the connections of this process, and the transaction of a call. A connection serves
 * one call at a time and is kept for the next. SQLite has one writer at a time: the writers of this
 * process queue here (sqlite_queue.c), where waking is quick; those of other processes meet in the
 * file, where the driver polls.
 *
 * A commit waits for the disk, and whoever queues would wait for each that is before him. So those
 * that queue share one: who is ready leaves his transaction to the next, who goes on in it behind a
 * savepoint, and the last one commits for all. Nobody is told that something is stored before that
 * commit has ended, and who fails takes back his own part alone.
 */
#include "sqlite_log.h"

#include "base/clock.h"
#include "base/cond.h"
#include <stdlib.h>

struct sqlite_pool {
	char *path;
	int64_t limit_ms;
	bool as_found;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct sqlite_conn *idle[SQLITE_CONNECTIONS_MAX];
	struct sqlite_conn *writer; /* idle, too: what it has read stays true, as long as none but
				       it writes */
	int idle_count, open_count; /* open: idle or in use */
	struct sqlite_queue writers;
	struct sqlite_log *log;
};

/* --- connections; all of it with the lock held --- */

/* A place for one more connection; *conn is NULL when it is still to be made. */
static bool take_place(struct sqlite_pool *pool, bool is_write, int64_t until_ms,
		       struct sqlite_conn **conn)
{
	if (is_write && pool->writer) {
		*conn = pool->writer;
		pool->writer = NULL;
		return true;
	}
	while (pool->idle_count == 0 && pool->open_count >= SQLITE_CONNECTIONS_MAX)
		if (!cond_wait_until(&pool->changed, &pool->lock, until_ms))
			return false;
	*conn = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
	pool->open_count += *conn == NULL;
	return true;
}

/* conn NULL: its connection is gone. */
static void give_place(struct sqlite_pool *pool, bool is_write, struct sqlite_conn *conn)
{
	if (conn && is_write)
		pool->writer = conn; /* there is one writer at a time */
	else if (conn)
		pool->idle[pool->idle_count++] = conn;
	else
		pool->open_count--;
	pthread_cond_signal(&pool->changed);
}

/* --- the beginning of a call --- */

/* Its turn to write, or to go on in another's transaction; and a connection. */
static bool take_turn(struct sqlite_pool *pool, struct sqlite_call *call)
{
	bool ok;

	pthread_mutex_lock(&pool->lock);
	ok = !call->is_write || sqlite_queue_wait(&pool->writers, &pool->lock, call);
	if (ok && !call->group && !take_place(pool, call->is_write, call->until_ms, &call->conn)) {
		if (call->is_write)
			sqlite_queue_pass(&pool->writers);
		ok = false;
	}
	pthread_mutex_unlock(&pool->lock);
	return ok;
}

static void give_back(struct sqlite_call *call)
{
	struct sqlite_pool *pool = call->pool;

	pthread_mutex_lock(&pool->lock);
	give_place(pool, call->is_write, call->conn);
	if (call->is_write)
		sqlite_queue_pass(&pool->writers);
	pthread_mutex_unlock(&pool->lock);
}

static struct sqlite_conn *open_one(const struct sqlite_pool *pool, enum error_code *code,
				    struct error *err)
{
	struct sqlite_conn *conn =
		sqlite_file_open(pool->path, pool->limit_ms, pool->as_found, code, err);

	if (conn)
		sqlite_log_watch(pool->log, conn);
	return conn;
}

static enum error_code begin(struct sqlite_call *call, struct error *err)
{
	const struct sqlite_pool *pool = call->pool;
	enum sql_id how = call->is_write ? SQL_BEGIN_WRITE : SQL_BEGIN_READ;
	enum error_code code;

	call->until_ms = clock_mono_ms() + pool->limit_ms;
	if (!take_turn(call->pool, call))
		return ERROR_STORE_TIMEOUT;
	if (!call->conn && !(call->conn = open_one(pool, &code, err))) {
		give_back(call);
		return code;
	}
	if (call->group)
		how = SQL_SAVEPOINT;
	call->conn->until_ms = call->until_ms;
	if (call->is_lazy)
		sqlite_file_sync(call->conn, false);
	code = sql_run(call->conn, how, NULL, 0, NULL);
	return code == ERROR_NONE ? code : sqlite_end(call, code);
}

enum error_code sqlite_begin(struct sqlite_pool *pool, bool is_write, struct sqlite_call *out)
{
	*out = (struct sqlite_call){ .pool = pool, .is_write = is_write };
	return begin(out, NULL);
}

enum error_code sqlite_begin_lazy(struct sqlite_pool *pool, struct sqlite_call *out)
{
	*out = (struct sqlite_call){ .pool = pool, .is_write = true, .is_lazy = true };
	return begin(out, NULL);
}

void sqlite_may_last(struct sqlite_call *call)
{
	call->until_ms = call->conn->until_ms = clock_mono_ms() + SQLITE_LONG_MS;
}

/* --- its end --- */

/* A connection that saw a broken file is not used again: the file may be mended under another
 * descriptor. */
static bool is_broken(enum error_code code)
{
	return code == ERROR_STORE_DOWN || code == ERROR_CORRUPT || code == ERROR_CONFIG;
}

/* What the call itself has done stays in the transaction, or goes. ERROR_NONE: there is something
 * to be committed, of this call or of those before it. */
static enum error_code settle(struct sqlite_call *call, enum error_code code)
{
	struct sqlite_conn *conn = call->conn;

	if (is_broken(code))
		conn->is_broken = true;
	/* Some errors undo the whole transaction, with what others had in it. */
	if (code != ERROR_NONE && (!call->group || sqlite3_get_autocommit(conn->db)))
		return code;
	if (!call->group)
		return ERROR_NONE;
	if (code != ERROR_NONE)
		code = sql_run(conn, SQL_SAVEPOINT_UNDO, NULL, 0, NULL);
	return code == ERROR_NONE ? sql_run(conn, SQL_SAVEPOINT_KEEP, NULL, 0, NULL) : code;
}

static enum error_code commit(struct sqlite_call *call, enum error_code code)
{
	struct sqlite_conn *conn = call->conn;

	if (code == ERROR_NONE)
		code = sql_run(conn, SQL_COMMIT, NULL, 0, NULL);
	if (!sqlite3_get_autocommit(conn->db))
		sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
	if (call->is_lazy && !sqlite_file_sync(conn, true))
		conn->is_broken = true;
	if (conn->is_broken || is_broken(code)) {
		sqlite_file_close(conn);
		call->conn = NULL;
	}
	return code;
}

/* Leaves the transaction to whoever is next, and waits for the end of it: *code. false: nobody is
 * next. */
static bool leave_to_next(struct sqlite_call *call, enum error_code *code)
{
	struct sqlite_pool *pool = call->pool;
	bool ok;

	call->until_ms = clock_mono_ms() + pool->limit_ms;
	pthread_mutex_lock(&pool->lock);
	ok = sqlite_queue_leave(&pool->writers, &pool->lock, call, code);
	pthread_mutex_unlock(&pool->lock);
	return ok;
}

enum error_code sqlite_end(struct sqlite_call *call, enum error_code code)
{
	enum error_code whole = settle(call, code);

	if (whole == ERROR_NONE && call->is_write && leave_to_next(call, &whole))
		return whole == ERROR_NONE ? code : whole;
	whole = commit(call, whole);
	if (call->group) {
		pthread_mutex_lock(&call->pool->lock);
		sqlite_queue_tell(call, whole);
		pthread_mutex_unlock(&call->pool->lock);
	}
	give_back(call);
	return whole == ERROR_NONE ? code : whole;
}

enum error_code sqlite_try_open(struct sqlite_pool *pool, struct error *err)
{
	struct sqlite_call call = { .pool = pool };
	enum error_code code = begin(&call, err);

	return code == ERROR_NONE ? sqlite_end(&call, code) : code;
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
	if (!pool->as_found)
		pool->log =
			sqlite_log_start(pool->path, pool->limit_ms, &pool->writers, &pool->lock);
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
	sqlite_log_stop(pool->log);
	sqlite_file_close(pool->writer);
	while (pool->idle_count > 0)
		sqlite_file_close(pool->idle[--pool->idle_count]);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool->path);
	free(pool);
}
