/*
 * redis: see redis.h. Idle lines lie on a stack; who finds none there waits for one to come back,
 * or for the keeper to open another.
 */
#include "redis.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/redis_line.h"
#include "redis_script.h"
#include <stdio.h>
#include <stdlib.h>

#define LINES_MAX 8 /* a call takes less than a millisecond as a rule */
#define SHA_SIZE  41

struct redis {
	const struct redis_url *url;
	struct shm *shm;
	pthread_t keeper;
	bool has_keeper;
	pthread_mutex_t lock;  /* of all below */
	pthread_cond_t lines;  /* one is idle, or there will be none */
	pthread_cond_t wanted; /* the keeper has something to do */
	redisContext *idle[LINES_MAX];
	int idle_count, open_count, waiting;
	bool is_away, was_tried, ends;
	int64_t try_ms;     /* monotonic: not before then, while it is away */
	char sha[SHA_SIZE]; /* of the script, as Redis calls it */
};

/* --- away and back, with the lock held --- */

static void say_away(struct redis *redis, const char *why)
{
	int64_t up = 0;

	atomic_store(&redis->shm->redis_state, SHM_REDIS_AWAY);
	if (atomic_compare_exchange_strong(&redis->shm->redis_away_since_ms, &up, clock_mono_ms()))
		log_warn("Redis is away: each machine counts for itself", LOG_T("why", why));
}

static void say_back(struct redis *redis)
{
	int64_t since_ms = atomic_exchange(&redis->shm->redis_away_since_ms, 0);

	atomic_store(&redis->shm->redis_state, SHM_REDIS_UP);
	if (since_ms)
		log_notice("Redis is back", LOG_I("away_ms", clock_mono_ms() - since_ms));
}

/* Lines that are idle are as good as the one that failed. */
static void go_away(struct redis *redis, const char *why)
{
	redis->is_away = true;
	redis->try_ms = clock_mono_ms() + REDIS_RETRY_MS;
	redis->open_count -= redis->idle_count;
	while (redis->idle_count > 0)
		redis_line_close(redis->idle[--redis->idle_count]);
	pthread_cond_broadcast(&redis->lines);
	pthread_cond_signal(&redis->wanted);
	say_away(redis, why);
}

/* --- the keeper --- */

/* With the script known to Redis, under the name that sha becomes. */
static redisContext *open_line(const struct redis_url *url, char sha[SHA_SIZE], struct error *err)
{
	const struct redis_words load = { { "SCRIPT", "LOAD", redis_script }, 3 };
	int64_t until_ms = clock_mono_ms() + REDIS_CONNECT_MS;
	redisContext *line = redis_line_open(url, until_ms, err);
	redisReply *reply = line ? redis_line_ask(line, &load, until_ms) : NULL;
	bool ok = reply && reply->type == REDIS_REPLY_STRING && reply->len == SHA_SIZE - 1;

	if (ok)
		snprintf(sha, SHA_SIZE, "%s", reply->str);
	else if (reply && reply->str)
		error_set(err, ERROR_OVERLOADED, "Redis takes no script: %.*s.",
			  (int)strcspn(reply->str, " "), reply->str);
	else if (line)
		error_set(err, ERROR_OVERLOADED, "Redis does not answer.");
	freeReplyObject(reply);
	if (ok)
		return line;
	redis_line_close(line);
	return NULL;
}

static bool is_wanted(const struct redis *redis)
{
	return redis->is_away ? clock_mono_ms() >= redis->try_ms
			      : redis->waiting > redis->idle_count && redis->open_count < LINES_MAX;
}

static void open_another(struct redis *redis)
{
	struct error err = { 0 };
	char sha[SHA_SIZE] = "";
	redisContext *line;

	pthread_mutex_unlock(&redis->lock);
	line = open_line(redis->url, sha, &err);
	pthread_mutex_lock(&redis->lock);
	redis->was_tried = true;
	if (!line) {
		go_away(redis, err.detail);
		return;
	}
	memcpy(redis->sha, sha, sizeof sha);
	redis->idle[redis->idle_count++] = line;
	redis->open_count++;
	if (redis->is_away)
		say_back(redis);
	redis->is_away = false;
	pthread_cond_broadcast(&redis->lines);
}

static void *keep(void *arg)
{
	struct redis *redis = arg;

	pthread_mutex_lock(&redis->lock);
	while (!redis->ends) {
		if (is_wanted(redis))
			open_another(redis);
		else if (redis->is_away)
			cond_wait_until(&redis->wanted, &redis->lock, redis->try_ms);
		else
			pthread_cond_wait(&redis->wanted, &redis->lock);
	}
	pthread_mutex_unlock(&redis->lock);
	return NULL;
}

/* --- life --- */

struct redis *redis_open(const struct redis_url *url, struct shm *shm, struct error *err)
{
	struct redis *redis = calloc(1, sizeof *redis);

	if (!redis) {
		error_set(err, ERROR_INTERNAL, "No memory for what speaks to Redis.");
		return NULL;
	}
	redis->url = url;
	redis->shm = shm;
	redis->is_away = true;
	pthread_mutex_init(&redis->lock, NULL);
	cond_init(&redis->lines);
	cond_init(&redis->wanted);
	return redis;
}

/* Waits for the first try, so that the first requests are counted together, too. */
bool redis_start(struct redis *redis, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + REDIS_CONNECT_MS + REDIS_CALL_MS;

	if (pthread_create(&redis->keeper, NULL, keep, redis) != 0)
		return error_set(err, ERROR_INTERNAL, "No thread for what speaks to Redis.");
	redis->has_keeper = true;
	pthread_mutex_lock(&redis->lock);
	while (!redis->was_tried && cond_wait_until(&redis->lines, &redis->lock, until_ms))
		;
	pthread_mutex_unlock(&redis->lock);
	return true;
}

void redis_stop(struct redis *redis)
{
	if (!redis || !redis->has_keeper)
		return;
	pthread_mutex_lock(&redis->lock);
	redis->ends = true;
	pthread_cond_signal(&redis->wanted);
	pthread_mutex_unlock(&redis->lock);
	pthread_join(redis->keeper, NULL);
	redis->has_keeper = false;
}

void redis_close(struct redis *redis)
{
	if (!redis)
		return;
	redis_stop(redis);
	while (redis->idle_count > 0)
		redis_line_close(redis->idle[--redis->idle_count]);
	pthread_cond_destroy(&redis->lines);
	pthread_cond_destroy(&redis->wanted);
	pthread_mutex_destroy(&redis->lock);
	free(redis);
}

bool redis_try(const struct redis_url *url, struct error *err)
{
	char sha[SHA_SIZE];
	redisContext *line = open_line(url, sha, err);

	redis_line_close(line);
	return line != NULL;
}

/* --- lines --- */

/* NULL: it is away, or all lines are busy for so long. */
static redisContext *take_line(struct redis *redis, int64_t until_ms, char sha[SHA_SIZE])
{
	redisContext *line = NULL;
	bool waits = true;

	pthread_mutex_lock(&redis->lock);
	redis->waiting++;
	while (!redis->is_away && redis->idle_count == 0 && waits) {
		pthread_cond_signal(&redis->wanted);
		waits = cond_wait_until(&redis->lines, &redis->lock, until_ms);
	}
	redis->waiting--;
	if (!redis->is_away && redis->idle_count > 0)
		line = redis->idle[--redis->idle_count];
	memcpy(sha, redis->sha, SHA_SIZE);
	pthread_mutex_unlock(&redis->lock);
	return line;
}

static void give_line(struct redis *redis, redisContext *line, const char *failure)
{
	pthread_mutex_lock(&redis->lock);
	if (failure || redis->is_away) {
		redis_line_close(line);
		redis->open_count--;
	} else {
		redis->idle[redis->idle_count++] = line;
		pthread_cond_signal(&redis->lines);
	}
	if (failure && !redis->is_away)
		go_away(redis, failure);
	pthread_mutex_unlock(&redis->lock);
}

/* --- the script --- */

struct call {
	struct redis_words words; /* some are the two that follow */
	char sha[SHA_SIZE];
	char numbers[2 * REDIS_COUNTS_MAX + 2][24];
	int number_count;
};

static void add_number(struct call *call, int64_t number)
{
	char *text = call->numbers[call->number_count++];

	snprintf(text, sizeof call->numbers[0], "%lld", (long long)number);
	call->words.list[call->words.count++] = text;
}

/* The second word is the script's name, or the script. */
static void make_call(struct call *call, const char *operation, int64_t taken_us,
		      const struct redis_count *counts, size_t count)
{
	call->number_count = 0;
	call->words = (struct redis_words){ { "EVALSHA", NULL }, 2 };
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

/* Redis forgets scripts when it starts anew, or is told to. */
static redisReply *run(redisContext *line, struct call *call, int64_t until_ms)
{
	redisReply *reply;

	call->words.list[1] = call->sha;
	reply = redis_line_ask(line, &call->words, until_ms);
	if (!reply || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOSCRIPT", 8) != 0)
		return reply;
	freeReplyObject(reply);
	call->words.list[0] = "EVAL";
	call->words.list[1] = redis_script;
	return redis_line_ask(line, &call->words, until_ms);
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
	redisContext *line = take_line(redis, until_ms, call->sha);
	redisReply *reply = line ? run(line, call, until_ms) : NULL;
	bool good = is_good(reply);

	if (line)
		give_line(redis, line,
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
