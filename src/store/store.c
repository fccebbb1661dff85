/*
 * store: opens the store that a URI means, and keeps the pool's marks of one that is down or full.
 */
#include "store_cache.h"
#include "store_front.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

#define SAVER_PLACES 3
#define LONG_SHARE   4  /* one of so many of the places of requests is for long calls */
#define ANY_CALLERS  64 /* where nobody says how many request threads there are */
#define LIMIT_MS     4000
#define SAY_MAX      300

/* --- which store --- */

/* Says no, and which there are. */
static const struct store_maker *no_maker(struct error *err, const char *why)
{
	char here[SAY_MAX] = "";
	size_t at = 0;

	for (size_t i = 0; store_makers[i] && at < sizeof here; i++)
		at += (size_t)snprintf(here + at, sizeof here - at, "%s%s",
				       i == 0                ? ""
				       : store_makers[i + 1] ? ", "
							     : " and ",
				       store_makers[i]->address);
	error_set(err, ERROR_CONFIG, "%s Built in are %s.", why, here);
	return NULL;
}

/* Only the scheme is repeated in the error: behind it may stand a password. */
static const struct store_maker *maker_of(const char *uri, struct error *err)
{
	size_t len = uri ? strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789+.-") : 0;
	char why[80];

	if (len == 0 || uri[len] != ':')
		return no_maker(err, "The store's address is not a URI.");
	for (size_t i = 0; store_makers[i]; i++)
		for (const char *const *scheme = store_makers[i]->schemes; *scheme; scheme++)
			if (slice_is((struct slice){ uri, len }, *scheme))
				return store_makers[i];
	snprintf(why, sizeof why, "A store of the kind '%.*s' is not built in.",
		 len < 32 ? (int)len : 32, uri);
	return no_maker(err, why);
}

bool store_check_uri(const char *uri, const struct config *config, struct error *err)
{
	const struct store_maker *maker = maker_of(uri, err);

	return maker && maker->check(uri, config, err);
}

const char *store_name(const char *uri)
{
	const struct store_maker *maker = maker_of(uri, NULL);

	return maker ? maker->name : NULL;
}

bool store_try_write(const char *uri, const struct config *config, const char **how,
		     struct error *err)
{
	const struct store_maker *maker = maker_of(uri, err);

	return maker && maker->check(uri, config, err) && maker->try_write(uri, config, how, err);
}

const char *store_may_lose(const char *uri, const struct config *config)
{
	const struct store_maker *maker = maker_of(uri, NULL);

	return maker && maker->may_lose && maker->check(uri, config, NULL)
		       ? maker->may_lose(uri, config)
		       : NULL;
}

void store_reach(const char *uri, const struct config *config, struct reach *reach)
{
	const struct store_maker *maker = maker_of(uri, NULL);

	if (maker)
		maker->reach(uri, config, reach);
}

void store_wake(const char *uri)
{
	const struct store_maker *maker = maker_of(uri, NULL);

	if (maker)
		maker->wake();
}

bool store_backup(const char *uri, const struct config *config, const char *path,
		  const struct store_watch *watch, struct error *err)
{
	const struct store_maker *maker = maker_of(uri, err);

	if (!maker || !maker->check(uri, config, err))
		return false;
	if (!maker->backup)
		return error_set(
			err, ERROR_CONFIG,
			"%s has its own tools for backups; docs/how-to/backup.md names them.",
			maker->name);
	return maker->backup(uri, path, watch, err);
}

bool store_look(const char *uri, const struct config *config, const char **how, struct error *err)
{
	const struct store_maker *maker = maker_of(uri, err);

	*how = NULL;
	if (!maker || !maker->check(uri, config, err))
		return false;
	return !maker->look || maker->look(uri, how, err);
}

bool store_try_cache(const struct config *config, bool *wanted, struct error *err)
{
	*wanted = cache_is_wanted(config, config->store_uri);
	return !*wanted || cache_try(config, store_name(config->store_uri), config->store_uri, err);
}

/* --- life --- */

/* A quarter of the request threads always stays outside, and savers never wait for requests. What
 * the driver cannot serve at once is never asked of it. What may last (a search where somebody
 * keeps much, a message of megabytes) leaves room for all else, and waits in few threads. */
static void make_doors(struct store_core *core, size_t wanted)
{
	size_t room = core->ops->room(core->self);
	size_t savers = room > 2 * SAVER_PLACES ? SAVER_PLACES : 1;
	size_t requests = wanted < room - savers ? wanted : room - savers;
	size_t long_calls = requests < LONG_SHARE ? 1 : requests / LONG_SHARE;

	gate_init(&core->savers.gate, savers, SIZE_MAX);
	gate_init(&core->requests.gate, requests, SIZE_MAX);
	gate_init(&core->long_calls, long_calls, long_calls);
	core->requests.core = core->savers.core = core;
}

/* NULL: no memory; the store is closed. */
static void *put_cache_before(struct store_core *core, const char *uri, const struct config *config,
			      struct shm *shm, struct error *err)
{
	const struct store_ops *behind = core->ops;
	void *cache = cache_open(config, store_name(uri), uri, shm, &core->ops, core->self, err);

	if (!cache)
		behind->free(core->self);
	return cache;
}

static struct store_core *make_core(const char *uri, const struct config *config, struct shm *shm,
				    bool as_found, struct error *err)
{
	const struct store_maker *maker = maker_of(uri, err);
	size_t threads = (size_t)config->threads * 3 / 4;
	size_t wanted = config->threads == 0 ? ANY_CALLERS : threads > 0 ? threads : 1;
	const struct store_options options = { .uri = uri,
					       .config = config,
					       .callers = wanted + SAVER_PLACES,
					       .limit_ms = LIMIT_MS,
					       .as_found = as_found };
	struct store_core *core = maker ? calloc(1, sizeof *core) : NULL;

	if (maker && !core)
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
	if (!core || !(core->self = maker->open(&options, &core->ops, err))) {
		free(core);
		return NULL;
	}
	if (!as_found && cache_is_wanted(config, uri) &&
	    !(core->self = put_cache_before(core, uri, config, shm, err))) {
		free(core);
		return NULL;
	}
	mark_init(&core->mark, core->ops->kind, shm);
	make_doors(core, wanted);
	return core;
}

/* What a ping that began then has said. */
static void set_marks(struct store_core *core, int64_t began_ms, enum error_code code)
{
	if (code == ERROR_NONE || code == ERROR_STORE_FULL)
		mark_up(&core->mark, began_ms);
	else /* whatever it said: a store without a ping is of no use */
		mark_down(&core->mark, began_ms, code);
	mark_full(&core->mark, code == ERROR_STORE_FULL);
	store_count(code);
}

struct store *store_open_as_found(const char *uri, const struct config *config, struct error *err)
{
	struct store_core *core = make_core(uri, config, NULL, true, err);

	return core ? &core->requests : NULL;
}

struct store *store_open_uri(const char *uri, const struct config *config, struct shm *shm,
			     struct error *err)
{
	struct store_core *core = make_core(uri, config, shm, false, err);

	if (!core)
		return NULL;
	/* So that the mark tells the truth before the first request. A store that is another
	 * program's marks nothing: who starts beside us has to find it out, too. */
	if (!store_is_down(&core->requests)) {
		int64_t began_ms = clock_mono_ms();
		struct error mine = { 0 };
		enum error_code code = core->ops->ping(core->self, &mine);

		if (code == ERROR_CONFIG) {
			if (err)
				*err = mine;
			store_count(code);
			store_free(&core->requests);
			return NULL;
		}
		set_marks(core, began_ms, code);
	}
	if (err)
		*err = (struct error){ 0 };
	return &core->requests;
}

struct store *store_open(const struct config *config, struct shm *shm, struct error *err)
{
	return store_open_uri(config->store_uri, config, shm, err);
}

void store_free(struct store *store)
{
	struct store_core *core = store ? store->core : NULL;

	if (!core)
		return;
	core->ops->free(core->self);
	gate_done(&core->long_calls);
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

bool store_searches_text(const struct store *store)
{
	return store->core->ops->searches_text;
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

	set_marks(core, began_ms, code);
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
