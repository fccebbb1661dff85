/*
 * store: opens the store that a URI means, and keeps the pool's marks of one that is down or full.
 */
#include "store_front.h"

#include "base/clock.h"
#include <stdlib.h>

#define SAVER_PLACES 3
#define ANY_CALLERS  64 /* where nobody says how many request threads there are */
#define LIMIT_MS     4000
#define STORES_HERE  "Built in are mongodb://..., mongodb+srv://... and sqlite:PATH."

static const struct scheme {
	const char *name;
	void *(*open)(const struct store_options *options, const struct store_ops **ops,
		      struct error *err);
	bool (*check)(const char *uri, struct error *err);
	bool (*try_write)(const char *uri, const char **how, struct error *err);
	void (*reach)(const char *uri, struct reach *reach);
	void (*wake)(void);
} schemes[] = {
	{ "mongodb", store_mongo_open, store_mongo_check, store_mongo_try_write, store_mongo_reach,
	  store_mongo_wake },
	{ "mongodb+srv", store_mongo_open, store_mongo_check, store_mongo_try_write,
	  store_mongo_reach, store_mongo_wake },
	{ "sqlite", store_sqlite_open, store_sqlite_check, store_sqlite_try_write,
	  store_sqlite_reach, store_sqlite_wake },
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

void store_reach(const char *uri, struct reach *reach)
{
	const struct scheme *scheme = scheme_of(uri, NULL);

	if (scheme)
		scheme->reach(uri, reach);
}

void store_wake(const char *uri)
{
	const struct scheme *scheme = scheme_of(uri, NULL);

	if (scheme)
		scheme->wake();
}

/* --- life --- */

/* A quarter of the request threads always stays outside, and savers never wait for requests. What
 * the driver cannot serve at once is never asked of it. */
static void make_doors(struct store_core *core, size_t wanted)
{
	size_t room = core->ops->room(core->self);
	size_t savers = room > 2 * SAVER_PLACES ? SAVER_PLACES : 1;

	gate_init(&core->savers.gate, savers);
	gate_init(&core->requests.gate, wanted < room - savers ? wanted : room - savers);
	core->requests.core = core->savers.core = core;
}

struct store *store_open(const struct config *config, struct shm *shm, struct error *err)
{
	const struct scheme *scheme = scheme_of(config->store_uri, err);
	size_t threads = (size_t)config->threads * 3 / 4;
	size_t wanted = config->threads == 0 ? ANY_CALLERS : threads > 0 ? threads : 1;
	const struct store_options options = { .uri = config->store_uri,
					       .callers = wanted + SAVER_PLACES,
					       .limit_ms = LIMIT_MS };
	struct store_core *core = scheme ? calloc(1, sizeof *core) : NULL;

	if (scheme && !core)
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
	if (!core || !(core->self = scheme->open(&options, &core->ops, err))) {
		free(core);
		return NULL;
	}
	mark_init(&core->mark, core->ops->kind, shm);
	make_doors(core, wanted);
	/* So that the mark tells the truth before the first request. */
	if (!store_is_down(&core->requests) && !store_ping(&core->requests, err) && err &&
	    err->code == ERROR_CONFIG) {
		store_free(&core->requests);
		return NULL;
	}
	if (err)
		*err = (struct error){ 0 };
	return &core->requests;
}

void store_free(struct store *store)
{
	struct store_core *core = store ? store->core : NULL;

	if (!core)
		return;
	core->ops->free(core->self);
	gate_done(&core->requests.gate);
	gate_done(&core->savers.gate);
	free(core);
}

struct store *store_for_savers(struct store *store)
{
	return &store->core->savers;
}

const char *store_kind(const struct store *store)
{
	return store->core->ops->kind;
}

/* --- the marks --- */

bool store_is_down(const struct store *store)
{
	return mark_is_down(&store->core->mark);
}

bool store_is_full(const struct store *store)
{
	return mark_is_full(&store->core->mark);
}

/* Takes no place: it has to be answered when all are taken. */
bool store_ping(struct store *store, struct error *err)
{
	struct store_core *core = store->core;
	int64_t began_ms = clock_mono_ms();
	struct error mine = { 0 };
	enum error_code code = core->ops->ping(core->self, &mine);

	if (code == ERROR_NONE || code == ERROR_STORE_FULL)
		mark_up(&core->mark, began_ms);
	else /* whatever it said: a store without a ping is of no use */
		mark_down(&core->mark, began_ms, code);
	mark_full(&core->mark, code == ERROR_STORE_FULL);
	store_count(code);
	if (code == ERROR_CONFIG && err)
		*err = mine;
	else if (code != ERROR_NONE)
		store_say(err, code, THREAD);
	return code == ERROR_NONE;
}

bool store_probe(struct store *store)
{
	if (!store_is_down(store) && !store_is_full(store))
		return true;
	if (mark_may_probe(&store->core->mark))
		store_ping(store, NULL);
	return !store_is_down(store);
}
