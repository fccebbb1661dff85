/* redis: see redis.h. What each machine counts, of what Redis counts for all. */
#include "redis.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "limit_script.h"
#include "net/redis_pool.h"
#include "net/redis_script.h"
#include <stdio.h>
#include <stdlib.h>

struct redis {
	struct redis_pool *pool;
	struct redis_script script;
	struct shm *shm;
};

/* --- away and back --- */

static void say_away(void *self, const char *why)
{
	struct redis *redis = self;
	int64_t up = 0;

	atomic_store(&redis->shm->redis_state, SHM_REDIS_AWAY);
	if (atomic_compare_exchange_strong(&redis->shm->redis_away_since_ms, &up, clock_mono_ms()))
		log_warn("Redis is away: each machine counts for itself", LOG_T("why", why));
}

static void say_back(void *self)
{
	struct redis *redis = self;
	int64_t since_ms = atomic_exchange(&redis->shm->redis_away_since_ms, 0);

	atomic_store(&redis->shm->redis_state, SHM_REDIS_UP);
	if (since_ms)
		log_notice("Redis is back", LOG_I("away_ms", clock_mono_ms() - since_ms));
}

static bool greet(void *self, redisContext *line, int64_t until_ms, struct error *err)
{
	struct redis *redis = self;

	return redis_script_load(&redis->script, line, until_ms, err);
}

static const struct redis_pool_calls calls = { greet, say_away, say_back };

/* --- life --- */

struct redis *redis_open(const struct redis_url *url, struct shm *shm, struct error *err)
{
	struct redis *redis = calloc(1, sizeof *redis);

	if (!redis)
		error_set(err, ERROR_INTERNAL, "No memory for what speaks to Redis.");
	else if (redis_script_make(limit_script, &redis->script, err) &&
		 (redis->pool = redis_pool_open(url, &calls, redis, err))) {
		redis->shm = shm;
		return redis;
	}
	free(redis);
	return NULL;
}

bool redis_start(struct redis *redis, struct error *err)
{
	return redis_pool_start(redis->pool, err);
}

void redis_stop(struct redis *redis)
{
	if (redis)
		redis_pool_stop(redis->pool);
}

void redis_close(struct redis *redis)
{
	if (!redis)
		return;
	redis_pool_close(redis->pool);
	free(redis);
}

bool redis_try(const struct redis_url *url, struct error *err)
{
	struct redis redis = { 0 };

	return redis_script_make(limit_script, &redis.script, err) &&
	       redis_pool_try(url, &calls, &redis, err);
}

/* --- the script --- */

struct call {
	struct redis_words words; /* some are those that follow */
	char numbers[2 * REDIS_COUNTS_MAX + 2][24];
	int number_count;
};

static void add_number(struct call *call, int64_t number)
{
	char *text = call->numbers[call->number_count++];

	snprintf(text, sizeof call->numbers[0], "%lld", (long long)number);
	call->words.list[call->words.count++] = text;
}

static void make_call(struct call *call, const char *operation, int64_t taken_us,
		      const struct redis_count *counts, size_t count)
{
	call->number_count = 0;
	call->words = (struct redis_words){ .count = 2 };
	add_number(call, (int64_t)count);
	for (size_t i = 0; i < count; i++)
		call->words.list[call->words.count++] = counts[i].name;
	call->words.list[call->words.count++] = operation;
	add_number(call, taken_us);
	for (size_t i = 0; i < count; i++) {
		add_number(call, counts[i].rate.burst);
		add_number(call, counts[i].rate.every_us);
	}
}

/* Numbers, two or more. */
static bool is_good(const redisReply *reply)
{
	bool good = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2;

	for (size_t i = 0; good && i < reply->elements; i++)
		good = reply->element[i]->type == REDIS_REPLY_INTEGER;
	return good;
}

static redisReply *ask(struct redis *redis, struct call *call)
{
	int64_t until_ms = clock_mono_ms() + REDIS_CALL_MS;
	redisContext *line = redis_pool_take(redis->pool, until_ms);
	redisReply *reply =
		line ? redis_script_run(&redis->script, line, &call->words, until_ms) : NULL;
	bool good = is_good(reply);

	if (line)
		redis_pool_give(redis->pool, line,
				good    ? NULL
				: reply ? "Redis refuses the script."
					: "Redis does not answer.");
	metrics_add(M_LIMITS_REDIS,
		    good   ? METRIC_REDIS_ok
		    : line ? METRIC_REDIS_failed
			   : METRIC_REDIS_away,
		    0, 1);
	if (good)
		return reply;
	freeReplyObject(reply);
	return NULL;
}

enum redis_answer redis_take(struct redis *redis, const struct redis_count *counts, size_t count,
			     struct gcra_use *uses, size_t *refused, int64_t *taken_us)
{
	enum redis_answer answer = REDIS_AWAY;
	struct call call;
	redisReply *reply;
	size_t which;

	make_call(&call, "take", 0, counts, count);
	if (!(reply = ask(redis, &call)))
		return REDIS_AWAY;
	which = (size_t)reply->element[0]->integer;
	if (which == 0 && reply->elements == count + 2) {
		for (size_t i = 0; i < count; i++)
			uses[i] = gcra_use_of(counts[i].rate, reply->element[i + 2]->integer);
		answer = REDIS_YES;
	} else if (which >= 1 && which <= count && reply->elements == 3) {
		*refused = which - 1;
		uses[which - 1] = gcra_use_of(counts[which - 1].rate, reply->element[2]->integer);
		answer = REDIS_NO;
	}
	*taken_us = reply->element[1]->integer;
	freeReplyObject(reply);
	return answer;
}

void redis_give_back(struct redis *redis, const struct redis_count *counts, size_t count,
		     int64_t taken_us)
{
	struct call call;

	make_call(&call, "back", taken_us, counts, count);
	freeReplyObject(ask(redis, &call));
}
