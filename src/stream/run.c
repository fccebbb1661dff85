/*
 * run: one answer: the upstream's text goes into the spool, then to the followers; when it ends,
 * however it ends, the spool says so, a saver gets it, and only then do the followers' bodies
 * close.
 */
#include "engine_room.h"

#include "base/clock.h"
#include "base/crashpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/utf8.h"
#include <stdlib.h>

#define UNATTENDED_AT_ONCE 16
#define LOOK_MS            1000      /* how often followers of other workers are looked for */
#define FRESH_KEPT         2048      /* bytes that an idle run keeps for its next text */
#define FRESH_MAX          (2 << 20) /* one round's text; half of it is handed on at once */

const char *run_id(const struct run *run)
{
	return spool_record(run->spool)->run_id;
}

static void on_byte(void *ctx)
{
	struct run *run = ctx;

	run->any_byte = true;
	run->last_byte_ms = loop_now_ms(run->engine->loop);
}

/* How much of text still fits under the cap, whole characters only. */
static struct slice under_cap(const struct run *run, struct slice text)
{
	int64_t left = run->engine->config->answer_max - spool_record(run->spool)->length -
		       (int64_t)run->fresh.len;

	if ((int64_t)text.len <= left)
		return text;
	return (struct slice){ text.ptr, left > 0 ? utf8_cut(text, (size_t)left) : 0 };
}

static void hand_on(struct run *run);

static void on_text(void *ctx, struct slice text)
{
	struct run *run = ctx;
	struct engine *engine = run->engine;
	struct slice fits = under_cap(run, text);

	/* An upstream that never pauses for breath: the round has to hand on before it is over. */
	if (run->fresh.len + fits.len > FRESH_MAX / 2) {
		hand_on(run);
		if (run->state >= RUN_SAVING)
			return;
	}

	metrics_add(M_CHUNKS, 0, 0, 1);
	if (!run->any_text) {
		run->any_text = true;
		run->state = run_next(run->state, RUN_TEXT);
		metrics_observe_us(M_FIRST_BYTE_SECONDS, 0,
				   (loop_now_ms(engine->loop) - run->arrived_ms) * 1000);
	}
	if (!buffer_append(&run->fresh, fits)) {
		error_set(&run->error, ERROR_SPOOL, "The answer could not be kept.");
		run_finish(run, STATUS_INTERRUPTED, NULL);
		return;
	}
	if (!run->is_dirty) {
		run->is_dirty = true;
		run->next_dirty = engine->dirty;
		engine->dirty = run;
	}
	if (fits.len < text.len)
		run_finish(run, STATUS_LENGTH, NULL);
}

static void on_end(void *ctx, const struct llm_end *end)
{
	struct run *run = ctx;

	run->call = NULL; /* gone by itself: nothing to cancel */
	run->error = end->error;
	llm_health_note(run->engine->shm, end->verdict);
	run_finish(run, end->outcome, end);
}

static void on_alone(struct loop_timer *timer);

static const struct llm_events run_events = { .byte = on_byte, .text = on_text, .end = on_end };

struct run *run_begin(struct engine *engine, struct run_start *start)
{
	struct run *run = calloc(1, sizeof *run);

	if (!run)
		return NULL;
	run->engine = engine;
	run->spool = start->spool;
	run->leave = start->leave;
	run->grace_ms = start->grace_ms;
	run->fresh_at = -1;
	run->arrived_ms = start->arrived_ms;
	run->started_ms = run->last_byte_ms = loop_now_ms(engine->loop);
	buffer_init(&run->fresh, FRESH_MAX);
	run->alone = (struct loop_timer){ .fire = on_alone, .owner = run };
	CRASHPOINT("run_begun");
	spool_mark_asked(run->spool, NULL);
	run->call = llm_start(engine->multi, engine->config, run_id(run), &start->body, &run_events,
			      run, &run->error);
	if (!run->call) {
		const struct llm_end never = { .usage = USAGE_UNKNOWN, .asked = false };
		run_finish(run, STATUS_ERROR, &never);
	}
	return run;
}

void run_free(struct run *run)
{
	if (run->call)
		llm_cancel(run->call);
	if (run->is_view)
		notices_forget(run->engine, run->notice);
	loop_clear_timer(run->engine->loop, &run->alone);
	buffer_done(&run->fresh);
	spool_unref(run->spool);
	free(run);
}

/* What the spool does not take is no part of the answer: nobody may see more than is kept. */
static bool keep_fresh(struct run *run)
{
	struct error err = { 0 };

	if (run->fresh.len == 0 || run->fresh_at >= 0)
		return true;
	CRASHPOINT("run_before_append");
	if (spool_append(run->spool, buffer_slice(&run->fresh), &err)) {
		run->fresh_at = spool_record(run->spool)->length - (int64_t)run->fresh.len;
		return true;
	}
	metrics_add(M_SPOOL_ERRORS, 0, 0, 1);
	log_error("spool write failed", LOG_T("run", run_id(run)));
	buffer_reset(&run->fresh);
	run->error = err;
	return false;
}

void run_pump(struct run *run)
{
	struct follower *next;

	for (struct follower *f = run->followers; f; f = next) {
		next = f->next;
		follower_pump(f);
	}
}

/* What is fresh goes into the spool, then to the followers. */
static void hand_on(struct run *run)
{
	if (run->state < RUN_SAVING && !keep_fresh(run)) {
		run_finish(run, STATUS_INTERRUPTED, NULL);
		return;
	}
	CRASHPOINT("run_appended");
	run_pump(run);
	CRASHPOINT("run_sent");
	if (run->fresh.size > FRESH_KEPT) {
		buffer_done(&run->fresh);
		buffer_init(&run->fresh, FRESH_MAX);
	}
	buffer_reset(&run->fresh);
	run->fresh_at = -1;
}

void run_flush(struct run *run)
{
	run->is_dirty = false;
	hand_on(run);
}

static void count_end(const struct run *run, enum message_status status)
{
	metrics_add(M_CHAT_REQUESTS, (int)status - STATUS_COMPLETE, 0, 1);
	metrics_observe_us(M_CHAT_SECONDS, 0, (run->ended_ms - run->arrived_ms) * 1000);
}

void run_finish(struct run *run, enum message_status status, const struct llm_end *said)
{
	struct engine *engine = run->engine;
	struct spool_ending ending = {
		.finish_reason = said ? said->finish_reason : NULL,
		.usage = said ? said->usage : USAGE_UNKNOWN,
		.asked = !said || said->asked,
		.now_ms = clock_wall_ms(),
	};

	if (run->state >= RUN_SAVING)
		return;
	if (run->call)
		llm_cancel(run->call);
	run->call = NULL;
	if (!keep_fresh(run))
		status = STATUS_INTERRUPTED;
	run->state = run_next(run->state, RUN_END);
	run->ended_ms = loop_now_ms(engine->loop);
	loop_clear_timer(engine->loop, &run->alone);
	ending.status = status;
	ending.error_word = run->error.code ? error_word(run->error.code) : NULL;
	CRASHPOINT("run_before_end");
	if (!spool_end(run->spool, &ending, NULL))
		metrics_add(M_SPOOL_ERRORS, 0, 0, 1);
	board_set_state(engine->board, run_id(run), BOARD_ENDED);
	CRASHPOINT("run_ended");
	count_end(run, status);
	log_info("run ended", LOG_T("run", run_id(run)),
		 LOG_T("status", message_status_text(status)),
		 LOG_I("bytes", spool_record(run->spool)->length),
		 LOG_T("error", run->error.code ? error_word(run->error.code) : ""));
	engine->hooks.ended(engine->hooks.ctx, spool_ref(run->spool));
	if (!run->is_dirty) { /* the last text is still to be sent */
		run->is_dirty = true;
		run->next_dirty = engine->dirty;
		engine->dirty = run;
	}
}

void run_saved(struct run *run)
{
	if (run->state != RUN_SAVING)
		return;
	run->state = run_next(run->state, RUN_SAVED);
	CRASHPOINT("run_saved");
	run_pump(run);
}

/* --- while nobody of this worker follows it --- */

/* The oldest of its user's runs that nobody follows are stopped, as many as are too many. */
static void hold_the_cap(const struct run *run)
{
	const struct engine *engine = run->engine;
	struct board_entry oldest[UNATTENDED_AT_ONCE];
	size_t count = board_unattended(engine->board, spool_record(run->spool)->user_key,
					loop_now_ms(engine->loop) - engine->config->unattended_ms,
					oldest, UNATTENDED_AT_ONCE);
	size_t allowed = (size_t)engine->config->unattended_max;

	for (size_t i = 0; i < UNATTENDED_AT_ONCE && count > allowed; i++, count--) {
		log_notice("run stopped: nobody follows it and its user has others",
			   LOG_T("run", oldest[i].run_id));
		notices_ask_stop(engine, oldest[i].run_id);
	}
}

/* Since when nobody at all follows it; 0: somebody does, on another worker. */
static int64_t unfollowed_since(const struct run *run)
{
	struct board_entry entry;

	if (board_find(run->engine->board, run_id(run), &entry))
		return entry.unfollowed_ms;
	return run->alone_ms;
}

/* How long it may be alone, then what. That readers of other workers leave nobody tells, so while
 * there are any it is looked again. */
static void on_alone(struct loop_timer *timer)
{
	struct run *run = timer->owner;
	struct engine *engine = run->engine;
	const struct config *config = engine->config;
	int64_t now_ms = loop_now_ms(engine->loop), since_ms = unfollowed_since(run);
	int64_t patience_ms = run->leave == LEAVE_CONTINUE ? config->unattended_ms : run->grace_ms;

	if (since_ms == 0)
		loop_set_timer(engine->loop, timer, now_ms + LOOK_MS);
	else if (now_ms - since_ms < patience_ms)
		loop_set_timer(engine->loop, timer, since_ms + patience_ms);
	else if (run->leave != LEAVE_CONTINUE)
		run_finish(run, STATUS_STOPPED, NULL);
	else
		hold_the_cap(run);
}

void run_left(struct run *run)
{
	struct engine *engine = run->engine;

	if (run->followers)
		return;
	board_follow(engine->board, run_id(run), engine->board_slot, false);
	if (run->is_view || run->state >= RUN_SAVING)
		return;
	run->alone_ms = loop_now_ms(engine->loop);
	on_alone(&run->alone);
}

/* The deadline that has passed, if one has. */
static const char *overdue(const struct run *run, int64_t now_ms)
{
	const struct config *config = run->engine->config;

	if (!run->any_byte && now_ms - run->started_ms >= config->first_byte_ms)
		return "first byte";
	if (run->any_byte && now_ms - run->last_byte_ms >= config->idle_ms)
		return "idle";
	if (now_ms - run->started_ms >= config->total_ms)
		return "total";
	return NULL;
}

static void give_up(struct run *run, const char *deadline)
{
	bool is_total = strcmp(deadline, "total") == 0;

	metrics_add(M_UPSTREAM_ERRORS, METRIC_UPSTREAM_timeout, 0, 1);
	log_warn("upstream too slow", LOG_T("run", run_id(run)), LOG_T("deadline", deadline));
	llm_health_note(run->engine->shm, is_total ? LLM_SAYS_NOTHING : LLM_FAILS);
	error_set(&run->error, ERROR_UPSTREAM_TIMEOUT,
		  is_total ? "The answer took too long and was cut."
			   : "The C1 API fell silent; try again.");
	run_finish(run, run->any_text && !is_total ? STATUS_INTERRUPTED : STATUS_ERROR, NULL);
}

/* A run that still flows: is it time to give it up? */
static void judge(struct run *run, int64_t now_ms)
{
	const char *deadline = overdue(run, now_ms);

	if (deadline)
		give_up(run, deadline);
	else if (run->engine->cut_off)
		run_finish(run, STATUS_INTERRUPTED, NULL);
}

void run_tick(struct run *run, int64_t now_ms)
{
	struct engine *engine = run->engine;
	struct follower *next;

	if (run->is_view && run->notice < 0)
		view_look(run);
	else if (!run->is_view && run->state < RUN_SAVING)
		judge(run, now_ms);
	/* From here on the spool is the promise. */
	if (run->state == RUN_SAVING && now_ms - run->ended_ms >= engine->config->save_wait_ms)
		run_saved(run);
	for (struct follower *f = run->followers; f; f = next) {
		next = f->next;
		follower_tick(f, now_ms);
	}
	if (!run->followers && (run->state == RUN_OVER || run->is_view))
		engine_forget_run(engine, run);
}
