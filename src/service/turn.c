/*
 * turn: a question on its way to the engine. Every step is safe to repeat, and only the last one
 * spends a token: was it asked before, the spool file (so a claim without one is void), the
 * thread's claim, both messages, the prompt.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/crashpoint.h"
#include "base/log.h"
#include <stdio.h>

/* --- names --- */

static const char *id_or_hash(struct turn_work *work, struct slice given, const char *kind)
{
	const struct turn_request *request = work->request;
	const struct slice parts[] = { slice_of(work->caller->user_id), request->thread_id,
				       request->key, slice_of(kind) };
	char made[ID_UUID_SIZE];

	if (given.len > 0)
		return arena_copy(work->arena, given);
	if (request->key.len > 0)
		id_hash(parts, 4, made);
	else
		id_uuid7(made);
	return arena_text(work->arena, made);
}

static bool name_all(struct turn_work *work)
{
	const struct turn_request *request = work->request;
	const struct slice key[] = { slice_of(work->caller->user_id), request->key };
	const struct slice question[] = { request->message };
	struct turn *turn = &work->turn;
	char run[ID_UUID_SIZE];

	id_uuid7(run);
	if (request->key.len > 0)
		id_hash(key, 2, work->key);
	id_hash(question, 1, work->question);
	turn->run_id = arena_printf(work->arena, "%s-%s", run, work->service->node);
	turn->thread_id = id_or_hash(work, request->thread_id, "thread");
	turn->message_id = id_or_hash(work, request->message_id, "question");
	turn->response_id = id_or_hash(work, request->response_id, "answer");
	return !work->arena->failed;
}

static bool check(const struct turn_work *work, struct error *err)
{
	const struct turn_request *request = work->request;

	if (strcmp(work->turn.message_id, work->turn.response_id) == 0)
		return error_field(err, ERROR_VALIDATION, "responseId",
				   "The question and the answer need different ids.");
	if (request->model.len > 0 && !prompt_model_allowed(work->service->config, request->model))
		return error_field(err, ERROR_VALIDATION, "model",
				   "This model is not offered here.");
	return true;
}

/* --- the spool file --- */

static struct slice model_of(const struct turn_work *work)
{
	return work->request->model.len > 0 ? work->request->model
					    : slice_of(work->service->config->model);
}

/* Before its file is there, so that no file of a live run is unknown to it. */
static bool put_on_board(struct service *service, const struct spool_record *record,
			 struct error *err)
{
	struct board_entry entry = { .created_ms = record->created_ms, .state = BOARD_STARTING };

	memcpy(entry.run_id, record->run_id, sizeof entry.run_id);
	memcpy(entry.thread_id, record->thread_id, sizeof entry.thread_id);
	memcpy(entry.message_id, record->message_id, sizeof entry.message_id);
	memcpy(entry.user_key, record->user_key, sizeof entry.user_key);
	memcpy(entry.key, record->key, sizeof entry.key);
	memcpy(entry.question, record->question, sizeof entry.question);
	return board_add(service->board, service->slot, &entry, err);
}

static struct spool *make_spool(const struct turn_work *work, struct error *err)
{
	struct spool_record record = { .created_ms = clock_wall_ms() };
	const struct slice counted_as = slice_of(work->caller->counted_as);
	const struct turn *turn = &work->turn;
	struct spool *spool;

	snprintf(record.run_id, sizeof record.run_id, "%s", turn->run_id);
	snprintf(record.thread_id, sizeof record.thread_id, "%s", turn->thread_id);
	snprintf(record.message_id, sizeof record.message_id, "%s", turn->response_id);
	snprintf(record.node, sizeof record.node, "%s", work->service->node);
	snprintf(record.user_id, sizeof record.user_id, "%s", work->caller->user_id);
	snprintf(record.model, sizeof record.model, "%.*s", SLICE_ARG(model_of(work)));
	id_hash(&counted_as, 1, record.user_key);
	memcpy(record.key, work->key, sizeof record.key);
	memcpy(record.question, work->question, sizeof record.question);
	if (!put_on_board(work->service, &record, err))
		return NULL;
	spool = spool_create(work->service->spools, &record, err);
	if (!spool)
		board_remove(work->service->board, record.run_id);
	return spool;
}

/* --- both messages --- */

static struct message answer_of(const struct turn_work *work)
{
	int64_t now_ms = clock_wall_ms();

	return (struct message){
		.id = work->turn.response_id,
		.thread_id = work->turn.thread_id,
		.seq = work->first_seq + 1,
		.role = ROLE_ASSISTANT,
		.status = STATUS_STREAMING,
		.content = SLICE(""),
		.run_id = work->turn.run_id,
		.parent_id = work->turn.message_id,
		.key = work->key[0] ? work->key : NULL,
		.question = work->question,
		.usage = USAGE_UNKNOWN,
		.created_ms = now_ms,
		.updated_ms = now_ms,
	};
}

static bool insert_pair(const struct turn_work *work, struct error *err)
{
	struct message pair[2] = { { 0 }, answer_of(work) };

	pair[0] = (struct message){
		.id = work->turn.message_id,
		.thread_id = work->turn.thread_id,
		.seq = work->first_seq,
		.role = ROLE_USER,
		.status = STATUS_COMPLETE,
		.content = work->request->message,
		.usage = USAGE_UNKNOWN,
		.metadata = work->request->metadata,
		.created_ms = pair[1].created_ms,
		.updated_ms = pair[1].created_ms,
	};
	return store_message_insert(work->service->store, pair, 2, err);
}

/* An id exists already. The same question without this answer: its first try died between the two
 * inserts, or it is asked again: it goes on under its answer's own id. Another question: refused.
 */
static bool insert_answer(const struct turn_work *work, struct error *err)
{
	const struct message answer = answer_of(work);
	struct message question;
	struct error mine = { 0 };

	if (!store_message_get(work->service->store, NULL, work->turn.thread_id,
			       work->turn.message_id, work->arena, &question, &mine) &&
	    mine.code != ERROR_NOT_FOUND) {
		*err = mine;
		return false;
	}
	if (mine.code == ERROR_NOT_FOUND || question.role != ROLE_USER ||
	    !slice_equal(question.content, work->request->message))
		return error_set(err, ERROR_KEY_REUSED, "This id was used for another message.");
	return store_message_insert(work->service->store, &answer, 1, err);
}

/* Some id exists. Whose? A twin may be storing its pair right now, so an answer that cannot be put
 * in either is looked for once more. */
static bool meet_twin(struct turn_work *work, struct error *err)
{
	bool known;

	if (!turn_known(work, &known, err))
		return false;
	if (known || insert_answer(work, err))
		return true;
	return err->code == ERROR_CONFLICT && turn_known(work, &known, err) &&
	       (known || error_set(err, ERROR_CONFLICT, "This id is taken in this thread."));
}

static bool save_question(struct turn_work *work, struct error *err)
{
	return insert_pair(work, err) || (err->code == ERROR_CONFLICT && meet_twin(work, err));
}

/* --- all of it --- */

/* With the claim held: a twin may have come and gone since the first look; then the messages, then
 * the prompt. */
static bool prepare(struct turn_work *work, struct error *err)
{
	struct turn *turn = &work->turn;
	bool known = false;

	if (work->key[0] && !turn_known(work, &known, err))
		return false;
	if (known)
		return true;
	if (!save_question(work, err))
		return false;
	CRASHPOINT("turn_saved");
	return turn->kind != TURN_NEW ||
	       prompt_build(work->service, turn, work->request->message, model_of(work),
			    work->first_seq, work->arena, &turn->start.body, err);
}

/* The question may be in the store but the model was never asked: the answer says so, and the claim
 * is given back. */
static void end_unasked(struct service *service, const struct turn *turn, const char *run_id)
{
	const struct finish finish = {
		.thread_id = turn->thread_id,
		.message_id = turn->response_id,
		.run_id = run_id,
		.status = STATUS_ERROR,
		.content = SLICE(""),
		.usage = USAGE_UNKNOWN,
		.if_streaming = true,
	};

	if (turn->kind != TURN_NEW || !store_finish(service->store, &finish, NULL, NULL))
		store_claim_release(service->store, turn->thread_id, run_id, NULL);
}

/* With room and a spool file: the claim and what follows from it. On success with another kind than
 * TURN_NEW the file is not needed. */
static bool claim_and_prepare(struct turn_work *work, struct error *err)
{
	const char *run_id = work->turn.run_id;
	bool ok;

	CRASHPOINT("turn_spooled");
	if (!turn_claim(work, err))
		return false;
	CRASHPOINT("turn_claimed");
	if (work->turn.kind != TURN_NEW)
		return true;
	ok = prepare(work, err);
	if (!ok || work->turn.kind != TURN_NEW)
		end_unasked(work->service, &work->turn, run_id);
	return ok;
}

static bool begin_new(struct turn_work *work, struct error *err)
{
	struct service *service = work->service;
	struct turn *turn = &work->turn;
	struct spool_ending ending = { .status = STATUS_ERROR,
				       .usage = USAGE_UNKNOWN,
				       .now_ms = clock_wall_ms() };
	struct spool *spool;
	bool ok;

	if (!engine_take_room(service->engine, err))
		return false;
	spool = make_spool(work, err);
	if (!spool) {
		engine_give_room(service->engine);
		return false;
	}
	ok = claim_and_prepare(work, err);
	CRASHPOINT("turn_prepared");
	if (ok && turn->kind == TURN_NEW) {
		turn->start.spool = spool;
		turn->start.leave = work->request->leave;
		turn->start.grace_ms = work->request->grace_ms;
		turn->start.arrived_ms = work->request->arrived_ms;
		return true;
	}
	/* A twin of this turn may follow the file already: it is told too. */
	ending.error_word = error_word(ok ? ERROR_RUN_ACTIVE : err->code);
	spool_end(spool, &ending, NULL);
	spool_mark_saved(service->spools, spool, NULL);
	spool_remove(service->spools, spool_record(spool)->run_id);
	board_remove(service->board, spool_record(spool)->run_id);
	spool_unref(spool);
	engine_give_room(service->engine);
	return ok;
}

bool service_turn_begin(struct service *service, const struct caller *caller,
			const struct turn_request *request, struct arena *arena, struct turn *out,
			struct error *err)
{
	struct turn_work work = {
		.service = service, .caller = caller, .request = request, .arena = arena
	};
	struct error mine = { 0 };
	bool known = false, can_be_known = request->key.len > 0 || request->response_id.len > 0;

	if (!name_all(&work))
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	if (check(&work, &mine) && (!can_be_known || turn_known(&work, &known, &mine)) &&
	    (known || begin_new(&work, &mine))) {
		*out = work.turn;
		return true;
	}
	if (err)
		*err = mine;
	return false;
}

void service_turn_drop(struct service *service, struct turn *turn)
{
	struct spool *spool = turn->start.spool;
	const struct spool_ending never = { .status = STATUS_INTERRUPTED,
					    .usage = USAGE_UNKNOWN,
					    .now_ms = clock_wall_ms() };

	buffer_done(&turn->start.body);
	spool_end(spool, &never, NULL);
	savers_add(service->savers, spool);
	engine_give_room(service->engine);
	turn->start = (struct run_start){ 0 };
}
