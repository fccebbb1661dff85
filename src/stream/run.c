/* run: see run.h. */
#include "run.h"

#include "base/clock.h"
#include "base/crashpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/utf8.h"
#include "fault.h"
#include "unattended.h"
#include <stdlib.h>

/* What each piece of text touches comes first. */
struct run {
	struct runs *runs;
	struct run *next_fresh; /* of those that have something to hand on this round */
	bool is_fresh;
	bool is_ours;
	bool any_text;
	enum run_state state;
	struct spool *spool;
	struct readers readers;
	struct fresh fresh; /* text of this round */
	struct source *source;
	struct run *next, *prev;      /* of all */
	int64_t arrived_ms, ended_ms; /* monotonic */
	struct loop_timer deadline;   /* while it flows: of the whole; then: for the store */
	struct unattended alone;      /* while nobody on this worker reads it */
	enum message_status status;
	struct fault fault; /* how it failed */
};

static void finish(struct run *run, const struct source_end *how);

/* --- questions --- */

const struct spool_record *run_record(const struct run *run)
{
	return spool_record(run->spool);
}

const char *run_id(const struct run *run)
{
	return run_record(run)->run_id;
}

bool run_is_ours(const struct run *run)
{
	return run->is_ours;
}

bool run_is_over(const struct run *run)
{
	return run->state == RUN_OVER;
}

enum message_status run_status(const struct run *run)
{
	return run->status;
}

const struct error *run_error(const struct run *run)
{
	return fault_error(&run->fault);
}

int64_t run_ended_ms(const struct run *run)
{
	return run->ended_ms;
}

size_t run_readers(const struct run *run)
{
	return run->readers.count;
}

bool run_has_in_memory(const struct run *run, int64_t offset)
{
	return fresh_has(&run->fresh, offset);
}

struct slice run_piece(const struct run *run, int64_t offset, size_t max, char *chunk)
{
	struct slice piece = { chunk, 0 };
	int64_t n;

	if (offset >= run_record(run)->length)
		return piece;
	if (fresh_has(&run->fresh, offset))
		return fresh_piece(&run->fresh, offset, max);
	/* What lies behind the piece is not seen here: its own end tells where to cut. */
	n = spool_read(run->spool, offset, chunk, max);
	if (n < 0)
		return (struct slice){ NULL, 0 };
	piece.len = (size_t)n;
	piece.len -= utf8_partial_tail(piece);
	return piece;
}

/* --- handing on --- */

static void set_fresh(struct run *run)
{
	if (run->is_fresh)
		return;
	run->is_fresh = true;
	run->next_fresh = run->runs->fresh;
	run->runs->fresh = run;
}

/* Nobody may see more than is kept. */
static bool keep_fresh(struct run *run)
{
	struct error err = { 0 };

	if (fresh_keep(&run->fresh, run->spool, &err))
		return true;
	metrics_add(M_SPOOL_ERRORS, 0, 0, 1);
	log_error("spool write failed", LOG_T("run", run_id(run)));
	fault_set(&run->fault, &err);
	return false;
}

/* From outside of its source, which is over with it. */
static void break_off(struct run *run, enum message_status status)
{
	const struct source_end how = { .status = status,
					.finish_reason = "",
					.usage = USAGE_UNKNOWN,
					.asked = run_record(run)->asked,
					.error = *run_error(run) };

	if (run->state >= RUN_SAVING)
		return;
	if (run->source)
		run->source->ops->free(run->source);
	run->source = NULL;
	finish(run, &how);
}

static void hand_on(struct run *run)
{
	if (run->state < RUN_SAVING && !keep_fresh(run)) {
		break_off(run, STATUS_INTERRUPTED);
		return;
	}
	CRASHPOINT("run_appended");
	readers_more(&run->readers);
	CRASHPOINT("run_sent");
	fresh_drop(&run->fresh, &run->runs->pool);
}

/* --- its end --- */

/* Breaks it off for a reason of ours. */
static void fail(struct run *run, enum message_status status, enum error_code code,
		 const char *detail)
{
	fault_name(&run->fault, code, detail);
	break_off(run, status);
}

/* Cut before its first byte, by a death or a stop: nobody shall take that for an empty answer. */
static void name_empty_end(struct run *run)
{
	const struct spool_record *record = run_record(run);

	if (run_error(run)->code != ERROR_NONE || run->status != STATUS_INTERRUPTED ||
	    record->length > 0)
		return;
	if (run->is_ours || !record->asked)
		fault_name(&run->fault, ERROR_OVERLOADED,
			   "The answer was interrupted before it began; ask again.");
	else /* the same ids would only lead back to this run */
		fault_name(&run->fault, ERROR_UPSTREAM,
			   "This question was asked before and could not be answered; ask anew.");
}

static void count_end(const struct run *run)
{
	metrics_add(M_CHAT_REQUESTS, (int)run->status - STATUS_COMPLETE, 0, 1);
	metrics_observe_us(M_CHAT_SECONDS, 0, (run->ended_ms - run->arrived_ms) * 1000);
}

/* The spool says how it ended, whoever is told of it. */
static void write_end(struct run *run, const struct source_end *how)
{
	const struct error *failed = run_error(run);
	const struct spool_ending ending = {
		.status = run->status,
		.finish_reason = how->finish_reason,
		.error_word = failed->code ? error_word(failed->code) : NULL,
		.usage = how->usage,
		.asked = how->asked,
		.now_ms = clock_wall_ms(),
	};

	CRASHPOINT("run_before_end");
	if (!spool_end(run->spool, &ending, NULL))
		metrics_add(M_SPOOL_ERRORS, 0, 0, 1);
	CRASHPOINT("run_ended");
	board_set_state(run->runs->board, run_id(run), BOARD_ENDED);
	count_end(run);
	log_info("run ended", LOG_T("run", run_id(run)),
		 LOG_T("status", message_status_text(run->status)),
		 LOG_I("bytes", run_record(run)->length),
		 LOG_T("error", ending.error_word ? ending.error_word : ""));
	run->runs->calls.ended(run->runs->ctx, spool_ref(run->spool));
}

static void finish(struct run *run, const struct source_end *how)
{
	struct runs *runs = run->runs;

	if (run->state >= RUN_SAVING)
		return;
	fault_set(&run->fault, &how->error);
	run->status = how->status;
	if (run->is_ours && !keep_fresh(run))
		run->status = STATUS_INTERRUPTED;
	run->state = run_next(run->state, RUN_END);
	run->ended_ms = loop_now_ms(runs->loop);
	unattended_end(&run->alone);
	if (run->is_ours)
		write_end(run, how);
	/* If the store is slow, the spool is the promise, whoever reads it. */
	loop_set_timer(runs->loop, &run->deadline, run->ended_ms + runs->config->save_wait_ms);
	name_empty_end(run);
	set_fresh(run); /* the last text is still to be sent */
}

void run_saved(struct run *run)
{
	if (run->state != RUN_SAVING)
		return;
	run->state = run_next(run->state, RUN_SAVED);
	loop_clear_timer(run->runs->loop, &run->deadline);
	CRASHPOINT("run_saved");
	set_fresh(run);
}

void run_halt(struct run *run)
{
	if (run->is_ours)
		break_off(run, STATUS_STOPPED);
}

static void on_deadline(struct loop_timer *timer)
{
	struct run *run = timer->owner;

	if (run->state == RUN_SAVING) {
		run_saved(run);
		return;
	}
	metrics_add(M_UPSTREAM_ERRORS, METRIC_UPSTREAM_timeout, 0, 1);
	log_warn("upstream too slow", LOG_T("run", run_id(run)), LOG_T("deadline", "total"));
	fail(run, STATUS_ERROR, ERROR_UPSTREAM_TIMEOUT, "The answer took too long and was cut.");
}

/* --- what its source says --- */

static struct buffer *on_room(void *ctx)
{
	struct run *run = ctx;

	return fresh_room(&run->fresh, &run->runs->pool);
}

/* Of what is beyond the longest answer nothing is kept; whole characters only. */
static bool is_cut_to_cap(struct run *run)
{
	struct buffer *text = &run->fresh.text;
	int64_t left = run->runs->config->answer_max - run_record(run)->length;

	if ((int64_t)text->len <= left)
		return false;
	buffer_cut(text, left > 0 ? utf8_cut(buffer_slice(text), (size_t)left) : 0);
	return true;
}

static void note_first_text(struct run *run)
{
	run->any_text = true;
	run->state = run_next(run->state, RUN_TEXT);
	metrics_observe_us(M_FIRST_BYTE_SECONDS, 0,
			   (loop_now_ms(run->runs->loop) - run->arrived_ms) * 1000);
}

static void on_text(void *ctx, size_t len)
{
	struct run *run = ctx;
	bool is_full = is_cut_to_cap(run);

	if (len > 0 && !run->any_text)
		note_first_text(run);
	set_fresh(run); /* without any, the memory is given back then */
	if (is_full)
		break_off(run, STATUS_LENGTH);
	else if (run->fresh.text.len > FRESH_FULL) /* an upstream that never pauses for breath */
		hand_on(run);
}

static void on_grown(void *ctx)
{
	set_fresh(ctx);
}

static void on_end(void *ctx, const struct source_end *how)
{
	finish(ctx, how);
}

static void on_saved(void *ctx)
{
	run_saved(ctx);
}

void run_take(struct run *run, struct source *source)
{
	static const struct source_events events = { on_room, on_text, on_grown, on_end, on_saved };
	struct error err = { .code = ERROR_NONE };

	if (run->source)
		run->source->ops->free(run->source);
	run->source = source;
	if (!source) {
		fail(run, STATUS_ERROR, ERROR_OVERLOADED, "No memory for another answer.");
		if (!run->is_ours) /* nobody else would say so */
			run_saved(run);
		return;
	}
	source->events = &events;
	source->ctx = run;
	/* Before the model is: a death behind it must not let the question be asked again. */
	if (run->is_ours && !run_record(run)->asked && !spool_mark_asked(run->spool, &err)) {
		fault_set(&run->fault, &err);
		break_off(run, STATUS_ERROR);
		return;
	}
	source->ops->begin(source);
}

/* --- readers --- */

void run_join(struct run *run, struct run_reader *reader)
{
	struct runs *runs = run->runs;

	readers_add(&run->readers, reader);
	unattended_end(&run->alone);
	/* Too late to be counted when the run is being superseded: then it sees how that ends. */
	if (run->readers.count == 1)
		board_follow(runs->board, run_id(run), runs->slot, true);
	if (run->is_ours && run->state < RUN_SAVING)
		board_set_state(runs->board, run_id(run), BOARD_RUNNING);
}

void run_leave(struct run *run, struct run_reader *reader)
{
	struct runs *runs = run->runs;

	readers_remove(&run->readers, reader);
	if (run->readers.count > 0)
		return;
	set_fresh(run); /* it may be that nobody needs it any more */
	board_follow(runs->board, run_id(run), runs->slot, false);
	if (!run->is_ours || run->state >= RUN_SAVING)
		return;
	unattended_begin(&run->alone);
}

/* --- life --- */

static struct run *run_new(struct runs *runs, struct spool *spool)
{
	struct run *run = calloc(1, sizeof *run);

	if (!run)
		return NULL;
	run->runs = runs;
	run->spool = spool;
	run->arrived_ms = loop_now_ms(runs->loop);
	run->deadline = (struct loop_timer){ .fire = on_deadline, .owner = run };
	run->alone.loop = runs->loop;
	fresh_init(&run->fresh);
	run->next = runs->all;
	if (run->next)
		run->next->prev = run;
	runs->all = run;
	return run;
}

struct run *run_seen(struct runs *runs, struct spool *spool)
{
	return run_new(runs, spool);
}

static void on_deserted(void *run)
{
	break_off(run, STATUS_STOPPED);
}

static void on_ask_stop(void *ctx, const char *id)
{
	const struct runs *runs = ((struct run *)ctx)->runs;

	runs->calls.ask_stop(runs->ctx, id);
}

struct run *run_ours(struct runs *runs, struct run_start *start)
{
	struct run *run = run_new(runs, start->spool);

	if (!run)
		return NULL;
	start->spool = NULL;
	run->is_ours = true;
	run->alone = (struct unattended){ .loop = runs->loop,
					  .config = runs->config,
					  .board = runs->board,
					  .run_id = run_id(run),
					  .user_key = run_record(run)->user_key,
					  .leave = start->leave,
					  .grace_ms = start->grace_ms,
					  .deserted = on_deserted,
					  .ask_stop = on_ask_stop,
					  .ctx = run };
	run->arrived_ms = start->arrived_ms;
	loop_set_timer(runs->loop, &run->deadline,
		       loop_now_ms(runs->loop) + runs->config->total_ms);
	CRASHPOINT("run_begun");
	return run;
}

static void run_free(struct run *run)
{
	struct runs *runs = run->runs;

	if (run->source)
		run->source->ops->free(run->source);
	loop_clear_timer(runs->loop, &run->deadline);
	unattended_end(&run->alone);
	if (run->prev)
		run->prev->next = run->next;
	else
		runs->all = run->next;
	if (run->next)
		run->next->prev = run->prev;
	fresh_done(&run->fresh);
	fault_done(&run->fault);
	spool_unref(run->spool);
	free(run);
}

static bool is_needed(const struct run *run)
{
	return run->readers.count > 0 || (run->is_ours && run->state != RUN_OVER);
}

void runs_flush(struct runs *runs)
{
	struct run *run;

	while ((run = runs->fresh)) {
		runs->fresh = run->next_fresh;
		run->is_fresh = false;
		hand_on(run);
		if (is_needed(run) || run->is_fresh)
			continue;
		runs->calls.gone(runs->ctx, run);
		run_free(run);
	}
}

void runs_cut(struct runs *runs)
{
	struct run *next;

	runs->is_cut = true;
	for (struct run *run = runs->all; run; run = next) {
		next = run->next;
		if (run->is_ours)
			break_off(run, STATUS_INTERRUPTED);
		readers_cut(&run->readers);
	}
}

void runs_done(struct runs *runs)
{
	fresh_pool_done(&runs->pool);
}
