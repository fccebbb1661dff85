/*
 * redis_pool: see net/redis_pool.h. Idle lines lie on a stack; who finds none there waits for one
 * to come back, or for the keeper to open another.
 */
#include "net/redis_pool.h"

#include "base/clock.h"
#include "base/cond.h"
#include <stdlib.h>

#define LINES_MAX 8   /* a call takes less than a millisecond as a rule */
#define START_MS  300 /* for the first try */

struct redis_pool {
	const struct redis_url *url;
	const struct redis_pool_calls *calls;
	void *self;
	pthread_t keeper;
	bool has_keeper;
	pthread_mutex_t lock;  /* of all below */
	pthread_cond_t lines;  /* one is idle, or there will be none */
	pthread_cond_t wanted; /* the keeper has something to do */
	redisContext *idle[LINES_MAX];
	int idle_count, open_count, waiting;
	bool is_away, was_tried, ends;
	int64_t try_ms; /* monotonic: not before then, while it is away */
};

/* --- away, with the lock held --- */

/* Lines that are idle are as good as the one that failed. */
static void go_away(struct redis_pool *pool, const char *why)
{
	pool->is_away = true;
	pool->try_ms = clock_mono_ms() + REDIS_RETRY_MS;
	pool->open_count -= pool->idle_count;
	while (pool->idle_count > 0)
		redis_line_close(pool->idle[--pool->idle_count]);
	pthread_cond_broadcast(&pool->lines);
	pthread_cond_signal(&pool->wanted);
	pool->calls->away(pool->self, why);
}

/* --- the keeper --- */

static redisContext *open_line(const struct redis_url *url, const struct redis_pool_calls *calls,
			       void *self, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + REDIS_CONNECT_MS;
	redisContext *line = redis_line_open(url, until_ms, err);

	if (line && calls->greet(self, line, until_ms, err))
		return line;
	redis_line_close(line);
	return NULL;
}

static bool is_wanted(const struct redis_pool *pool)
{
	return pool->is_away ? clock_mono_ms() >= pool->try_ms
			     : pool->waiting > pool->idle_count && pool->open_count < LINES_MAX;
}

static void open_another(struct redis_pool *pool)
{
	struct error err = { 0 };
	redisContext *line;

	pthread_mutex_unlock(&pool->lock);
	line = open_line(pool->url, pool->calls, pool->self, &err);
	pthread_mutex_lock(&pool->lock);
	pool->was_tried = true;
	if (!line) {
		go_away(pool, err.detail);
		return;
	}
	pool->idle[pool->idle_count++] = line;
	pool->open_count++;
	if (pool->is_away)
		pool->calls->back(pool->self);
	pool->is_away = false;
	pthread_cond_broadcast(&pool->lines);
}

static void *keep(void *arg)
{
	struct redis_pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ends) {
		if (is_wanted(pool))
			open_another(pool);
		else if (pool->is_away)
			cond_wait_until(&pool->wanted, &pool->lock, pool->try_ms);
		else
			pthread_cond_wait(&pool->wanted, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* --- life --- */

struct redis_pool *redis_pool_open(const struct redis_url *url,
				   const struct redis_pool_calls *calls, void *self,
				   struct error *err)
{
	struct redis_pool *pool = calloc(1, sizeof *pool);

	if (!pool) {
		error_set(err, ERROR_INTERNAL, "No memory for what speaks to Redis.");
		return NULL;
	}
	pool->url = url;
	pool->calls = calls;
	pool->self = self;
	pool->is_away = true;
	pthread_mutex_init(&pool->lock, NULL);
	cond_init(&pool->lines);
	cond_init(&pool->wanted);
	return pool;
}

bool redis_pool_start(struct redis_pool *pool, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + START_MS;

	if (pthread_create(&pool->keeper, NULL, keep, pool) != 0)
		return error_set(err, ERROR_INTERNAL, "No thread for what speaks to Redis.");
	pool->has_keeper = true;
	pthread_mutex_lock(&pool->lock);
	while (!pool->was_tried && cond_wait_until(&pool->lines, &pool->lock, until_ms))
		;
	pthread_mutex_unlock(&pool->lock);
	return true;
}

void redis_pool_stop(struct redis_pool *pool)
{
	if (!pool || !pool->has_keeper)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ends = true;
	pthread_cond_signal(&pool->wanted);
	pthread_mutex_unlock(&pool->lock);
	pthread_join(pool->keeper, NULL);
	pool->has_keeper = false;
}

void redis_pool_close(struct redis_pool *pool)
{
	if (!pool)
		return;
	redis_pool_stop(pool);
	while (pool->idle_count > 0)
		redis_line_close(pool->idle[--pool->idle_count]);
	pthread_cond_destroy(&pool->lines);
	pthread_cond_destroy(&pool->wanted);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

bool redis_pool_try(const struct redis_url *url, const struct redis_pool_calls *calls, void *self,
		    struct error *err)
{
	redisContext *line = open_line(url, calls, self, err);

	redis_line_close(line);
	return line != NULL;
}

/* --- lines --- */

redisContext *redis_pool_take(struct redis_pool *pool, int64_t until_ms)
{
	redisContext *line = NULL;
	bool waits = true;

	pthread_mutex_lock(&pool->lock);
	pool->waiting++;
	while (!pool->is_away && pool->idle_count == 0 && waits) {
		pthread_cond_signal(&pool->wanted);
		waits = cond_wait_until(&pool->lines, &pool->lock, until_ms);
	}
	pool->waiting--;
	if (!pool->is_away && pool->idle_count > 0)
		line = pool->idle[--pool->idle_count];
	pthread_mutex_unlock(&pool->lock);
	return line;
}

void redis_pool_give(struct redis_pool *pool, redisContext *line, const char *failure)
{
	pthread_mutex_lock(&pool->lock);
	if (failure || pool->is_away) {
		redis_line_close(line);
		pool->open_count--;
	} else {
		pool->idle[pool->idle_count++] = line;
		pthread_cond_signal(&pool->lines);
	}
	if (failure && !pool->is_away)
		go_away(pool, failure);
	pthread_mutex_unlock(&pool->lock);
}
