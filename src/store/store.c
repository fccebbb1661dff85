/*
 * store: the front of every store. It chooses one by the URI's scheme, keeps the pool's mark of a
 * store that cannot be reached, and counts and logs failures; the stores themselves only answer
 * calls (store_ops.h).
 */
#include "store_ops.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include <stdlib.h>

#define PROBE_EVERY_MS 500
#define STORES_HERE    "Built in are mongodb://..., mongodb+srv://... and sqlite:PATH."

struct store {
	const struct store_ops *ops;
	void *self;                                /* the ops' */
	_Atomic int64_t *down_since_ms, *probe_ms; /* the pool's in shm, or the two below */
	_Atomic int64_t own_down_since_ms, own_probe_ms;
};

static const struct scheme {
	const char *name;
	void *(*open)(const char *uri, const struct store_ops **ops, struct error *err);
	bool (*check)(const char *uri, struct error *err);
	bool (*try_write)(const char *uri, const char **how, struct error *err);
} schemes[] = {
	{ "mongodb", store_mongo_open, store_mongo_check, store_mongo_try_write },
	{ "mongodb+srv", store_mongo_open, store_mongo_check, store_mongo_try_write },
	{ "sqlite", store_sqlite_open, store_sqlite_check, store_sqlite_try_write },
};

/* --- which store --- */

/* Only the scheme is repeated in the error: behind it may stand a password. */
static const struct scheme *scheme_of(const char *uri, struct error *err)
{
	size_t len = uri ? strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789+.-") : 0;

	if (len == 0 || uri[len] != ':') {
		error_set(err, ERROR_CONFIG, "The store's address is not a URI. " STORES_HERE);
		return NULL;
	}
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (slice_is((struct slice){ uri, len }, schemes[i].name))
			return &schemes[i];
	error_set(err, ERROR_CONFIG, "A store of the kind '%.*s' is not built in. " STORES_HERE,
		  len < 32 ? (int)len : 32, uri);
	return NULL;
}

bool store_check_uri(const char *uri, struct error *err)
{
	const struct scheme *scheme = scheme_of(uri, err);

	return scheme && scheme->check(uri, err);
}

bool store_try_write(const char *uri, const char **how, struct error *err)
{
	const struct scheme *scheme = scheme_of(uri, err);

	return scheme && scheme->try_write(uri, how, err);
}

struct store *store_open(const struct config *config, struct shm *shm, struct error *err)
{
	const struct scheme *scheme = scheme_of(config->store_uri, err);
	struct store *store;

	if (!scheme)
		return NULL;
	store = calloc(1, sizeof *store);
	if (!store) {
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
		return NULL;
	}
	store->down_since_ms = shm ? &shm->store_down_since_ms : &store->own_down_since_ms;
	store->probe_ms = shm ? &shm->store_probe_ms : &store->own_probe_ms;
	store->self = scheme->open(config->store_uri, &store->ops, err);
	if (!store->self) {
		store_free(store);
		return NULL;
	}
	if (!store_is_down(store))
		store_ping(store,
			   NULL); /* so that the mark tells the truth before the first request */
	return store;
}

void store_free(struct store *store)
{
	if (store && store->self)
		store->ops->free(store->self);
	free(store);
}

const char *store_kind(const struct store *store)
{
	return store->ops->kind;
}

/* --- the mark --- */

bool store_is_down(const struct store *store)
{
	return atomic_load(store->down_since_ms) != 0;
}

/* Whoever of the pool changes the mark says so; the others keep silent. */
static void mark_down(struct store *store, const struct error *why)
{
	int64_t up = 0;

	if (atomic_compare_exchange_strong(store->down_since_ms, &up, clock_mono_ms()))
		log_error("store down", LOG_T("store", store->ops->kind),
			  LOG_T("reason", error_word(why->code)));
}

static void mark_up(struct store *store)
{
	int64_t since_ms = atomic_exchange(store->down_since_ms, 0);

	if (since_ms != 0)
		log_notice("store is back", LOG_T("store", store->ops->kind),
			   LOG_I("down_ms", clock_mono_ms() - since_ms));
}

static void count_error(enum error_code code)
{
	if (code == ERROR_STORE_DOWN)
		metrics_add(M_STORE_ERRORS, METRIC_STORE_down, 0, 1);
	else if (code == ERROR_STORE_TIMEOUT)
		metrics_add(M_STORE_ERRORS, METRIC_STORE_timeout, 0, 1);
	else if (code == ERROR_STORE || code == ERROR_CORRUPT)
		metrics_add(M_STORE_ERRORS, METRIC_STORE_failed, 0, 1);
}

static bool guard(const struct store *store, struct error *err)
{
	if (!store_is_down(store))
		return true;
	error_set(err, ERROR_STORE_DOWN, "The store is unavailable; try again in a moment.");
	if (err)
		err->retry_after_s = 1;
	return false;
}

static bool after(struct store *store, bool ok, struct error *mine, struct error *err)
{
	if (ok)
		return true;
	count_error(mine->code);
	if (mine->code == ERROR_STORE_DOWN) {
		mark_down(store, mine);
		mine->retry_after_s = 1;
	}
	if (err)
		*err = *mine;
	return false;
}

bool store_ping(struct store *store, struct error *err)
{
	struct error mine = { 0 };

	if (store->ops->ping(store->self, &mine)) {
		mark_up(store);
		return true;
	}
	mark_down(store, &mine); /* whatever it said: a store without a ping is of no use */
	return after(store, false, &mine, err);
}

bool store_probe(struct store *store)
{
	int64_t now_ms = clock_mono_ms();
	int64_t last_ms = atomic_load(store->probe_ms);

	if (!store_is_down(store))
		return true;
	if (now_ms - last_ms < PROBE_EVERY_MS ||
	    !atomic_compare_exchange_strong(store->probe_ms, &last_ms, now_ms))
		return false;
	return store_ping(store, NULL);
}

/* --- calls: refused at once while it is down, else asked and looked at --- */

#define CALL(op, ...)                                                                              \
	struct error mine = { 0 };                                                                 \
	return guard(store, err) &&                                                                \
	       after(store, store->ops->op(store->self, __VA_ARGS__, &mine), &mine, err)

bool store_thread_insert(struct store *store, const struct thread *thread, struct error *err)
{
	CALL(thread_insert, thread);
}

bool store_thread_get(struct store *store, const char *id, struct arena *arena, struct thread *out,
		      struct error *err)
{
	CALL(thread_get, id, arena, out);
}

bool store_thread_list(struct store *store, const struct thread_filter *filter, struct arena *arena,
		       struct thread_list *out, struct error *err)
{
	CALL(thread_list, filter, arena, out);
}

bool store_thread_update(struct store *store, const char *id, const struct thread_patch *patch,
			 struct arena *arena, struct thread *out, struct error *err)
{
	CALL(thread_update, id, patch, arena, out);
}

bool store_thread_delete(struct store *store, const char *id, int64_t now_ms, struct error *err)
{
	CALL(thread_delete, id, now_ms);
}

bool store_claim(struct store *store, const struct claim *claim, struct arena *arena,
		 struct claim_result *out, struct error *err)
{
	CALL(claim, claim, arena, out);
}

bool store_claim_release(struct store *store, const char *thread_id, const char *run_id,
			 struct error *err)
{
	CALL(claim_release, thread_id, run_id);
}

bool store_next_seq(struct store *store, const char *thread_id, int64_t now_ms, int64_t *out,
		    struct error *err)
{
	CALL(next_seq, thread_id, now_ms, out);
}

bool store_message_insert(struct store *store, const struct message *messages, size_t count,
			  struct error *err)
{
	CALL(message_insert, messages, count);
}

bool store_message_get(struct store *store, const char *thread_id, const char *id,
		       struct arena *arena, struct message *out, struct error *err)
{
	CALL(message_get, thread_id, id, arena, out);
}

bool store_message_by_run(struct store *store, const char *run_id, struct arena *arena,
			  struct message *out, struct error *err)
{
	CALL(message_by_run, run_id, arena, out);
}

bool store_message_by_key(struct store *store, const char *thread_id, const char *key,
			  struct arena *arena, struct message *out, struct error *err)
{
	CALL(message_by_key, thread_id, key, arena, out);
}

bool store_message_list(struct store *store, const struct message_filter *filter,
			struct arena *arena, struct message_list *out, struct error *err)
{
	CALL(message_list, filter, arena, out);
}

bool store_message_update(struct store *store, const char *thread_id, const char *id,
			  const struct message_patch *patch, struct arena *arena,
			  struct message *out, struct error *err)
{
	CALL(message_update, thread_id, id, patch, arena, out);
}

bool store_finish(struct store *store, const struct finish *finish, bool *applied,
		  struct error *err)
{
	CALL(finish, finish, applied);
}

bool store_node_beat(struct store *store, const char *node, int64_t now_ms, struct error *err)
{
	CALL(node_beat, node, now_ms);
}

bool store_claims_of_dead(struct store *store, int64_t seen_before_ms, size_t limit,
			  struct arena *arena, struct claim_list *out, struct error *err)
{
	CALL(claims_of_dead, seen_before_ms, limit, arena, out);
}

bool store_sweep(struct store *store, int64_t seen_before_ms, int64_t deleted_before_ms,
		 struct error *err)
{
	CALL(sweep, seen_before_ms, deleted_before_ms);
}
