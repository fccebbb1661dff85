/*
 * runs: how one part of the service ends what another began: a run that is to stop, one whose
 * worker died, one of which nothing is left.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS 5

bool runs_is_ours(const struct service *service, const char *run_id)
{
	const char *dash = strrchr(run_id, '-');

	return dash && strcmp(dash + 1, service->node) == 0;
}

bool runs_check_owner(struct service *service, const struct caller *caller,
		      const struct spool_record *record, struct arena *arena, struct error *err)
{
	bool began_it = strcmp(caller->user_id, record->user_id) == 0;
	struct error why = { 0 };
	struct thread thread;

	if (!caller->enforced || (began_it && caller->kind != CALLER_VISITOR))
		return true;
	/* One that has just begun may run before the store knows its thread, or while it is away.
	 */
	return store_thread_get(service->store, caller->user_id, record->thread_id, arena, &thread,
				&why) ||
	       (began_it && why.code != ERROR_ACCESS_DENIED) || error_denied(err);
}

/* Until its text is saved. A store that is away saves nothing, but the run ends without it. */
static bool wait_for_end(struct service *service, struct spool *spool, bool *has_ended,
			 struct error *err)
{
	struct wait wait;
	bool ok;

	wait_begin(&wait, service, STOP_WAIT_MS);
	do {
		ok = spool_refresh(spool, err);
		*has_ended = ok && spool_record(spool)->status != STATUS_STREAMING;
	} while (ok && !spool_record(spool)->saved &&
		 !(*has_ended && store_is_down(service->store)) && wait_more(&wait, LOOK_MS));
	wait_end(&wait);
	return ok;
}

bool runs_stop_and_wait(struct service *service, struct spool *spool, struct error *err)
{
	bool has_ended;

	if (spool_record(spool)->status == STATUS_STREAMING &&
	    !spool_ask_stop(service->spools, spool_record(spool)->run_id, err))
		return false;
	if (!wait_for_end(service, spool, &has_ended, err))
		return false;
	if (spool_record(spool)->saved)
		return true;
	if (has_ended)
		return error_set(err, ERROR_STORE_DOWN,
				 "It has stopped; its text is saved as soon as the store is back.");
	error_set(err, ERROR_RUN_ACTIVE, "It was asked to stop, and has not yet; try again.");
	if (err)
		err->retry_after_s = 1;
	return false;
}

bool runs_end(struct service *service, const char *run_id, struct error *err)
{
	struct error mine = { 0 };
	struct spool *spool = spool_open(service->spools, run_id, &mine);
	bool ok;

	if (!spool && mine.code == ERROR_NOT_FOUND)
		return true;
	if (!spool) {
		*err = mine;
		return false;
	}
	ok = runs_stop_and_wait(service, spool, err);
	spool_unref(spool);
	return ok;
}

/* Another may be at it, or its owner may live after all: then there is nothing to do here. */
bool runs_end_orphan(struct service *service, const char *run_id, struct error *err)
{
	struct error mine = { 0 };
	struct spool *spool = spool_adopt(service->spools, run_id, clock_wall_ms(), &mine);

	if (!spool && mine.code == ERROR_NOT_FOUND)
		board_remove(service->board, run_id);
	if (!spool && (mine.code == ERROR_NOT_FOUND || mine.code == ERROR_RUN_ACTIVE))
		return true;
	if (!spool) {
		if (err)
			*err = mine;
		return false;
	}
	board_adopt(service->board, run_id, service->slot);
	if (savers_save_now(service, spool, err)) {
		spool_unref(spool);
		return true;
	}
	savers_add(service->savers, spool);
	return false;
}

bool runs_end_lost(struct service *service, const struct held_claim *claim, struct error *err)
{
	const struct finish finish = {
		.thread_id = claim->thread_id,
		.message_id = claim->run.message_id,
		.run_id = claim->run.id,
		.status = STATUS_INTERRUPTED,
		.content = SLICE(""),
		.usage = USAGE_UNKNOWN,
		.if_streaming = true,
	};

	if (!store_finish(service->savers_store, &finish, NULL, err))
		return false;
	log_notice("answer ended of which nothing is left", LOG_T("run", claim->run.id));
	return true;
}

bool runs_end_unlisted(struct service *service, const struct held_claim *claim, struct error *err)
{
	struct error mine = { 0 };
	struct spool *spool = spool_open(service->spools, claim->run.id, &mine);
	bool is_kept = spool != NULL, is_saved = is_kept && spool_record(spool)->saved;

	spool_unref(spool);
	if (is_kept && !is_saved)
		return runs_end_orphan(service, claim->run.id, err);
	/* A damaged one, after a power loss, is as good as none; should it be read after all, its
	 * text is still saved. */
	if (is_kept || mine.code == ERROR_NOT_FOUND || mine.code == ERROR_CORRUPT)
		return runs_end_lost(service, claim, err);
	if (err)
		*err = mine;
	return false;
}
