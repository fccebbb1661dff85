/*
 * turn_claim: one answer at a time is written on a thread. Taking its claim, storing both messages
 * and reading the history is one call of the store; who does not get the claim learns whose it is:
 * a twin of this very turn, or another run, which may be followed, deserted, dead, or elsewhere.
 */
#include "service_room.h"

#include "base/clock.h"
#include <stdio.h>

#define HISTORY_MESSAGES 200

static bool refuse_busy(const char *run_id, struct error *err)
{
	error_set(err, ERROR_RUN_ACTIVE, "Another answer is being written on this thread.");
	if (err) {
		err->retry_after_s = 1;
		snprintf(err->link, sizeof err->link, "/api/runs/%s/stream", run_id);
	}
	return false;
}

/* --- another run holds the claim --- */

/* One that nobody reads ends as `stopped`. */
static bool end_holder(struct turn_work *work, const struct board_entry *entry, struct error *err)
{
	struct service *service = work->service;

	if (entry->state == BOARD_ORPHAN)
		return runs_end_orphan(service, entry->run_id, err);
	if (entry->state != BOARD_ENDED && !board_supersede(service->board, entry->run_id))
		return refuse_busy(entry->run_id, err);
	return runs_end(service, entry->run_id, err);
}

static enum turn_look clear_listed(struct turn_work *work, const struct board_entry *entry,
				   struct error *err)
{
	bool is_alive = entry->state == BOARD_STARTING || entry->state == BOARD_RUNNING;
	enum turn_look look = LOOK_FREE;

	if (is_alive && turn_is_twin(work, entry))
		look = turn_join(work, entry->run_id, err);
	/* No twin, or one that has come to nothing and is about to say so. */
	if (look == LOOK_FREE)
		look = end_holder(work, entry, err) ? LOOK_AGAIN : LOOK_FAILED;
	return look;
}

static enum turn_look clear_way(struct turn_work *work, const struct run_ref *holder,
				struct error *err)
{
	const struct held_claim claim = { .thread_id = work->turn.thread_id, .run = *holder };
	struct board_entry entry;

	if (strcmp(holder->node, work->service->node) != 0) {
		turn_refuse_elsewhere(work->turn.thread_id, err);
		return LOOK_FAILED;
	}
	if (board_find(work->service->board, holder->id, &entry))
		return clear_listed(work, &entry, err);
	return runs_end_unlisted(work->service, &claim, err) ? LOOK_AGAIN : LOOK_FAILED;
}

/* --- an id or the key exists already --- */

static enum turn_look meet_known(struct turn_work *work, const struct turn_opened *opened,
				 struct error *err)
{
	const char *response_id = work->turn.response_id;
	enum turn_look look;

	if (!opened->answer.id) {
		error_set(err, ERROR_KEY_REUSED, "This id was used for another message.");
		return LOOK_FAILED;
	}
	look = turn_judge(work, &opened->answer, err);
	if (look != LOOK_FREE)
		return look;
	if (strcmp(work->turn.response_id, response_id) == 0)
		return LOOK_AGAIN;
	/* The spool file bears the other id: the next request finds it before it makes one. */
	error_set(err, ERROR_RUN_ACTIVE, "This question was just tried elsewhere; ask again.");
	err->retry_after_s = 1;
	return LOOK_FAILED;
}

/* --- the call --- */

static void describe(struct turn_work *work, struct thread *made, struct turn_open *out)
{
	const struct turn *turn = &work->turn;
	const struct turn_request *request = work->request;
	struct service *service = work->service;
	int64_t now_ms = clock_wall_ms();
	bool may_make = request->thread_id.len == 0 || service->config->create_threads;

	*made = (struct thread){ .id = turn->thread_id,
				 .user_id = work->caller->user_id,
				 .title = service_title(work->arena, request->message),
				 .created_ms = now_ms,
				 .updated_ms = now_ms };
	*out = (struct turn_open){
		.owner = owner_of(work->caller),
		.thread_id = turn->thread_id,
		.make = may_make ? made : NULL,
		.run = { turn->run_id, turn->response_id, service->node },
		.question = { .id = turn->message_id,
			      .thread_id = turn->thread_id,
			      .role = ROLE_USER,
			      .status = STATUS_COMPLETE,
			      .content = request->message,
			      .metadata = request->metadata,
			      .created_ms = now_ms,
			      .updated_ms = now_ms },
		.answer = { .id = turn->response_id,
			    .thread_id = turn->thread_id,
			    .role = ROLE_ASSISTANT,
			    .status = STATUS_STREAMING,
			    .content = SLICE(""),
			    .run_id = turn->run_id,
			    .parent_id = turn->message_id,
			    .key = work->key[0] ? work->key : NULL,
			    .question = work->question,
			    .created_ms = now_ms,
			    .updated_ms = now_ms },
		.history_bytes = (size_t)service->config->history_max,
		.history_max = HISTORY_MESSAGES,
	};
}

/* The store said no, so the claim is not this turn's. Of anything else the outcome is unknown. */
static bool is_refusal(enum error_code code)
{
	return code == ERROR_NOT_FOUND || code == ERROR_ACCESS_DENIED || code == ERROR_CONFLICT;
}

static enum turn_look try_claim(struct turn_work *work, const struct turn_open *open,
				struct turn_opened *opened, bool *may_hold, struct error *err)
{
	if (!store_turn_open(work->service->store, open, work->arena, opened, err)) {
		*may_hold = !is_refusal(err->code);
		return LOOK_FAILED;
	}
	if (opened->kind == TURN_HELD)
		return clear_way(work, &opened->holder, err);
	if (opened->kind == TURN_ASKED)
		return meet_known(work, opened, err);
	*may_hold = true;
	return LOOK_FREE;
}

bool turn_claim(struct turn_work *work, struct turn_opened *opened, bool *may_hold,
		struct error *err)
{
	struct turn_open open;
	struct thread made;
	enum turn_look look;

	*may_hold = false;
	describe(work, &made, &open);
	if (work->arena->failed)
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	do
		look = try_claim(work, &open, opened, may_hold, err);
	while (look == LOOK_AGAIN && turn_may_wait(work));
	if (look == LOOK_AGAIN)
		return turn_refuse_again(err);
	return look != LOOK_FAILED;
}
