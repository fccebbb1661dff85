/*
 * turn: a question on its way to the engine. Every step is safe to repeat, and only the last one
 * spends a token: was it asked before, the board and the spool file (so a claim without them is
 * void), the thread's claim with both messages and the history, the prompt.
 *
 * From the moment on when a claim may be held, whatever fails is ended like any other run: its
 * spool file says how, and a saver tells the store as often as it takes.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/crashpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include <stdio.h>

#define TRY_MS       3000 /* for all that a turn waits for others */
#define RUNS_RETRY_S 5    /* behind a refusal for too many answers; nobody knows when one ends */

/* --- names --- */

/* What a resend of the same request is named again: its key makes the name, else its answer's id.
 * Without either it gets a new one. The scope of both is the caller. */
static const char *name_of(struct turn_work *work, struct slice given, const char *kind)
{
	const struct turn_request *request = work->request;
	bool by_key = request->key.len > 0;
	const struct slice parts[] = {
		slice_of(work->caller->user_id),
		slice_of(work->turn.thread_id ? work->turn.thread_id : ""),
		slice_of(by_key ? "key" : "answer"),
		by_key ? request->key : request->response_id,
		slice_of(kind),
	};
	char made[ID_UUID_SIZE];

	if (given.len > 0)
		return arena_copy(work->arena, given);
	if (by_key || request->response_id.len > 0)
		id_hash(parts, sizeof parts / sizeof parts[0], made);
	else
		id_uuid7(made);
	return arena_text(work->arena, made);
}

static bool name_all(struct turn_work *work)
{
	const struct turn_request *request = work->request;
	struct turn *turn = &work->turn;
	char run[ID_UUID_SIZE];

	id_uuid7(run);
	turn->run_id = arena_printf(work->arena, "%s-%s", run, work->service->node);
	turn->thread_id = name_of(work, request->thread_id, "thread");
	turn->message_id = name_of(work, request->message_id, "question");
	turn->response_id = name_of(work, request->response_id, "answer");
	return !work->arena->failed;
}

/* Two parts: no user's name is an address. */
static void hash_address(const char *address, char out[ID_UUID_SIZE])
{
	const struct slice parts[] = { SLICE("address"), slice_of(address) };

	id_hash(parts, 2, out);
}

static void hash_counted(struct turn_work *work)
{
	const struct caller *caller = work->caller;
	const struct slice user = slice_of(caller->counted_as);

	if (caller_is_address(caller))
		hash_address(caller->counted_as, work->user_key);
	else
		id_hash(&user, 1, work->user_key);
	/* Where nobody is asked a site's own server may ask for all its users, from one address. */
	if (caller->also_counted_as && caller->kind != CALLER_ANYBODY)
		hash_address(caller->also_counted_as, work->address_key);
}

/* What is asked, and who is counted for it. */
static void hash_all(struct turn_work *work)
{
	const struct turn_request *request = work->request;
	const struct slice key[] = { slice_of(work->caller->user_id), request->key };
	const struct slice question[] = { slice_of(work->turn.thread_id), request->message,
					  request->model,
					  slice_of(request->metadata ? request->metadata : "") };

	work->model =
		request->model.len > 0 ? request->model : slice_of(work->service->config->model);

	if (request->key.len > 0)
		id_hash(key, 2, work->key);
	id_hash(question, 4, work->question);
	hash_counted(work);
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

/* --- the board and the spool file --- */

static bool put_on_board(const struct turn_work *work, struct error *err)
{
	struct board_entry entry = { .state = BOARD_STARTING, .created_ms = clock_wall_ms() };
	const struct turn *turn = &work->turn;

	snprintf(entry.run_id, sizeof entry.run_id, "%s", turn->run_id);
	snprintf(entry.thread_id, sizeof entry.thread_id, "%s", turn->thread_id);
	snprintf(entry.message_id, sizeof entry.message_id, "%s", turn->response_id);
	memcpy(entry.user_key, work->user_key, sizeof entry.user_key);
	memcpy(entry.address_key, work->address_key, sizeof entry.address_key);
	memcpy(entry.key, work->key, sizeof entry.key);
	memcpy(entry.question, work->question, sizeof entry.question);
	return board_add(work->service->board, work->service->slot, &entry, err);
}

/* Once it is on the board, so that whoever comes at the same time sees it. */
static bool is_within_cap(const struct turn_work *work, struct error *err)
{
	int64_t cap =
		caller_is_address(work->caller) ? INT64_MAX : work->service->config->runs_per_user;

	if (board_admit(work->service->board, work->turn.run_id, (size_t)cap))
		return true;
	metrics_add(M_LIMITED, METRIC_LIMIT_runs, 0, 1);
	error_set(err, ERROR_RATE_LIMITED,
		  "%lld answers are being written for you, which is as many as there may be. Wait "
		  "for one to end, or stop one.",
		  (long long)cap);
	err->policy = "runs";
	err->retry_after_s = RUNS_RETRY_S;
	return false;
}

static struct spool *make_spool(const struct turn_work *work, struct error *err)
{
	const struct turn *turn = &work->turn;
	const struct spool_record record = {
		.run_id = turn->run_id,
		.thread_id = turn->thread_id,
		.message_id = turn->response_id,
		.node = work->service->node,
		.user_id = work->caller->enforced ? work->caller->user_id : "",
		.user_key = work->user_key,
		.key = work->key,
		.question = work->question,
		.model = arena_copy(work->arena, work->model),
		.created_ms = clock_wall_ms(),
	};
	struct spool *spool;

	if (!put_on_board(work, err))
		return NULL;
	spool = is_within_cap(work, err) ? spool_create(work->service->spools, &record, err) : NULL;
	if (!spool)
		board_remove(work->service->board, turn->run_id);
	return spool;
}

/* No claim was its own: the store knows nothing of it. A twin of this turn may follow the file
 * already; it is told too. */
static void discard(struct service *service, struct spool *spool, enum error_code why)
{
	const struct spool_ending ending = {
		.status = STATUS_ERROR,
		.error_word = error_word(why),
		.usage = USAGE_UNKNOWN,
		.now_ms = clock_wall_ms(),
	};
	const char *run_id = spool_record(spool)->run_id;

	spool_end(spool, &ending, NULL);
	spool_mark_saved(service->spools, spool, NULL);
	spool_remove(service->spools, run_id);
	board_remove(service->board, run_id);
	spool_unref(spool);
}

/* Its claim may be held, its question may be stored; the model was not asked, so the same question
 * may be asked again. */
static void end_unasked(struct service *service, struct spool *spool, enum message_status status,
			const char *why)
{
	const struct spool_ending ending = {
		.status = status,
		.error_word = why,
		.usage = USAGE_UNKNOWN,
		.now_ms = clock_wall_ms(),
	};

	spool_end(spool, &ending, NULL);
	CRASHPOINT("turn_ended");
	board_set_state(service->board, spool_record(spool)->run_id, BOARD_ENDED);
	savers_add(service->savers, spool);
}

/* --- all of it --- */

static bool look_for_question(void *ctx, const char *id, int64_t *seq, struct error *err)
{
	const struct turn_work *work = ctx;
	struct error mine = { 0 };
	struct message found;

	*seq = 0;
	if (store_message_get(work->service->store, owner_of(work->caller), work->turn.thread_id,
			      id, work->arena, &found, &mine)) {
		if (found.role == ROLE_USER)
			*seq = found.seq;
		return true;
	}
	if (mine.code != ERROR_NOT_FOUND)
		*err = mine;
	return mine.code == ERROR_NOT_FOUND;
}

/* With the claim held and both messages stored. */
static bool prepare(struct turn_work *work, const struct turn_opened *opened, struct error *err)
{
	const struct config *config = work->service->config;
	const struct turn_request *request = work->request;
	const struct prompt_look look = { look_for_question, work };
	struct turn *turn = &work->turn;

	turn->start.leave = request->leave;
	turn->start.grace_ms = request->grace_ms;
	turn->start.arrived_ms = request->arrived_ms;
	return prompt_build(config, &opened->history, &opened->question, &look, work->model,
			    work->arena, &turn->start.body, err);
}

static bool begin_new(struct turn_work *work, struct error *err)
{
	struct service *service = work->service;
	struct turn *turn = &work->turn;
	struct turn_opened opened;
	struct spool *spool;
	bool ok, may_hold;

	if (!engine_take_room(service->engine, err))
		return false;
	if (!(spool = make_spool(work, err))) {
		engine_give_room(service->engine);
		return false;
	}
	CRASHPOINT("turn_spooled");
	ok = turn_claim(work, &opened, &may_hold, err);
	if (ok && turn->kind == TURN_NEW) {
		CRASHPOINT("turn_saved");
		ok = prepare(work, &opened, err);
	}
	CRASHPOINT("turn_prepared");
	if (ok && turn->kind == TURN_NEW) {
		turn->start.spool = spool;
		return true;
	}
	if (may_hold)
		end_unasked(service, spool, STATUS_ERROR, error_word(err->code));
	else
		discard(service, spool, ok ? ERROR_RUN_ACTIVE : err->code);
	engine_give_room(service->engine);
	return ok;
}

static bool is_let_in(const struct turn_request *request, struct error *err)
{
	return !request->gate.may || request->gate.may(request->gate.ctx, err);
}

bool service_turn_begin(struct service *service, const struct caller *caller,
			const struct turn_request *request, struct arena *arena, struct turn *out,
			struct error *err)
{
	struct turn_work work = {
		.service = service, .caller = caller, .request = request, .arena = arena
	};
	bool can_be_known = request->key.len > 0 || request->response_id.len > 0;
	bool known = false, ok;
	struct error mine = { 0 };

	if (!name_all(&work))
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	hash_all(&work);
	wait_begin(&work.wait, service, TRY_MS);
	ok = check(&work, &mine) && (!can_be_known || turn_known(&work, &known, &mine)) &&
	     (known || (is_let_in(request, &mine) && begin_new(&work, &mine)));
	wait_end(&work.wait);
	if (ok)
		*out = work.turn;
	else if (err)
		*err = mine;
	return ok;
}

void service_turn_drop(struct service *service, struct turn *turn)
{
	buffer_done(&turn->start.body);
	end_unasked(service, turn->start.spool, STATUS_INTERRUPTED, NULL);
	engine_give_room(service->engine);
	turn->start = (struct run_start){ 0 };
}
