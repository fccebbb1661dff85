/*
 * redis_store: Redis as the place where threads and messages are: all of it in memory, and on disk
 * as far as Redis is told to (docs/stores.md). One primary; replicas of it and what moves its
 * address do no harm.
 */
#include "redis_room.h"

#include "../store_fold.h"
#include "base/digits.h"
#include "base/log.h"
#include <stdlib.h>

#define LINES_MAX 64

#define VERSION 1LL

/* --- the schema --- */

/* *there: 0 when there is none. */
static enum error_code read_version(struct redis_call *call, int64_t *there)
{
	struct redis_command get = redis_of_key(call, "HGET", "meta", "");
	const redisReply *reply = NULL;
	enum error_code code;

	redis_add_text(&get, "version");
	code = redis_ask(&get, &reply);
	*there = 0;
	if (code == ERROR_NONE && reply->type != REDIS_REPLY_NIL &&
	    (!digits_read(redis_slice(reply), DIGITS_MAX, there) || *there == 0))
		code = ERROR_CORRUPT;
	return code;
}

enum error_code redis_schema_put(struct redis_call *call)
{
	struct redis_command put = redis_of_key(call, "HSETNX", "meta", "");
	const redisReply *reply;

	redis_add_text(&put, "version");
	redis_add_number(&put, VERSION);
	return redis_ask(&put, &reply);
}

/* A real write: the mark of a store that is down or full may only go when answers can be saved
 * again, and a replica is of no use. */
static enum error_code bring_up(struct redis_call *call, struct error *err)
{
	int64_t there;
	enum error_code code = redis_schema_put(call);

	if (code == ERROR_NONE)
		code = read_version(call, &there);
	if (code == ERROR_NONE && there > VERSION) {
		error_set(err, ERROR_CONFIG,
			  "What is in Redis there was made by a newer c1d (version %lld, ours is "
			  "%lld).",
			  (long long)there, VERSION);
		return ERROR_CONFIG;
	}
	return code;
}

static enum error_code tell(struct redis_store *store, struct redis_call *call)
{
	char promise[REDIS_PROMISE_SIZE];
	enum error_code code =
		atomic_load(&store->was_told) ? ERROR_NONE : redis_promise(call, promise);

	if (code == ERROR_NONE && !atomic_exchange(&store->was_told, true) && *promise)
		log_warn("Redis may lose what it is told", LOG_T("why", promise));
	return code;
}

static enum error_code ping(void *self, struct error *err)
{
	struct redis_store *store = self;
	struct error mine = { 0 };
	struct redis_call call;
	enum error_code code = redis_begin_told(store, &call, &mine);

	if (code == ERROR_NONE) {
		code = bring_up(&call, &mine);
		atomic_store(&store->has_schema, code == ERROR_NONE);
		if (code == ERROR_NONE) {
			redis_is_back();
			code = tell(store, &call);
		}
		redis_end(&call);
	}
	if (code != ERROR_NONE && err)
		*err = mine;
	return code;
}

enum error_code redis_version(void *self, struct store_version *out)
{
	struct store_version version = { .here = VERSION };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = read_version(&call, &version.there);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = version;
	return code;
}

enum error_code redis_migrate(void *self, struct error *err)
{
	struct redis_call call;
	enum error_code code = redis_begin_told(self, &call, err);

	if (code != ERROR_NONE)
		return code;
	code = bring_up(&call, err);
	redis_end(&call);
	return code;
}

/* --- life --- */

void redis_store_free(struct redis_store *store)
{
	if (!store)
		return;
	redis_lines_free(store->lines);
	arena_done(&store->arena);
	free(store);
}

struct redis_store *redis_store_open(const struct store_options *options, struct error *err)
{
	struct redis_store *store = calloc(1, sizeof *store);

	if (!store) {
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
		return NULL;
	}
	arena_init(&store->arena, 1u << 16);
	store->limit_ms = options->limit_ms;
	store->size = options->callers < LINES_MAX ? options->callers + 1 : LINES_MAX;
	if (!redis_place_parse(options->uri, &store->arena, &store->place, err)) {
		redis_store_free(store);
		return NULL;
	}
	log_redact(store->place.url.password);
	store->lines = redis_lines_open(&store->place.url, store->size);
	if (store->lines)
		return store;
	redis_store_free(store);
	error_set(err, ERROR_INTERNAL, "No thread for what speaks to Redis.");
	return NULL;
}

/* --- the table --- */

static size_t room(void *self)
{
	const struct redis_store *store = self;

	return store->size - 1; /* one is for the ping */
}

static void free_store(void *self)
{
	redis_store_free(self);
}

static const struct store_ops redis_ops = { .kind = "redis",
					    .room = room,
					    .ping = ping,
					    .free = free_store,
#define X(name, ...) .name = redis_##name,
					    STORE_OPS(X)
#undef X
};

static void *open_store(const struct store_options *options, const struct store_ops **ops,
			struct error *err)
{
	struct redis_store *store = redis_store_open(options, err);

	if (store)
		*ops = &redis_ops;
	return store;
}

static bool check(const char *uri, const struct config *config, struct error *err)
{
	struct redis_place place;
	struct arena arena;
	bool ok;

	(void)config;
	arena_init(&arena, 1u << 16);
	ok = redis_place_parse(uri, &arena, &place, err);
	arena_done(&arena);
	return ok;
}

static void wake(void)
{
	store_fold_wake();
}

/* rediss: is not spoken; it is told so. */
static const char *const schemes[] = { "redis", "redis+unix", "rediss", NULL };

const struct store_maker store_redis = {
	.name = "Redis",
	.address = "redis://HOST/DATABASE",
	.schemes = schemes,
	.open = open_store,
	.check = check,
	.try_write = redis_try_write,
	.reach = redis_place_reach,
	.wake = wake,
};
