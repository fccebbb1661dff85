/* cache_hold: what Redis is told of changes, and of this node. See cache_room.h. */
#include "cache_room.h"

#include "base/clock.h"
#include "cache_script.h"
#include <stdio.h>

/* --- changes --- */

static void start_of_hold(const struct cache *cache, struct cache_question *q,
			  const char *thread_id, const char *step, const char *token)
{
	cache_start(q, "2");
	cache_add_key(cache, q, "thread", thread_id);
	cache_add_key(cache, q, "hold", thread_id);
	cache_add(q, step);
	cache_add(q, token);
}

static void count_change(struct cache *cache, bool ok, struct cache_hold *hold)
{
	hold->is_debt = !ok;
	if (!ok)
		hold->debt = cache_debt_make(&cache->debt);
	metrics_add(M_CACHE_CHANGES, ok ? METRIC_CACHE_CHANGE_told : METRIC_CACHE_CHANGE_debt, 0,
		    1);
}

void cache_take_hold(struct cache *cache, const char *thread_id, struct cache_hold *out)
{
	struct cache_question q;

	*out = (struct cache_hold){ .since_ms = clock_mono_ms() };
	id_uuid7(out->token);
	start_of_hold(cache, &q, thread_id, "hold", out->token);
	cache_add_number(&q, CACHE_HOLD_MS);
	count_change(cache, cache_tell(cache, &cache->changes, &q, REDIS_REPLY_INTEGER), out);
}

/* Was it made, or will it never be? */
static bool is_settled(enum error_code code)
{
	return code != ERROR_STORE_TIMEOUT && code != ERROR_STORE_DOWN && code != ERROR_STORE;
}

/* Redis takes away what came meanwhile when it does not know the hold any more, so it is as good as
 * a hold that it never took. */
static bool tell_let_go(struct cache *cache, const struct cache_door *door, const char *thread_id,
			const char *token)
{
	struct cache_question q;

	start_of_hold(cache, &q, thread_id, "let_go", token);
	return cache_tell(cache, door, &q, REDIS_REPLY_INTEGER);
}

static void owe(struct cache *cache, const char *thread_id, const char *token, uint64_t debt)
{
	pthread_mutex_lock(&cache->lock);
	if (cache->owed_count < CACHE_OWED_MAX) {
		struct cache_owed *owed = &cache->owed[cache->owed_count++];

		snprintf(owed->thread_id, sizeof owed->thread_id, "%s", thread_id);
		snprintf(owed->token, sizeof owed->token, "%s", token);
		owed->debt = debt;
	}
	pthread_mutex_unlock(&cache->lock);
}

/* By whoever comes first once Redis is back. */
void cache_pay(struct cache *cache, const struct cache_door *door, int most)
{
	struct cache_owed owed;
	bool ok = true;

	while (ok && most-- > 0 && atomic_load(&cache->owed_count) > 0) {
		pthread_mutex_lock(&cache->lock);
		if ((ok = cache->owed_count > 0))
			owed = cache->owed[--cache->owed_count];
		pthread_mutex_unlock(&cache->lock);
		if (!ok)
			return;
		if ((ok = tell_let_go(cache, door, owed.thread_id, owed.token)))
			cache_debt_undo(&cache->debt, owed.debt);
		else
			owe(cache, owed.thread_id, owed.token, owed.debt);
	}
}

void cache_let_go(struct cache *cache, const char *thread_id, const struct cache_hold *hold,
		  enum error_code code)
{
	bool is_old = clock_mono_ms() - hold->since_ms > CACHE_HOLD_MS / 2, ok;

	if (!is_settled(code))
		return;
	ok = tell_let_go(cache, &cache->changes, thread_id, hold->token);
	if (ok && hold->is_debt)
		cache_debt_undo(&cache->debt, hold->debt);
	else if (!ok && hold->is_debt)
		owe(cache, thread_id, hold->token, hold->debt);
	else if (!ok && is_old) /* it may have been let go for us */
		cache_debt_make(&cache->debt);
}

void cache_moved(struct cache *cache, const char *user_id)
{
	char key[CACHE_KEY_SIZE + 4 * ID_MAX];
	struct cache_hold hold; /* nobody lets go of it */
	struct cache_question q = { .words = { .list = { "SET", key, "1", "PX" }, .count = 4 } };

	snprintf(key, sizeof key, "%smoved:%s", cache->prefix, user_id);
	cache_add_number(&q, cache->keep_ms + CACHE_HOLD_MS);
	count_change(cache, cache_tell(cache, &cache->changes, &q, REDIS_REPLY_STATUS), &hold);
}

/* --- the lease --- */

void cache_attend(struct cache *cache, const char *node)
{
	int64_t now_ms = clock_mono_ms();
	struct cache_question q;
	char era[ID_UUID_SIZE];
	bool due, was_asked;
	redisReply *reply;
	uint64_t word;

	cache_pay(cache, &cache->changes, CACHE_OWED_MAX);
	due = cache_debt_due(&cache->debt, &word);
	if (cache_debt_count(&cache->debt) > 0 && !due)
		return;
	id_uuid7(era);
	cache_start(&q, "2");
	cache_add(&q, cache->era);
	cache_add(&q, cache->nodes);
	cache_add(&q, "attend");
	cache_add(&q, node);
	cache_add_number(&q, CACHE_LEASE_MS);
	cache_add_number(&q, CACHE_FORGET_MS);
	cache_add(&q, era);
	cache_add(&q, due ? "1" : "0");
	reply = cache_ask(cache, &cache->changes, &q, REDIS_REPLY_INTEGER, &was_asked);
	if (!reply)
		return;
	atomic_store(cache->debt.lease_era, (int64_t)reply->integer);
	freeReplyObject(reply);
	pthread_mutex_lock(&cache->lock);
	snprintf(cache->node, sizeof cache->node, "%s", node);
	pthread_mutex_unlock(&cache->lock);
	if (due)
		cache_debt_settle(&cache->debt, word);
	atomic_store(cache->debt.lease_ms, now_ms + CACHE_LEASE_MS);
}

/* In good order: without debts. Another worker of this node renews the lease soon. */
void cache_leave(struct cache *cache)
{
	struct cache_question q = { .words = { .list = { "ZREM", cache->nodes, cache->node },
					       .count = 3 } };

	if (*cache->node && cache_debt_count(&cache->debt) == 0)
		cache_tell(cache, &cache->changes, &q, REDIS_REPLY_INTEGER);
}
