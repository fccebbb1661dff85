/* cache_ask: questions to Redis, and what is done when it comes and goes. See cache_room.h. */
#include "cache_room.h"

#include "base/clock.h"
#include "base/log.h"
#include "cache_script.h"
#include <stdio.h>

/* --- away and back --- */

static void say_away(void *self, const char *why)
{
	struct cache *cache = self;
	int64_t up = 0;

	if (!cache->shm)
		return;
	atomic_store(&cache->shm->cache_state, SHM_REDIS_AWAY);
	if (atomic_compare_exchange_strong(&cache->shm->cache_away_since_ms, &up, clock_mono_ms()))
		log_warn("Redis is away: all is asked of the store", LOG_T("why", why));
}

static void say_back(void *self)
{
	struct cache *cache = self;
	int64_t since_ms;

	if (!cache->shm)
		return;
	since_ms = atomic_exchange(&cache->shm->cache_away_since_ms, 0);
	atomic_store(&cache->shm->cache_state, SHM_REDIS_UP);
	if (since_ms)
		log_notice("Redis is back: threads are kept there again",
			   LOG_I("away_ms", clock_mono_ms() - since_ms));
}

/* Which Redis is it, and since when? */
static bool find_run(redisContext *line, int64_t until_ms, char run[41])
{
	const struct redis_words words = { .list = { "INFO", "server" }, .count = 2 };
	redisReply *reply = redis_line_ask(line, &words, until_ms);
	const char *at =
		reply && reply->type == REDIS_REPLY_STRING ? strstr(reply->str, "run_id:") : NULL;
	bool ok = at && sscanf(at, "run_id:%40[0-9a-f]", run) == 1;

	freeReplyObject(reply);
	return ok;
}

static bool greet(void *self, redisContext *line, int64_t until_ms, struct error *err)
{
	struct cache *cache = self;
	struct redis_words words = { .list = { NULL, NULL, "2", cache->era, cache->run, "greet" },
				     .count = 8 };
	char run[41], era[ID_UUID_SIZE];
	redisReply *reply;
	bool ok;

	if (!find_run(line, until_ms, run))
		return error_set(err, ERROR_OVERLOADED, "Redis does not say its run_id (INFO).");
	if (!redis_script_load(&cache->script, line, until_ms, err))
		return false;
	id_uuid7(era);
	words.list[6] = run;
	words.list[7] = era;
	reply = redis_script_run(&cache->script, line, &words, until_ms);
	ok = reply && reply->type == REDIS_REPLY_INTEGER;
	if (!ok)
		error_set(err, ERROR_OVERLOADED, "Redis keeps nothing: %.*s.",
			  reply && reply->str ? (int)strcspn(reply->str, " ") : 0,
			  reply && reply->str ? reply->str : "");
	freeReplyObject(reply);
	return ok;
}

/* Only who changes something tells: a line that is too slow to be read from is no news each second.
 */
static void say_nothing(void *self, const char *why)
{
	(void)self;
	(void)why;
}

static void say_no_more(void *self)
{
	(void)self;
}

const struct redis_pool_calls cache_read_calls = { greet, say_nothing, say_no_more };
const struct redis_pool_calls cache_change_calls = { greet, say_away, say_back };

/* --- a question --- */

void cache_add(struct cache_question *q, const char *word)
{
	q->words.list[q->words.count++] = word;
}

void cache_add_number(struct cache_question *q, int64_t number)
{
	char *text = q->numbers[q->number_count++];

	snprintf(text, sizeof q->numbers[0], "%lld", (long long)number);
	cache_add(q, text);
}

void cache_add_key(const struct cache *cache, struct cache_question *q, const char *kind,
		   const char *id)
{
	char *key = q->keys[q->key_count++];

	snprintf(key, CACHE_KEY_SIZE, "%s%s:%s", cache->prefix, kind, id);
	cache_add(q, key);
}

void cache_start(struct cache_question *q, const char *key_count)
{
	q->key_count = q->number_count = 0;
	q->words = (struct redis_words){ .count = 2 };
	cache_add(q, key_count);
}

/* An answer of this type, or NULL. An error is Redis' answer like any other: the line stays. */
redisReply *cache_ask(struct cache *cache, const struct cache_door *door,
		      const struct cache_question *q, int type, bool *was_asked)
{
	int64_t until_ms = clock_mono_ms() + door->patience_ms;
	redisContext *line = redis_pool_take(door->pool, until_ms);
	struct redis_words words;
	redisReply *reply;

	*was_asked = line != NULL;
	if (!line)
		return NULL;
	words = q->words;
	reply = words.list[0] ? redis_line_ask(line, &words, until_ms)
			      : redis_script_run(&cache->script, line, &words, until_ms);
	redis_pool_give(door->pool, line, reply ? NULL : "Redis does not answer.");
	if (reply && reply->type != type) {
		freeReplyObject(reply);
		return NULL;
	}
	return reply;
}

bool cache_tell(struct cache *cache, const struct cache_door *door, const struct cache_question *q,
		int type)
{
	bool was_asked;
	redisReply *reply = cache_ask(cache, door, q, type, &was_asked);

	freeReplyObject(reply);
	return reply != NULL;
}
