/*
 * turn: a question on its way to the engine. Every step is safe to repeat, and only the last one
 * spends a token: the spool file first (so a claim without one is void), then the thread's claim,
 * then both messages, then the prompt.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>

/* --- ids --- */

static const char *id_or_hash(struct arena *arena, struct slice given, const struct caller *caller,
			      const struct turn_request *request, const char *kind)
{
	const struct slice parts[] = { slice_of(caller->user_id), request->thread_id, request->key,
				       slice_of(kind) };
	char made[ID_UUID_SIZE];

	if (given.len > 0)
		return arena_copy(arena, given);
	if (request->key.len > 0)
		id_hash(parts, 4, made);
	else
		id_uuid7(made);
	return arena_text(arena, made);
}

static bool name_all(struct service *service, const struct caller *caller,
		     const struct turn_request *request, struct arena *arena, struct turn *turn)
{
	char run[ID_UUID_SIZE];

	id_uuid7(run);
	turn->run_id = arena_printf(arena, "%s-%s", run, service->node);
	turn->thread_id = id_or_hash(arena, request->thread_id, caller, request, "thread");
	turn->message_id = id_or_hash(arena, request->message_id, caller, request, "question");
	turn->response_id = id_or_hash(arena, request->response_id, caller, request, "answer");
	return !arena->failed;
}

static bool check(const struct service *service, const struct turn_request *request,
		  const struct turn *turn, struct error *err)
{
	if (strcmp(turn->message_id, turn->response_id) == 0)
		return error_field(err, ERROR_VALIDATION, "responseId",
				   "The question and the answer need different ids.");
	if (request->model.len > 0 && !prompt_model_allowed(service->config, request->model))
		return error_field(err, ERROR_VALIDATION, "model",
				   "This model is not offered here.");
	return true;
}

/* --- the spool file --- */

static struct spool *make_spool(struct service *service, const struct caller *caller,
				const struct turn *turn, struct error *err)
{
	struct spool_record record = { .created_ms = clock_wall_ms() };

	snprintf(record.run_id, sizeof record.run_id, "%s", turn->run_id);
	snprintf(record.thread_id, sizeof record.thread_id, "%s", turn->thread_id);
	snprintf(record.message_id, sizeof record.message_id, "%s", turn->response_id);
	snprintf(record.node, sizeof record.node, "%s", service->node);
	snprintf(record.user_id, sizeof record.user_id, "%s", caller->user_id);
	return spool_create(service->spools, &record, err);
}

static void remove_spool(struct service *service, struct spool *spool)
{
	spool_remove(service->spools, spool_record(spool)->run_id);
	spool_unref(spool);
}

/* --- both messages --- */

static bool insert_pair(struct service *service, const struct turn_request *request,
			const struct turn *turn, int64_t first_seq, struct error *err)
{
	int64_t now_ms = clock_wall_ms();
	const struct message pair[2] = {
		{ .id = turn->message_id,
		  .thread_id = turn->thread_id,
		  .seq = first_seq,
		  .role = ROLE_USER,
		  .status = STATUS_COMPLETE,
		  .content = request->message,
		  .metadata = request->metadata,
		  .created_ms = now_ms,
		  .updated_ms = now_ms },
		{ .id = turn->response_id,
		  .thread_id = turn->thread_id,
		  .seq = first_seq + 1,
		  .role = ROLE_ASSISTANT,
		  .status = STATUS_STREAMING,
		  .content = SLICE(""),
		  .run_id = turn->run_id,
		  .parent_id = turn->message_id,
		  .created_ms = now_ms,
		  .updated_ms = now_ms },
	};

	return store_message_insert(service->store, pair, 2, err);
}

/* The question's id exists: a resend whose answer is there is answered from the store, one whose
 * first try died between the two inserts goes on, and another question under the same id is
 * refused. */
static bool resolve_twin(struct service *service, const struct turn_request *request,
			 int64_t first_seq, struct arena *arena, struct turn *turn,
			 struct error *err)
{
	struct message question;
	struct error mine = { 0 };

	if (!store_message_get(service->store, turn->thread_id, turn->message_id, arena, &question,
			       &mine) ||
	    question.role != ROLE_USER || !slice_equal(question.content, request->message))
		return error_set(err,
				 mine.code && mine.code != ERROR_NOT_FOUND ? mine.code
									   : ERROR_KEY_REUSED,
				 "This id was used for another message.");
	if (store_message_get(service->store, turn->thread_id, turn->response_id, arena,
			      &turn->answer, &mine)) {
		if (turn->answer.role != ROLE_ASSISTANT || turn->answer.status == STATUS_STREAMING)
			return error_set(err, ERROR_RUN_ACTIVE,
					 "This answer is still being written.");
		turn->replay = true;
		return true;
	}
	if (mine.code != ERROR_NOT_FOUND) {
		*err = mine;
		return false;
	}
	const struct message answer = {
		.id = turn->response_id,
		.thread_id = turn->thread_id,
		.seq = first_seq + 1,
		.role = ROLE_ASSISTANT,
		.status = STATUS_STREAMING,
		.content = SLICE(""),
		.run_id = turn->run_id,
		.parent_id = turn->message_id,
		.created_ms = clock_wall_ms(),
		.updated_ms = clock_wall_ms(),
	};
	return store_message_insert(service->store, &answer, 1, err);
}

static bool save_question(struct service *service, const struct turn_request *request,
			  int64_t first_seq, struct arena *arena, struct turn *turn,
			  struct error *err)
{
	struct error mine = { 0 };

	if (insert_pair(service, request, turn, first_seq, &mine))
		return true;
	if (mine.code == ERROR_CONFLICT)
		return resolve_twin(service, request, first_seq, arena, turn, err);
	if (err)
		*err = mine;
	return false;
}

/* --- all of it --- */

/* With the claim held: the messages, then the prompt. */
static bool prepare(struct service *service, const struct turn_request *request, int64_t first_seq,
		    struct arena *arena, struct turn *turn, struct error *err)
{
	struct slice model =
		request->model.len > 0 ? request->model : slice_of(service->config->model);

	if (!save_question(service, request, first_seq, arena, turn, err))
		return false;
	return turn->replay || prompt_build(service, turn, request->message, model, first_seq,
					    arena, &turn->start.body, err);
}

/* The question is in the store but the model was never asked: the answer says so. */
static void end_unasked(struct service *service, const struct turn *turn)
{
	const struct finish finish = {
		.thread_id = turn->thread_id,
		.message_id = turn->response_id,
		.run_id = turn->run_id,
		.status = STATUS_ERROR,
		.content = SLICE(""),
		.now_ms = clock_wall_ms(),
	};

	if (!store_finish(service->store, &finish, NULL, NULL))
		store_claim_release(service->store, turn->thread_id, turn->run_id, NULL);
}

bool service_turn_begin(struct service *service, const struct caller *caller,
			const struct turn_request *request, struct arena *arena, struct turn *out,
			struct error *err)
{
	struct turn turn = { 0 };
	struct error mine = { 0 };
	int64_t first_seq = 0;
	struct spool *spool;

	if (!name_all(service, caller, request, arena, &turn))
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	if (!check(service, request, &turn, err) || !engine_take_room(service->engine, err))
		return false;
	spool = make_spool(service, caller, &turn, &mine);
	if (!spool)
		goto fail;
	if (!turn_claim(service, caller, request, &turn, arena, &first_seq, &mine))
		goto fail_spool;
	if (!prepare(service, request, first_seq, arena, &turn, &mine) || turn.replay)
		goto fail_claimed;
	turn.start.spool = spool;
	turn.start.leave = request->leave;
	turn.start.grace_ms = request->grace_ms;
	turn.start.arrived_ms = request->arrived_ms;
	*out = turn;
	return true;
fail_claimed:
	if (turn.replay)
		store_claim_release(service->store, turn.thread_id, turn.run_id, NULL);
	else
		end_unasked(service, &turn);
fail_spool:
	remove_spool(service, spool);
fail:
	engine_give_room(service->engine);
	if (turn.replay)
		*out = turn;
	else if (err)
		*err = mine;
	return turn.replay;
}

void service_turn_drop(struct service *service, struct turn *turn)
{
	struct spool *spool = turn->start.spool;

	buffer_done(&turn->start.body);
	spool_end(spool, STATUS_INTERRUPTED, "", "", "", clock_wall_ms(), NULL);
	savers_add(service->savers, spool);
	engine_give_room(service->engine);
	turn->start = (struct run_start){ 0 };
}
