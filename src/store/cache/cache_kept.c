/* cache_kept: what is read from Redis, and kept there. See cache_room.h. */
#include "cache_room.h"

#include "cache_script.h"

#define FIELDS_MAX "8" /* era, stamp, owner, the thread, pages of other lengths */

static void start_of_thread(const struct cache *cache, struct cache_question *q,
			    const char *thread_id)
{
	cache_start(q, "4");
	cache_add(q, cache->era);
	cache_add(q, cache->nodes);
	cache_add_key(cache, q, "thread", thread_id);
	cache_add_key(cache, q, "hold", thread_id);
}

static bool take_stamp(const redisReply *reply, size_t at, char stamp[ID_UUID_SIZE])
{
	const redisReply *word = at < reply->elements ? reply->element[at] : NULL;

	if (!word || word->type != REDIS_REPLY_STRING || word->len != ID_UUID_SIZE - 1)
		return false;
	memcpy(stamp, word->str, ID_UUID_SIZE);
	return true;
}

static enum metric_cache_kind take_found(const redisReply *reply, struct arena *arena,
					 struct cache_found *out)
{
	const redisReply *value = reply->elements == 3 ? reply->element[2] : NULL;
	long long what = reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_INTEGER
				 ? reply->element[0]->integer
				 : -1;

	switch (what) {
	case CACHE_SAYS_OFF: return METRIC_CACHE_off;
	case CACHE_SAYS_HELD: return METRIC_CACHE_held;
	case CACHE_SAYS_NONE:
		return take_stamp(reply, 1, out->stamp) ? METRIC_CACHE_none : METRIC_CACHE_failed;
	case CACHE_SAYS_FOUND:
		if (!take_stamp(reply, 1, out->stamp) || !value ||
		    value->type != REDIS_REPLY_STRING || (size_t)value->len > CACHE_VALUE_MAX)
			return METRIC_CACHE_bad;
		out->value.len = (size_t)value->len;
		out->value.ptr = arena_copy(arena, (struct slice){ value->str, out->value.len });
		return METRIC_CACHE_hit;
	default: return METRIC_CACHE_failed;
	}
}

void cache_read(struct cache *cache, const char *thread_id, const char *field, struct arena *arena,
		struct cache_found *out)
{
	enum metric_cache_kind kind = METRIC_CACHE_off;
	char stamp[ID_UUID_SIZE];
	bool was_asked = true;
	struct cache_question q;
	redisReply *reply;

	*out = (struct cache_found){ 0 };
	cache_pay(cache, &cache->reads, 1);
	if (cache_debt_none(&cache->debt)) {
		id_uuid7(stamp);
		start_of_thread(cache, &q, thread_id);
		cache_add(&q, "read");
		cache_add(&q, field);
		cache_add(&q, stamp);
		cache_add_number(&q, CACHE_STAMP_MS);
		cache_add_number(&q, atomic_load(cache->debt.lease_era));
		reply = cache_ask(cache, &cache->reads, &q, REDIS_REPLY_ARRAY, &was_asked);
		kind = reply       ? take_found(reply, arena, out)
		       : was_asked ? METRIC_CACHE_failed
				   : METRIC_CACHE_away;
		freeReplyObject(reply);
	}
	if (kind != METRIC_CACHE_hit)
		metrics_add(M_CACHE, (int)kind, 0, 1);
}

void cache_keep(struct cache *cache, const char *thread_id, const char *field, const char *stamp,
		const char *owner, struct slice value)
{
	struct cache_question q;

	start_of_thread(cache, &q, thread_id);
	cache_add(&q, "keep");
	cache_add(&q, field);
	cache_add(&q, stamp);
	cache_add_number(&q, cache->keep_ms);
	cache_add(&q, FIELDS_MAX);
	cache_add(&q, owner ? owner : "");
	q.words.sizes[q.words.count] = value.len;
	cache_add(&q, value.ptr);
	cache_tell(cache, &cache->reads, &q, REDIS_REPLY_INTEGER);
}
