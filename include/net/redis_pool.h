/*
 * redis_pool: lines to one Redis, for request threads that never connect, ask for a name or wait
 * longer than they say. Lines are opened by a thread of the pool's own, the keeper. When one fails
 * nobody gets any until the keeper has reached Redis again, which it tries each second: until then
 * a call finds out at once that it is away, and a Redis that comes back meets no storm.
 *
 * Opened in a worker, behind the fork; start it once the fence stands (server/sandbox.h).
 */
#ifndef NET_REDIS_POOL_H
#define NET_REDIS_POOL_H

#include "net/redis_line.h"

#define REDIS_CONNECT_MS 200 /* to connect, sign in and greet */
#define REDIS_RETRY_MS   1000

struct redis_pool;

/* What its owner does with it. On any thread, with the pool's lock held but in greet: they ask
 * nothing of the pool. */
struct redis_pool_calls {
	/* On a fresh line, by the keeper: whatever Redis has to know or to say first. Also used
	 * without a pool, by redis_pool_try. */
	bool (*greet)(void *self, redisContext *line, int64_t until_ms, struct error *err);
	void (*away)(void *self, const char *why); /* again with each try that fails */
	void (*back)(void *self);                  /* also when it was reached at first */
};

/* url, calls and self outlive it. */
struct redis_pool *redis_pool_open(const struct redis_url *url,
				   const struct redis_pool_calls *calls, void *self,
				   struct error *err);
/* Waits for the first try, which may fail: REDIS_CONNECT_MS and a little, the name server
 * besides. */
bool redis_pool_start(struct redis_pool *pool, struct error *err);
void redis_pool_stop(struct redis_pool *pool);  /* also without a start, or NULL */
void redis_pool_close(struct redis_pool *pool); /* stops it; NULL is fine */

/* NULL: Redis is away, or all lines are busy until then. */
redisContext *redis_pool_take(struct redis_pool *pool, int64_t until_ms);
/* failure NULL: the line is good. Else the words of why Redis is away from now on. */
void redis_pool_give(struct redis_pool *pool, redisContext *line, const char *failure);

/* Would it do? Opens a line, greets, closes it. */
bool redis_pool_try(const struct redis_url *url, const struct redis_pool_calls *calls, void *self,
		    struct error *err);

#endif
