/*
 * copy: first all of it, in pages that the lanes share; then the rounds of copy_round.c.
 */
#include "admin/copy.h"

#include "base/crashpoint.h"
#include "copy_room.h"
#include "lanes.h"

#define PAGE       400 /* threads: two writes of the journal each */
#define ARENA_MAX  ((size_t)256 << 20)
#define ROUNDS_MAX 8 /* of a source that does not come to rest: the last round is made anyway */

/* --- the first time --- */

struct page {
	struct copy *copy;
	const struct thread *threads;
};

static bool copy_lane(void *ctx, struct lanes *lanes, struct error *err)
{
	struct page *page = ctx;
	struct copy *copy = page->copy;
	struct batch *batch = batch_open(&copy->pair, err);
	bool ok = batch != NULL;
	size_t at;

	while (ok && lanes_next(lanes, &at)) {
		int64_t messages = 0;

		ok = watch_goes_on(copy->pair.from->watch, err) &&
		     batch_add(batch, &page->threads[at], &messages, err);
		atomic_fetch_add(&copy->done, 1);
		atomic_fetch_add(&copy->messages, messages);
		copy_tell(copy);
	}
	ok = ok && batch_put(batch, err);
	batch_free(batch);
	return ok;
}

/* These threads of the source, put into the target. */
static bool put_threads(struct copy *copy, const struct thread *threads, size_t count,
			struct error *err)
{
	struct page page = { .copy = copy, .threads = threads };

	if (!journal_putting(&copy->journal, threads, count, err))
		return false;
	CRASHPOINT("copy_announced");
	return lanes_run(count, copy_lane, &page, err);
}

static bool copy_page(struct copy *copy, bool *more, struct error *err)
{
	const char *after = copy->journal.through;
	struct thread_list page = { 0 };
	struct arena arena;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	ok = place_scan(copy->pair.from, *after ? after : NULL, PAGE, &arena, &page, err);
	*more = ok && page.next && page.count > 0;
	if (ok && page.count > 0) {
		ok = put_threads(copy, page.items, page.count, err);
		CRASHPOINT("copy_put");
		ok = ok && journal_through(&copy->journal, page.items[page.count - 1].id, err);
		copy->report->copied += (int64_t)page.count;
	}
	arena_done(&arena);
	return ok && watch_goes_on(copy->pair.from->watch, err);
}

/* On the way back nobody is asked what was there: the figures of a run that goes on begin where it
 * does. */
static bool copy_first(struct copy *copy, struct error *err)
{
	struct store_counts counts;
	bool more = true;

	if (!place_counts(copy->pair.from, NULL, &counts, err))
		return false;
	if (counts.threads == 0 && copy->journal.count > 0)
		return error_set(err, ERROR_PRECONDITION,
				 "%.80s has no threads now, and this copy has put some into %.80s: "
				 "is it the right one? Without its journal the copy begins anew.",
				 copy->pair.from->name, copy->pair.to->name);
	copy_begin(copy, "copying", counts.threads);
	atomic_store(&copy->done, (int64_t)copy->journal.count);
	while (more)
		if (!copy_page(copy, &more, err))
			return false;
	return true;
}

/* --- all of it --- */

static bool copy_all(struct copy *copy, struct error *err)
{
	struct copy_report *report = copy->report;
	int64_t changed = 1;

	if (!copy_first(copy, err))
		return false;
	for (int i = 0; i < ROUNDS_MAX && changed > 0; i++)
		if (!copy_round(copy, ROUND_OF_THREADS, &changed, err))
			return false;
	if (!copy_round(copy, ROUND_OF_MESSAGES, &changed, err) ||
	    !copy_round(copy, ROUND_OF_THREADS, &changed, err))
		return false;
	report->settled = changed == 0;
	return true;
}

bool copy_run(struct place *from, struct place *to, const char *journal_path, const char *id,
	      struct copy_report *out, struct error *err)
{
	struct copy copy = { .pair = { from, to }, .report = out };
	bool ok;

	*out = (struct copy_report){ 0 };
	if (!journal_open(&copy.journal, journal_path, id, err))
		return false;
	pthread_mutex_init(&copy.lock, NULL);
	ok = copy_all(&copy, err);
	pthread_mutex_destroy(&copy.lock);
	journal_close(&copy.journal);
	return ok;
}
