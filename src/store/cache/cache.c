/* cache: life. See ../store_cache.h. */
#include "../store_cache.h"

#include "base/log.h"
#include "cache_room.h"
#include "cache_script.h"
#include <stdlib.h>

bool cache_is_wanted(const struct config *config, const char *uri)
{
	return (config->redis.host || config->redis.path) && config->cache_s > 0 &&
	       strncmp(uri, "redis", 5) != 0;
}

bool cache_try(const struct config *config, const char *kind, const char *uri, struct error *err)
{
	struct cache cache = { 0 };

	cache_set_place(&cache, kind, uri);
	return redis_script_make(cache_script, &cache.script, err) &&
	       redis_pool_try(&config->redis, &cache_read_calls, &cache, err);
}

static size_t room(void *self)
{
	struct cache *cache = self;

	return cache->behind->room(cache->self);
}

static enum error_code ping(void *self, struct error *err)
{
	struct cache *cache = self;

	return cache->behind->ping(cache->self, err);
}

static void close_cache(struct cache *cache)
{
	redis_pool_close(cache->reads.pool);
	redis_pool_close(cache->changes.pool);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static void free_cache(void *self)
{
	struct cache *cache = self;

	cache_leave(cache);
	if (!cache->shm && cache_debt_count(&cache->debt) > 0)
		log_warn("Redis could not be told of all changes: who asks a running c1d may see "
			 "what was before",
			 LOG_I("for_seconds", cache->keep_ms / 1000));
	cache->behind->free(cache->self);
	close_cache(cache);
}

static bool open_door(struct cache *cache, struct cache_door *door,
		      const struct redis_pool_calls *calls, int64_t patience_ms, struct error *err)
{
	door->patience_ms = patience_ms;
	door->pool = redis_pool_open(&cache->url, calls, cache, err);
	return door->pool && redis_pool_start(door->pool, err);
}

void *cache_open(const struct config *config, const char *kind, const char *uri, struct shm *shm,
		 const struct store_ops **ops, void *self, struct error *err)
{
	struct cache *cache = calloc(1, sizeof *cache);

	if (!cache) {
		error_set(err, ERROR_INTERNAL, "No memory for the cache.");
		return NULL;
	}
	cache->ops = (struct store_ops){ .kind = (*ops)->kind,
					 .searches_text = (*ops)->searches_text,
					 .room = room,
					 .ping = ping,
					 .free = free_cache,
#define X(name, ...) .name = cache_##name,
					 STORE_OPS(X)
#undef X
	};
	cache_set_place(cache, kind, uri);
	cache->url = config->redis;
	cache->behind = *ops;
	cache->self = self;
	cache->shm = shm;
	cache->keep_ms = config->cache_s * 1000;
	pthread_mutex_init(&cache->lock, NULL);
	cache_debt_init(&cache->debt, shm);
	if (!redis_script_make(cache_script, &cache->script, err) ||
	    !open_door(cache, &cache->reads, &cache_read_calls, CACHE_READ_MS, err) ||
	    !open_door(cache, &cache->changes, &cache_change_calls, CACHE_CHANGE_MS, err)) {
		close_cache(cache);
		return NULL;
	}
	*ops = &cache->ops;
	return cache;
}
