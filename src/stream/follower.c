/*
 * follower: one client of a run. It has an offset of its own and takes what the run has beyond it:
 * from memory when it keeps up, from the spool when it fell behind. A sink that keeps a rest pauses
 * the follower, never the run.
 */
#include "engine_room.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/utf8.h"
#include "framing.h"
#include "http/problem.h"
#include "llm/c1.h"
#include <stdlib.h>

/* An ended answer's follower that takes nothing for so long is given up. */
#define LINGER_MS      (15 * 60 * 1000)
#define LINGER_STOP_MS 3000 /* while the worker stops */

struct follower *follower_new(const struct stream_options *options, struct slice headers)
{
	struct follower *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->options = *options;
	f->offset = options->offset;
	f->status = 200;
	f->first_byte_ms = -1;
	f->watch.fd = -1;
	buffer_init(&f->headers, headers.len + 1);
	if (!buffer_append(&f->headers, headers)) {
		follower_free(f);
		return NULL;
	}
	return f;
}

void follower_free(struct follower *f)
{
	if (!f)
		return;
	buffer_done(&f->headers);
	free(f);
}

static void unlink_from_run(struct follower *f)
{
	struct follower **at = &f->run->followers;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

/* The one way out: the sink is closed and its access line written. */
static void depart(struct follower *f, const char *outcome)
{
	struct run *run = f->run;
	struct engine *engine = run->engine;
	struct sink_summary summary = {
		.status = f->begun ? f->status : 499,
		.bytes = f->sent,
		.first_byte_ms = f->first_byte_ms < 0 ? -1 : f->first_byte_ms - f->taken_ms,
		.outcome = outcome,
		.run_id = run_id(run),
	};

	loop_forget(engine->loop, &f->watch);
	metrics_add(M_STREAM_BYTES, 0, 0, (uint64_t)f->sent);
	f->sink->ops->close(f->sink, &summary);
	unlink_from_run(f);
	follower_free(f);
	if (engine->slot)
		atomic_fetch_sub(&engine->slot->followers, 1);
	run_left(run);
}

static void gone(struct follower *f)
{
	metrics_add(M_CLIENTS_GONE, 0, 0, 1);
	depart(f, "client_gone");
}

/* What a call of the sink said. false: the follower is gone, or waits for room. */
static bool went_on(struct follower *f, enum sink_result result)
{
	if (result == SINK_GONE) {
		gone(f);
		return false;
	}
	f->blocked = result == SINK_BLOCKED;
	loop_watch(f->run->engine->loop, &f->watch, f->watch.fd,
		   EPOLLRDHUP | (f->blocked ? EPOLLOUT : 0));
	return !f->blocked;
}

static bool send_bytes(struct follower *f, struct slice bytes)
{
	int64_t now_ms = loop_now_ms(f->run->engine->loop);

	f->sent += (int64_t)bytes.len;
	f->last_sent_ms = now_ms;
	if (f->first_byte_ms < 0)
		f->first_byte_ms = now_ms;
	return went_on(f, f->sink->ops->send(f->sink, bytes));
}

/* The head of a success; an SSE stream then says which run it is. */
static bool begin(struct follower *f)
{
	struct buffer *scratch = &f->run->engine->scratch;

	if (f->begun)
		return true;
	f->begun = true;
	f->sink->ops->begin(f->sink, f->status, buffer_slice(&f->headers));
	buffer_done(&f->headers);
	if (f->options.format == STREAM_RAW)
		return true;
	buffer_reset(scratch);
	framing_sse_run(spool_record(f->run->spool), scratch);
	return send_bytes(f, buffer_slice(scratch));
}

/* The next piece of the answer for this follower, whole characters only, as it is in the spool;
 * empty when it has all there is. */
static struct slice next_piece(struct follower *f)
{
	struct run *run = f->run;
	int64_t length = spool_record(run->spool)->length;
	size_t max = f->options.format == STREAM_SSE ? FRAMING_SSE_TEXT_MAX : FRAMING_RAW_TEXT_MAX;
	struct slice piece = { run->engine->chunk, 0 };
	int64_t n;

	if (f->offset >= length)
		return piece;
	if (run->fresh_at >= 0 && f->offset >= run->fresh_at) {
		piece = slice_skip(buffer_slice(&run->fresh), (size_t)(f->offset - run->fresh_at));
		piece.len = utf8_cut(piece, max);
	} else {
		/* What lies behind the piece is not seen here: its own end tells where to cut. */
		n = spool_read(run->spool, f->offset, run->engine->chunk, max);
		piece.len = n > 0 ? (size_t)n : 0;
		piece.len -= utf8_partial_tail(piece);
	}
	return piece;
}

static bool send_piece(struct follower *f, struct slice piece)
{
	struct buffer *scratch = &f->run->engine->scratch;

	f->offset += (int64_t)piece.len;
	if (f->options.format == STREAM_RAW)
		return send_bytes(f, piece);
	buffer_reset(scratch);
	framing_sse_delta(spool_record(f->run->spool), f->offset, piece, scratch);
	return send_bytes(f, buffer_slice(scratch));
}

static void finish_body(struct follower *f)
{
	enum sink_result result = f->ended ? SINK_DONE : f->sink->ops->end(f->sink);

	f->ended = true;
	if (went_on(f, result))
		depart(f, message_status_text(spool_record(f->run->spool)->status));
}

/* Nothing was sent and nothing will come: a plain status with a problem body. */
static void end_with_problem(struct follower *f)
{
	struct response response;

	response_init(&response);
	buffer_append(&response.headers,
		      (struct slice){ f->headers.data, f->options.headers_kept });
	response_keep(&response);
	problem_response(&f->run->error, f->options.request_id, &response);
	f->begun = f->ending = true;
	f->status = response.status;
	f->sink->ops->begin(f->sink, response.status, buffer_slice(&response.headers));
	if (send_bytes(f, buffer_slice(&response.body)))
		finish_body(f);
	response_done(&response);
}

/* What follows the last delta, by format. It is sent as one piece; the body's end waits until it is
 * out. */
static void end_stream(struct follower *f)
{
	struct run *run = f->run;
	struct buffer *scratch = &run->engine->scratch;
	const struct error *error = &run->error;

	if (!begin(f))
		return;
	buffer_reset(scratch);
	if (f->options.format == STREAM_SSE)
		framing_sse_end(spool_record(run->spool), error, f->options.request_id, scratch);
	else if (f->options.errors_card && error->code != ERROR_NONE)
		c1_error_card(scratch, error_title(error->code), error->detail);
	f->ending = true;
	if (scratch->len == 0 || send_bytes(f, buffer_slice(scratch)))
		finish_body(f);
}

/* Cut before its first byte, by a death or a stop: nobody shall take that for an empty answer. */
static void name_empty_end(struct run *run)
{
	const struct spool_record *record = spool_record(run->spool);

	if (run->error.code == ERROR_NONE && record->status == STATUS_INTERRUPTED &&
	    record->length == 0)
		error_set(&run->error, ERROR_OVERLOADED,
			  "The answer was interrupted before it began; ask again.");
}

static void end_follower(struct follower *f)
{
	bool failed_early;

	name_empty_end(f->run);
	failed_early = f->run->error.code != ERROR_NONE && !f->begun;

	if (failed_early && !(f->options.format == STREAM_RAW && f->options.errors_card))
		end_with_problem(f);
	else
		end_stream(f);
}

void follower_pump(struct follower *f)
{
	struct slice piece;

	if (f->blocked)
		return;
	if (f->ending) {
		finish_body(f);
		return;
	}
	while ((piece = next_piece(f)).len > 0)
		if (!begin(f) || !send_piece(f, piece))
			return;
	if (f->run->state == RUN_OVER)
		end_follower(f);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
	struct follower *f = watch->owner;

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		gone(f);
		return;
	}
	if ((events & EPOLLOUT) && went_on(f, f->sink->ops->flush(f->sink)))
		follower_pump(f);
}

void follower_join(struct follower *f, struct run *run, struct sink *sink)
{
	struct engine *engine = run->engine;

	f->run = run;
	f->sink = sink;
	f->taken_ms = f->last_sent_ms = loop_now_ms(engine->loop);
	f->watch = (struct loop_watch){ .fd = -1, .ready = on_ready, .owner = f };
	f->next = run->followers;
	run->followers = f;
	loop_clear_timer(engine->loop, &run->alone);
	/* Too late to be counted when the run is being superseded: then it sees how that ends. */
	board_follow(engine->board, run_id(run), engine->board_slot, true);
	if (!run->is_view && run->state < RUN_SAVING)
		board_set_state(engine->board, run_id(run), BOARD_RUNNING);
	if (engine->slot)
		atomic_fetch_add(&engine->slot->followers, 1);
	if (!loop_watch(engine->loop, &f->watch, sink->ops->fd(sink), EPOLLRDHUP))
		gone(f);
}

/* A silent stream gets a sign of life; one that takes nothing of an ended answer is given up. */
void follower_tick(struct follower *f, int64_t now_ms)
{
	const struct run *run = f->run;
	int64_t beat_ms = f->options.format == STREAM_SSE ? run->engine->config->heartbeat_ms
							  : f->options.keepalive_ms;

	if (run->state == RUN_OVER &&
	    now_ms - run->ended_ms > (run->engine->cut_off ? LINGER_STOP_MS : LINGER_MS)) {
		gone(f);
		return;
	}
	if (beat_ms == 0 || f->blocked || f->ending || now_ms - f->last_sent_ms < beat_ms)
		return;
	if (begin(f))
		send_bytes(f, framing_heartbeat(f->options.format));
}
