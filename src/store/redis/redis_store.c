/*
 * redis_store: Redis as the place where threads and messages are: all of it in memory, and on disk
 * as far as Redis is told to (docs/how-to/store-redis.md). One primary; replicas of it and what
 * moves its address do no harm.
 */
#include "redis_room.h"

#include "../store_fold.h"
#include "base/log.h"

/* --- ping --- */

static enum error_code tell(struct redis_store *store, struct redis_call *call)
{
	char promise[REDIS_PROMISE_SIZE] = "";
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
		code = redis_schema(&call, &mine);
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
	struct store_version version = { .here = REDIS_VERSION };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = redis_schema_read(&call, &version.there);
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
	code = redis_schema(&call, err);
	redis_end(&call);
	return code;
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
	.may_lose = redis_may_lose,
};
