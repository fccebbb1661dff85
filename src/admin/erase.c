/* erase: see admin/erase.h. */
#include "admin/erase.h"

#include "base/clock.h"

#define PAGE       100
#define ARENA_MAX  ((size_t)16 << 20)
#define SWEEP_STEP 500
#define NEVER_MS   (1000LL * 3600 * 24 * 3650) /* nodes and marks are the service's to sweep */

struct erasing {
	struct place *place;
	struct spool_dir *spools;
	struct erase_receipt *receipt;
	int64_t whole;
};

/* Its owner is asked to stop, and nobody opens it again. */
static void forget_run(struct erasing *e, const char *run_id)
{
	struct spool *spool = spool_open(e->spools, run_id, NULL);

	e->receipt->answers += spool != NULL;
	spool_unref(spool);
	spool_ask_stop(e->spools, run_id, NULL);
	spool_remove(e->spools, run_id);
}

static void forget_runs(void *ctx, const struct thread_deleted *deleted)
{
	struct erasing *e = ctx;

	if (!e->spools)
		return;
	if (deleted->run.id)
		forget_run(e, deleted->run.id);
	for (size_t i = 0; i < deleted->run_count; i++)
		forget_run(e, deleted->run_ids[i]);
}

static void tell(const struct erasing *e)
{
	const struct watch *watch = e->place->watch;
	const struct watch_step step = { .doing = "erasing",
					 .done = e->receipt->threads,
					 .whole = e->whole,
					 .unit = "threads" };

	watch->step(watch->ctx, &step);
}

/* The first page, until it is empty: what was erased is in none. */
static bool erase_page(struct erasing *e, const char *user_id, bool *more, struct error *err)
{
	const struct thread_filter filter = { .user_id = user_id, .archived = -1, .limit = PAGE };
	struct thread_list page = { 0 };
	struct arena arena;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	ok = place_list(e->place, &filter, &arena, &page, err);
	*more = ok && page.count > 0;
	for (size_t i = 0; ok && i < page.count; i++) {
		bool was_there = false;

		ok = watch_goes_on(e->place->watch, err) &&
		     place_delete(e->place, page.items[i].id, &was_there, forget_runs, e, err);
		e->receipt->threads += was_there;
		tell(e);
	}
	arena_done(&arena);
	return ok;
}

/* Messages of threads that somebody marked and did not purge. */
static bool erase_rest(struct erasing *e, struct error *err)
{
	bool more = true;

	while (more)
		if (!watch_goes_on(e->place->watch, err) ||
		    !store_sweep(e->place->store, NEVER_MS, NEVER_MS, SWEEP_STEP, &more, err))
			return false;
	return true;
}

static bool erase_all(struct erasing *e, const char *user_id, struct error *err)
{
	struct store_counts counts;
	bool more = true;

	if (!place_counts(e->place, user_id, &counts, err))
		return false;
	e->whole = counts.threads;
	e->receipt->messages = counts.messages;
	while (more)
		if (!erase_page(e, user_id, &more, err))
			return false;
	return erase_rest(e, err);
}

bool erase_user(struct place *place, struct spool_dir *spools, const char *user_id,
		struct erase_receipt *out, struct error *err)
{
	struct erasing e = { .place = place, .spools = spools, .receipt = out };
	bool ok;

	*out = (struct erase_receipt){ .began_ms = clock_wall_ms() };
	id_uuid7(out->id);
	ok = erase_all(&e, user_id, err);
	out->ended_ms = clock_wall_ms();
	return ok;
}

bool erase_thread(struct place *place, struct spool_dir *spools, const char *id, struct error *err)
{
	struct erase_receipt receipt = { 0 };
	struct erasing e = { .place = place, .spools = spools, .receipt = &receipt };
	bool was_there = false;

	return place_delete(place, id, &was_there, forget_runs, &e, err) &&
	       (was_there || error_set(err, ERROR_NOT_FOUND, "There is no such thread."));
}
