/*
 * redis: counts that several machines share, in Redis, by one script and Redis' own clock.
 *
 * A request thread waits for no longer than REDIS_CALL_MS, over the lines of net/redis_pool.h.
 * While Redis is away the answer is REDIS_AWAY, at once.
 *
 * One a worker, opened there behind the fork.
 */
#ifndef GUARD_REDIS_H
#define GUARD_REDIS_H

#include "base/error.h"
#include "base/shm.h"
#include "config/redis_url.h"
#include "gcra.h"

#define REDIS_CALL_MS    100
#define REDIS_COUNTS_MAX 4

struct redis;

enum redis_answer {
	REDIS_YES,
	REDIS_NO,
	REDIS_AWAY, /* nobody knows */
};

struct redis_count {
	char name[80];
	struct gcra_rate rate;
};

/* url outlives it. */
struct redis *redis_open(const struct redis_url *url, struct shm *shm, struct error *err);
bool redis_start(struct redis *redis, struct error *err);
void redis_stop(struct redis *redis); /* also without a start, or NULL */
void redis_close(struct redis *redis);

/* One use of each, or of none: then *refused is the number of the first that is over its rate.
 * uses: how they stand behind it, of a refusal that one alone. *taken_us: Redis' clock. */
enum redis_answer redis_take(struct redis *redis, const struct redis_count *counts, size_t count,
			     struct gcra_use *uses, size_t *refused, int64_t *taken_us);
void redis_give_back(struct redis *redis, const struct redis_count *counts, size_t count,
		     int64_t taken_us);

/* Would it do? Opens a line and loads the script. */
bool redis_try(const struct redis_url *url, struct error *err);

#endif
