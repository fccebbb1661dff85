/*
 * turn_claim: one answer at a time is written on a thread. The claim is one atomic update of the
 * thread; who does not get it learns why: no such thread, not theirs, or another run holds it.
 */
#include "service_room.h"

#include "base/clock.h"
#include <stdio.h>

#define CLAIM_TRIES 4

static bool make_thread(struct service *service, const struct caller *caller,
			const struct turn_request *request, const struct turn *turn,
			struct arena *arena, struct error *err)
{
	int64_t now_ms = clock_wall_ms();
	struct thread thread = {
		.id = turn->thread_id,
		.user_id = caller->user_id,
		.title = service_title(arena, request->message),
		.created_ms = now_ms,
		.updated_ms = now_ms,
	};
	struct error mine = { 0 };

	if (request->thread_id.len > 0 && !service->config->create_threads)
		return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	/* A twin of this request may have made it: the next claim tells. */
	if (store_thread_insert(service->store, &thread, &mine) || mine.code == ERROR_CONFLICT)
		return true;
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

/* The run that holds the claim: is it alive, is it followed, may it be superseded? true: try the
 * claim again. */
static bool clear_way(struct service *service, const struct turn *turn, const struct thread *thread,
		      struct error *err)
{
	struct spool *spool;
	bool ok;

	if (strcmp(thread->run.message_id, turn->response_id) == 0 ||
	    strcmp(thread->run.node, service->node) != 0)
		return refuse_busy(thread, err);
	spool = spool_open(service->spools, thread->run.id, NULL);
	/* The file is made before the claim and stays until after it: a claim without one was left
	 * by a crash. */
	if (!spool)
		return store_claim_release(service->store, thread->id, thread->run.id, err);
	if (spool_record(spool)->saved)
		ok = store_claim_release(service->store, thread->id, thread->run.id, err);
	else if (spool_is_followed(spool))
		ok = refuse_busy(thread, err);
	else
		ok = run_stop_and_wait(service, spool,
				       err); /* nobody reads it: it ends as `stopped` */
	spool_unref(spool);
	return ok;
}

bool turn_claim(struct service *service, const struct caller *caller,
		const struct turn_request *request, const struct turn *turn, struct arena *arena,
		int64_t *first_seq, struct error *err)
{
	struct claim claim = {
		.thread_id = turn->thread_id,
		.user_id = caller->enforced ? caller->user_id : NULL,
		.run = { turn->run_id, turn->response_id, service->node },
	};
	struct claim_result result;

	for (int i = 0; i < CLAIM_TRIES; i++) {
		claim.now_ms = clock_wall_ms();
		if (!store_claim(service->store, &claim, arena, &result, err))
			return false;
		if (result.won) {
			*first_seq = result.first_seq;
			return true;
		}
		if (!result.found) {
			if (!make_thread(service, caller, request, turn, arena, err))
				return false;
		} else if (!service_may(caller, &result.thread, err)) {
			return false;
		} else if (result.thread.run.id && !clear_way(service, turn, &result.thread, err)) {
			return false;
		}
	}
	return error_set(err, ERROR_RUN_ACTIVE, "Other answers keep starting on this thread.");
}
