/*
 * turn_claim: one answer at a time is written on a thread. The claim is one atomic update of the
 * thread; who does not get it learns why: no such thread, not theirs, a twin of this very turn, or
 * another run holds it.
 */
#include "service_room.h"

#include "base/clock.h"
#include <stdio.h>
#include <time.h>

#define CLAIM_MS 3000 /* for all tries */
#define LOOK_MS  5    /* between two of them */

static bool make_thread(struct turn_work *work, struct error *err)
{
	struct service *service = work->service;
	int64_t now_ms = clock_wall_ms();
	struct thread thread = {
		.id = work->turn.thread_id,
		.user_id = work->caller->user_id,
		.title = service_title(work->arena, work->request->message),
		.created_ms = now_ms,
		.updated_ms = now_ms,
	};
	struct error mine = { 0 };

	if (work->request->thread_id.len > 0 && !service->config->create_threads)
		return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	if (store_thread_insert(service->store, &thread, &mine))
		return true;
	/* A twin of this request may have made it; or it was deleted. */
	if (mine.code == ERROR_CONFLICT)
		return store_thread_get(service->store, NULL, thread.id, work->arena, &thread, err);
	if (err)
		*err = mine;
	return false;
}

static bool refuse_busy(const struct thread *thread, struct error *err)
{
	error_set(err, ERROR_RUN_ACTIVE, "Another answer is being written on this thread.");
	if (err) {
		err->retry_after_s = 1;
		snprintf(err->link, sizeof err->link, "/api/runs/%s/stream", thread->run.id);
	}
	return false;
}

static bool is_twin(const struct turn_work *work, const struct spool_record *record)
{
	return strcmp(record->message_id, work->turn.response_id) == 0 ||
	       (work->key[0] && strcmp(record->key, work->key) == 0);
}

/* Has the twin come so far that its question is stored? Before that it may still fail, and nobody
 * may be told of it. */
static bool is_stored(struct turn_work *work, const struct spool_record *record)
{
	struct message answer;

	return store_message_by_run(work->service->store, NULL, record->run_id, work->arena,
				    &answer, NULL);
}

/* Its worker died and nobody has saved it yet: what there is of it is saved now, and its claim
 * goes. */
static bool end_orphan(struct service *service, const char *run_id, struct error *err)
{
	struct error mine = { 0 };
	struct spool *spool = spool_adopt(service->spools, run_id, clock_wall_ms(), &mine);
	bool ok;

	if (!spool && (mine.code == ERROR_OVERLOADED || mine.code == ERROR_CORRUPT)) {
		*err = mine;
		return false;
	}
	if (spool)
		board_adopt(service->board, run_id, service->slot);
	ok = !spool || savers_save_now(service, spool, err);

	spool_unref(spool);
	return ok;
}

/* The run that holds the claim: a twin, alive, followed, to be superseded? true: try the claim
 * again, unless turn.kind says that this turn has joined it. */
static bool clear_way(struct turn_work *work, const struct thread *thread, struct error *err)
{
	struct service *service = work->service;
	const struct spool_record *record;
	struct error mine = { 0 };
	struct spool *spool;
	bool ok, is_running_twin;

	if (strcmp(thread->run.node, service->node) != 0)
		return refuse_busy(thread, err);
	if (!end_orphan(service, thread->run.id, err))
		return false;
	spool = spool_open(service->spools, thread->run.id, &mine);
	if (!spool && mine.code != ERROR_NOT_FOUND) {
		*err = mine;
		return false;
	}
	/* The file is made before the claim and stays until after it: a claim without one was left
	 * by a crash. */
	if (!spool)
		return store_claim_release(service->store, thread->id, thread->run.id, err);
	record = spool_record(spool);
	is_running_twin = is_twin(work, record) && record->status == STATUS_STREAMING;
	if (is_running_twin && is_stored(work, record))
		return turn_rejoin(work, spool, err);
	if (is_running_twin)
		ok = true; /* soon */
	else if (record->saved)
		ok = store_claim_release(service->store, thread->id, thread->run.id, err);
	else if (record->status == STATUS_STREAMING &&
		 !board_supersede(service->board, record->run_id))
		ok = refuse_busy(thread, err);
	else
		ok = run_stop_and_wait(
			service, spool,
			err); /* nobody reads it: it ends as `stopped`; or it has ended */
	spool_unref(spool);
	return ok;
}

/* Not won: what stands in the way, and can it be cleared? */
static bool next_try(struct turn_work *work, const struct claim_result *result, struct error *err)
{
	if (!result->found)
		return make_thread(work, err);
	return service_may(work->caller, &result->thread, err) &&
	       (!result->thread.run.id || clear_way(work, &result->thread, err));
}

bool turn_claim(struct turn_work *work, struct error *err)
{
	struct turn *turn = &work->turn;
	struct claim claim = {
		.thread_id = turn->thread_id,
		.user_id = work->caller->enforced ? work->caller->user_id : NULL,
		.run = { turn->run_id, turn->response_id, work->service->node },
	};
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000 };
	int64_t until_ms = clock_mono_ms() + CLAIM_MS;
	struct claim_result result;

	do {
		claim.now_ms = clock_wall_ms();
		if (!store_claim(work->service->store, &claim, work->arena, &result, err))
			return false;
		if (result.won) {
			work->first_seq = result.first_seq;
			return true;
		}
		if (!next_try(work, &result, err))
			return false;
		if (turn->kind == TURN_REJOIN)
			return true;
		if (result.found)
			nanosleep(&look, NULL);
	} while (clock_mono_ms() < until_ms);
	return error_set(err, ERROR_RUN_ACTIVE, "Other answers keep starting on this thread.");
}
