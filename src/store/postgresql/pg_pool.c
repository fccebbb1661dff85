/*
 * pg_pool: the connections of this process, and a call on one of them. They are made when they are
 * needed and kept for the next call; of those that rest the one that was used last is taken first.
 * A call whose connection is lost before anything can have happened is made again on a new one.
 */
#include "pg_room.h"

#include "base/clock.h"
#include "base/cond.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LONG_MS     (10 * 60 * 1000LL)
#define REST_MAX_MS (5 * 60 * 1000LL) /* what lies between may have forgotten it */

struct pg_pool {
	struct pg_uri uri;
	int64_t limit_ms;
	size_t size;
	atomic_bool is_set_up;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	size_t idle_count, open_count; /* open: idle or in use */
	struct pg_conn *idle[];
};

/* --- connections --- */

/* A place for one more call; *conn is NULL when its connection is still to be made. */
static bool take_place(struct pg_pool *pool, int64_t until_ms, struct pg_conn **conn)
{
	bool ok;

	pthread_mutex_lock(&pool->lock);
	while (!(ok = pool->idle_count > 0 || pool->open_count < pool->size) &&
	       cond_wait_until(&pool->changed, &pool->lock, until_ms))
		;
	if (ok) {
		*conn = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
		pool->open_count += *conn == NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	return ok;
}

/* conn NULL: its connection is gone. */
static void give_place(struct pg_pool *pool, struct pg_conn *conn)
{
	pthread_mutex_lock(&pool->lock);
	if (conn)
		pool->idle[pool->idle_count++] = conn;
	else
		pool->open_count--;
	pthread_cond_signal(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

struct pg_conn *pg_pool_connect(struct pg_pool *pool, int64_t until_ms, enum error_code *code,
				struct error *err)
{
	struct error why = { 0 };
	struct pg_conn *conn = pg_conn_open(&pool->uri, pool->limit_ms, until_ms, code, &why);

	if (!conn)
		pg_note_away(NULL, why.detail);
	if (!conn && err)
		*err = why;
	return conn;
}

static enum error_code connect_call(struct pg_call *call)
{
	enum error_code code = ERROR_NONE;

	if (!take_place(call->pool, call->until_ms, &call->conn))
		return ERROR_STORE_TIMEOUT;
	if (call->conn &&
	    (clock_mono_ms() - call->conn->used_ms > REST_MAX_MS || !pg_conn_is_good(call->conn))) {
		pg_conn_close(call->conn);
		call->conn = NULL;
	}
	if (!call->conn && !(call->conn = pg_pool_connect(call->pool, call->until_ms, &code, NULL)))
		give_place(call->pool, NULL);
	else
		call->conn->until_ms = call->until_ms;
	return code;
}

/* --- calls --- */

bool pg_begin(struct pg_call *call)
{
	if (call->is_over)
		return false;
	if (call->tries == 0)
		call->until_ms = clock_mono_ms() + call->pool->limit_ms;
	call->is_again = call->is_committing = call->is_committed = call->is_undone = false;
	call->code = connect_call(call);
	if (call->code != ERROR_NONE)
		return false;
	PQenterPipelineMode(call->conn->pg);
	if (call->is_write)
		pg_ask(call, SQL_BEGIN, NULL, 0);
	return true;
}

void pg_may_last(struct pg_call *call)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", LONG_MS);
	call->until_ms = call->conn->until_ms = clock_mono_ms() + LONG_MS;
	pg_ask(call, SQL_MAY_LAST, SQL_VALUES(sql_text(text)));
}

/* true: nothing more is to be tried. */
static bool is_done(struct pg_call *call, enum error_code code)
{
	if (code == ERROR_NONE && call->is_write && !call->is_undone)
		pg_commit(call);
	if (code == ERROR_NONE || call->is_committing)
		pg_answer_rest(call);
	if (call->is_committing && call->code == ERROR_NONE && !call->is_committed)
		call->code = ERROR_STORE; /* it was undone, and did not say why */
	pg_undo(call);
	return !call->is_again || call->tries >= PG_TRIES || clock_mono_ms() >= call->until_ms;
}

void pg_end(struct pg_call *call, enum error_code code)
{
	struct pg_conn *conn = call->conn;

	call->is_over = is_done(call, code);
	if (code != ERROR_NONE && call->code == ERROR_NONE)
		call->code = code;
	call->tries++;
	PQclear(call->rows);
	call->rows = NULL;
	conn->used_ms = clock_mono_ms();
	if (conn->is_broken || conn->count > 0 || !PQexitPipelineMode(conn->pg)) {
		pg_conn_close(conn);
		conn = NULL;
	}
	call->conn = NULL;
	give_place(call->pool, conn);
}

/* --- life --- */

static size_t wanted_size(const struct store_options *options, const struct pg_uri *uri)
{
	size_t wanted = options->callers + 1; /* one is for the ping */

	return wanted < uri->connections ? wanted : uri->connections;
}

struct pg_pool *pg_pool_open(const struct store_options *options, struct error *err)
{
	struct pg_pool *pool = NULL;
	struct pg_uri uri;
	size_t size;

	if (!pg_uri_read(options->uri, &uri, err))
		goto fail;
	size = wanted_size(options, &uri);
	if (!(pool = calloc(1, sizeof *pool + size * sizeof(struct pg_conn *)))) {
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
		goto fail;
	}
	pool->uri = uri;
	pool->limit_ms = options->limit_ms;
	pool->size = size;
	pthread_mutex_init(&pool->lock, NULL);
	cond_init(&pool->changed);
	return pool;
fail:
	pg_uri_done(&uri);
	return NULL;
}

void pg_pool_free(struct pg_pool *pool)
{
	if (!pool)
		return;
	while (pool->idle_count > 0)
		pg_conn_close(pool->idle[--pool->idle_count]);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	pg_uri_done(&pool->uri);
	free(pool);
}

size_t pg_pool_size(const struct pg_pool *pool)
{
	return pool->size;
}

const struct pg_uri *pg_pool_uri(const struct pg_pool *pool)
{
	return &pool->uri;
}

int64_t pg_pool_limit(const struct pg_pool *pool)
{
	return pool->limit_ms;
}

bool pg_pool_is_set_up(struct pg_pool *pool)
{
	return atomic_load(&pool->is_set_up);
}

void pg_pool_note_set_up(struct pg_pool *pool)
{
	atomic_store(&pool->is_set_up, true);
}
