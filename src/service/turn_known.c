/*
 * turn_known: was this question asked before? A resend, by its Idempotency-Key or by the id of its
 * answer, never costs a second call: it rejoins the run from the first byte, or gets the answer
 * that is stored.
 */
#include "service_room.h"

#include <stdio.h>

static bool reused(struct error *err)
{
	return error_set(err, ERROR_KEY_REUSED,
			 "This key or answer id was used with another question.");
}

bool turn_rejoin(struct turn_work *work, struct spool *spool, struct error *err)
{
	const struct spool_record *record = spool_record(spool);
	struct turn *turn = &work->turn;

	if (strcmp(record->question, work->question) != 0) {
		spool_unref(spool);
		return reused(err);
	}
	turn->kind = TURN_REJOIN;
	turn->followed = spool;
	turn->response_id = arena_text(work->arena, record->message_id);
	turn->run_id = arena_text(work->arena, record->run_id);
	if (!work->arena->failed)
		return true;
	spool_unref(spool);
	return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
}

/* The answer that this key or id names. ERROR_NOT_FOUND: there is none. */
static bool find_answer(struct turn_work *work, struct message *out, struct error *err)
{
	struct store *store = work->service->store;

	if (work->key[0] &&
	    store_message_by_key(store, work->turn.thread_id, work->key, work->arena, out, err))
		return true;
	if (work->key[0] && err->code != ERROR_NOT_FOUND)
		return false;
	return store_message_get(store, NULL, work->turn.thread_id, work->turn.response_id,
				 work->arena, out, err);
}

static bool same_question(struct turn_work *work, const struct message *answer, struct error *err)
{
	struct message question;
	struct thread thread;

	if (!service_thread_get(work->service, work->caller, work->turn.thread_id, work->arena,
				&thread, err))
		return false;
	if (answer->role != ROLE_ASSISTANT || !answer->parent_id)
		return reused(err);
	if (!store_message_get(work->service->store, NULL, work->turn.thread_id, answer->parent_id,
			       work->arena, &question, err))
		return err->code == ERROR_NOT_FOUND ? reused(err) : false;
	work->turn.message_id = question.id;
	return slice_equal(question.content, work->request->message) || reused(err);
}

static bool is_ours(const struct service *service, const char *run_id)
{
	const char *dash = strrchr(run_id, '-');

	return dash && strcmp(dash + 1, service->node) == 0;
}

/* Its message says `streaming`, but this node has no file of it: nothing of it is left, and nobody
 * writes it. */
static bool close_lost(struct turn_work *work, struct message *answer, struct error *err)
{
	const struct finish finish = { .thread_id = work->turn.thread_id,
				       .message_id = answer->id,
				       .run_id = answer->run_id,
				       .status = STATUS_INTERRUPTED,
				       .content = SLICE(""),
				       .usage = USAGE_UNKNOWN,
				       .if_streaming = true };

	if (!answer->run_id || !is_ours(work->service, answer->run_id))
		return error_set(err, ERROR_RUN_ACTIVE,
				 "This answer is being written on another node.");
	answer->status = STATUS_INTERRUPTED;
	return store_finish(work->service->store, &finish, NULL, err);
}

bool turn_known(struct turn_work *work, bool *known, struct error *err)
{
	struct turn *turn = &work->turn;
	struct error mine = { 0 };
	struct message answer;
	struct spool *spool;

	*known = false;
	if (!find_answer(work, &answer, &mine)) {
		if (mine.code != ERROR_NOT_FOUND && err)
			*err = mine;
		return mine.code == ERROR_NOT_FOUND;
	}
	if (!same_question(work, &answer, &mine)) {
		if (err)
			*err = mine;
		return false;
	}
	*known = true;
	mine = (struct error){ .code = ERROR_NOT_FOUND };
	spool = answer.run_id ? spool_open(work->service->spools, answer.run_id, &mine) : NULL;
	if (spool)
		return turn_rejoin(work, spool, err);
	if (mine.code != ERROR_NOT_FOUND) {
		if (err)
			*err = mine;
		return false;
	}
	if (answer.status == STATUS_STREAMING && !close_lost(work, &answer, err))
		return false;
	turn->kind = TURN_REPLAY;
	turn->response_id = answer.id;
	turn->run_id = answer.run_id;
	turn->answer = answer;
	return true;
}
