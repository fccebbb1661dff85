/*
 * copy_round: both stores are read in the order of ids, side by side. Threads lie in the pages that
 * were read last; what is to be done about them is done before the next page is read.
 */
#include "copy_room.h"

#include "base/crashpoint.h"
#include "lanes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE      400
#define ARENA_MAX ((size_t)256 << 20)
#define TRIES     3 /* of a thread that changes while it is compared */

struct side {
	struct place *place;
	struct arena arena;
	struct thread_list page;
	size_t at;
	char last[ID_MAX + 1];
	bool ended;
};

/* A thread of both sides, or of one. */
struct task {
	const struct thread *from, *to;
};

struct round {
	struct copy *copy;
	enum round_kind kind;
	struct side from, to;
	struct task tasks[2 * PAGE];
	size_t task_count;
	struct thread fresh[2 * PAGE];
	_Atomic int64_t changed;
};

/* --- sides --- */

static void side_open(struct side *side, struct place *place)
{
	*side = (struct side){ .place = place };
	arena_init(&side->arena, ARENA_MAX);
}

static bool side_read(struct side *side, struct error *err)
{
	bool is_first = side->last[0] == '\0';

	arena_done(&side->arena);
	arena_init(&side->arena, ARENA_MAX);
	side->at = 0;
	side->page = (struct thread_list){ 0 };
	if (!place_scan(side->place, is_first ? NULL : side->last, PAGE, &side->arena, &side->page,
			err))
		return false;
	side->ended = !side->page.next || side->page.count == 0;
	if (side->page.count > 0)
		snprintf(side->last, sizeof side->last, "%s",
			 side->page.items[side->page.count - 1].id);
	return true;
}

static const struct thread *side_peek(const struct side *side)
{
	return side->at < side->page.count ? &side->page.items[side->at] : NULL;
}

/* Its next thread is known, or that there is none. */
static bool side_is_known(const struct side *side)
{
	return side->at < side->page.count || side->ended;
}

/* --- what is to be done --- */

static bool looks_the_same(const struct thread *a, const struct thread *b)
{
	struct record_sum x = { 0 }, y = { 0 };

	return record_sum_thread(&x, a) && record_sum_thread(&y, b) && record_sum_equal(&x, &y);
}

/* The next of both, in order; a thread that needs nothing makes no task. */
static void pair_up(struct round *round)
{
	const struct thread *from = side_peek(&round->from), *to = side_peek(&round->to);
	int order = !from ? 1 : !to ? -1 : strcmp(from->id, to->id);
	struct task task = { .from = order <= 0 ? from : NULL, .to = order >= 0 ? to : NULL };

	round->from.at += task.from != NULL;
	round->to.at += task.to != NULL;
	if (!task.from && !journal_has(&round->copy->journal, task.to->id)) {
		if (round->kind == ROUND_OF_MESSAGES)
			round->copy->report->others++;
		return;
	}
	if (round->kind == ROUND_OF_THREADS && task.from && task.to &&
	    looks_the_same(task.from, task.to)) {
		atomic_fetch_add(&round->copy->done, 1);
		return;
	}
	round->tasks[round->task_count++] = task;
}

/* --- and is done --- */

static bool remove_one(struct round *round, const struct thread *thread, struct error *err)
{
	struct copy *copy = round->copy;
	bool was_there = false;

	if (!place_delete(copy->pair.to, thread->id, &was_there, NULL, NULL, err))
		return false;
	atomic_fetch_add(&round->changed, was_there);
	pthread_mutex_lock(&copy->lock);
	copy->report->removed += was_there;
	pthread_mutex_unlock(&copy->lock);
	return true;
}

static bool mend_one(struct round *round, const char *id, struct error *err)
{
	struct copy *copy = round->copy;

	if (!pair_mend(&copy->pair, id, err))
		return false;
	atomic_fetch_add(&round->changed, 1);
	pthread_mutex_lock(&copy->lock);
	copy->report->again++;
	pthread_mutex_unlock(&copy->lock);
	return true;
}

/* The thread as a side has it now; none: NULL. */
static bool read_now(struct place *place, const char *id, struct arena *arena, struct thread *room,
		     const struct thread **out, struct error *err)
{
	struct error mine = { 0 };
	bool ok = place_thread(place, id, arena, room, &mine);

	*out = ok ? room : NULL;
	if (!ok && mine.code != ERROR_NOT_FOUND && err)
		*err = mine;
	return ok || mine.code == ERROR_NOT_FOUND;
}

static void report_pair(struct copy *copy, const char *id, const struct record_sum *source,
			const struct record_sum *target)
{
	struct copy_report *report = copy->report;

	pthread_mutex_lock(&copy->lock);
	record_sum_add(&report->from, source);
	record_sum_add(&report->to, target);
	if (!record_sum_equal(source, target) && report->differing++ == 0)
		snprintf(report->first_differing, sizeof report->first_differing, "%s", id);
	pthread_mutex_unlock(&copy->lock);
}

/* Everything of it, on both sides; what differs is copied and looked at again. */
static bool compare_one(struct round *round, const struct task *task, struct error *err)
{
	const struct pair *pair = &round->copy->pair;
	const char *id = task->from->id;
	struct record_sum source = { 0 }, target = { 0 };
	bool ok = pair_sums(pair, task->from, task->to, &source, &target, err);

	for (int i = 0; ok && i < TRIES && !record_sum_equal(&source, &target); i++) {
		const struct thread *from, *to;
		struct thread rooms[2];
		struct arena arenas[2];

		arena_init(&arenas[0], ARENA_MAX);
		arena_init(&arenas[1], ARENA_MAX);
		source = target = (struct record_sum){ 0 };
		ok = mend_one(round, id, err) &&
		     read_now(pair->from, id, &arenas[0], &rooms[0], &from, err) &&
		     read_now(pair->to, id, &arenas[1], &rooms[1], &to, err) &&
		     pair_sums(pair, from, from ? to : NULL, &source, &target, err);
		arena_done(&arenas[0]);
		arena_done(&arenas[1]);
	}
	if (ok)
		report_pair(round->copy, id, &source, &target);
	atomic_fetch_add(&round->copy->messages, source.messages);
	return ok;
}

/* Who moved his service to the target and copies once more would lose what it wrote there. A thread
 * that was made anew at the source is another one. */
static bool is_newer_at_target(struct round *round, const struct task *task, struct error *err)
{
	const struct thread *now = NULL;
	struct thread room;
	struct arena arena;
	bool newer = false;

	if (!task->from || !task->to || task->to->rev <= task->from->rev)
		return false;
	arena_init(&arena, ARENA_MAX);
	if (!read_now(round->copy->pair.from, task->from->id, &arena, &room, &now, err))
		newer = true; /* err tells why it ends */
	else if (now && now->created_ms == task->to->created_ms && task->to->rev > now->rev)
		newer = !error_set(err, ERROR_PRECONDITION,
				   "The thread %s of %.80s was changed there since it was copied: "
				   "is it in service already? Nothing newer is written over: copy "
				   "into an empty store, or delete the thread there.",
				   now->id, round->copy->pair.to->name);
	arena_done(&arena);
	return newer;
}

static bool round_lane(void *ctx, struct lanes *lanes, struct error *err)
{
	struct round *round = ctx;
	struct copy *copy = round->copy;
	bool ok = true;
	size_t at;

	while (ok && lanes_next(lanes, &at)) {
		const struct task *task = &round->tasks[at];

		ok = watch_goes_on(copy->pair.from->watch, err) &&
		     !is_newer_at_target(round, task, err) &&
		     (!task->from                       ? remove_one(round, task->to, err)
		      : round->kind == ROUND_OF_THREADS ? mend_one(round, task->from->id, err)
							: compare_one(round, task, err));
		atomic_fetch_add(&copy->done, task->from != NULL);
		copy_tell(copy);
	}
	return ok;
}

/* Threads that the target does not have yet are in the journal before they are put. */
static bool announce(struct round *round, struct error *err)
{
	struct journal *journal = &round->copy->journal;
	size_t count = 0;

	for (size_t i = 0; i < round->task_count; i++) {
		const struct task *task = &round->tasks[i];

		if (task->from && !task->to && !journal_has(journal, task->from->id))
			round->fresh[count++] = *task->from;
	}
	return count == 0 || journal_putting(journal, round->fresh, count, err);
}

static bool do_tasks(struct round *round, struct error *err)
{
	bool ok = announce(round, err) &&
		  (round->task_count == 0 || lanes_run(round->task_count, round_lane, round, err));

	CRASHPOINT("copy_round");
	copy_tell(round->copy);
	round->task_count = 0;
	return ok;
}

static bool go_round(struct round *round, struct error *err)
{
	const struct watch *watch = round->copy->pair.from->watch;

	while (watch_goes_on(watch, err)) {
		while (side_is_known(&round->from) && side_is_known(&round->to) &&
		       (side_peek(&round->from) || side_peek(&round->to)))
			pair_up(round);
		if (!do_tasks(round, err))
			return false;
		if (side_is_known(&round->from) && side_is_known(&round->to))
			return true;
		if (!side_is_known(&round->from) && !side_read(&round->from, err))
			return false;
		if (!side_is_known(&round->to) && !side_read(&round->to, err))
			return false;
	}
	return false;
}

bool copy_round(struct copy *copy, enum round_kind kind, int64_t *changed, struct error *err)
{
	struct round *round = calloc(1, sizeof *round);
	bool ok;

	if (!round)
		return error_set(err, ERROR_OVERLOADED, "No memory for a round.");
	round->copy = copy;
	round->kind = kind;
	side_open(&round->from, copy->pair.from);
	side_open(&round->to, copy->pair.to);
	copy_begin(copy, kind == ROUND_OF_MESSAGES ? "verifying" : "comparing", copy->whole);
	ok = go_round(round, err);
	*changed = atomic_load(&round->changed);
	arena_done(&round->from.arena);
	arena_done(&round->to.arena);
	free(round);
	return ok;
}
