/*
 * llm_call: one call of the C1 API as it runs: head, then a stream of events, or the body of an
 * error.
 *
 *   AWAIT_HEAD --200, an event stream--> STREAM --[DONE]--> DONE
 *        '------anything else----------> REFUSAL (its body is read for the names of the error)
 *
 * The owner may cancel from any of its events, and the call may end in the middle of a body's
 * bytes: while one of the transfer's events is being handled the call stays, and leave() at its end
 * does what has become due.
 */
#include "llm/llm.h"

#include "base/id.h"
#include "base/log.h"
#include "base/metrics.h"
#include "delta.h"
#include "llm/c1.h"
#include "llm_ending.h"
#include "llm_head.h"
#include "sse.h"
#include <stdlib.h>

#define REFUSAL_MAX   4096
#define KEPT          8192 /* of the scratch between two deltas */
#define WORD_MAX      64   /* of an error's name in the log */
#define BAD_FRAMES    100  /* more of them end the call */
#define REFUSAL_MS    1000 /* for the rest of an error's body */
#define AFTER_STOP_MS 3000 /* for usage and [DONE] behind a finish_reason */
#define AFTER_DONE_MS 250  /* for the body's end behind [DONE]; in time, the connection is kept */

/* The names of an error that the upstream told of. */
struct words {
	char type[WORD_MAX + 1], code[WORD_MAX + 1];
};

/* There are thousands of them, and nearly all are silent at any time: what only some need lies
 * outside. */
struct llm_call {
	struct net_transfer *transfer; /* NULL once it is over */
	const struct llm_events *events;
	void *ctx;
	struct llm *llm;
	enum { AWAIT_HEAD, STREAM, DONE, REFUSAL } state;
	bool inside;    /* an event of the transfer is being handled */
	bool cancelled; /* meanwhile */
	bool has_ending;
	bool any_text;
	struct sse sse;
	struct c1_stream c1;
	const char *run_id;
	struct buffer refusal; /* its body */
	struct words *words;   /* NULL: none, or no memory for them */
	enum llm_ending ending;
	int status;
	int retry_after_s;
	int bad_frames;
	struct usage usage;
	char finish_reason[sizeof((struct llm_end *)NULL)->finish_reason];
};

/* The last usage counts: some send one with each delta, the sum so far. */
static void count_tokens(enum metric_tokens_kind kind, int64_t n)
{
	if (n > 0)
		metrics_add(M_TOKENS, (int)kind, 0, (uint64_t)n);
}

static void call_free(struct llm_call *call)
{
	count_tokens(METRIC_TOKENS_input, call->usage.input);
	count_tokens(METRIC_TOKENS_output, call->usage.output);
	sse_done(&call->sse);
	c1_stream_done(&call->c1);
	buffer_done(&call->refusal);
	free(call->words);
	free(call);
}

static void close_transfer(struct llm_call *call)
{
	if (call->transfer)
		net_cancel(call->transfer);
	call->transfer = NULL;
}

/* How the call ends is settled; the first word counts. */
static void settle(struct llm_call *call, enum llm_ending ending)
{
	if (!call->has_ending)
		call->ending = ending;
	call->has_ending = true;
}

/* What was appended is the owner's, unless not all of it could be: then none is. */
static void give_text(struct llm_call *call, struct buffer *to, size_t before, bool is_whole)
{
	if (!is_whole)
		buffer_cut(to, before);
	call->any_text = call->any_text || to->len > before;
	call->events->text(call->ctx, to->len - before);
}

/* A name may go to the log; anything else may be what somebody wrote to the model. */
static void take_word(char word[WORD_MAX + 1], struct slice text)
{
	if (text.len > WORD_MAX || !id_valid(text))
		text = SLICE("");
	memcpy(word, text.ptr, text.len);
	word[text.len] = '\0';
}

static void take_error(struct llm_call *call, const struct delta *delta)
{
	if (!call->words && !(call->words = calloc(1, sizeof *call->words)))
		return;
	take_word(call->words->type, delta->error_type);
	take_word(call->words->code, delta->error_code);
}

static void log_ending(const struct llm_call *call)
{
	static const struct words none;
	const struct words *words = call->words ? call->words : &none;

	log_warn("upstream error", LOG_T("run", call->run_id),
		 LOG_T("kind", llm_ending_word(call->ending)), LOG_I("status", call->status),
		 LOG_T("type", words->type), LOG_T("code", words->code));
}

/* Closes what is open in the text. */
static void end_text(struct llm_call *call)
{
	struct buffer *to = call->events->room(call->ctx);
	size_t before = to->len;
	bool is_good = llm_ending_is_good(call->ending);
	bool is_whole = c1_stream_end(&call->c1, is_good, to);

	if (is_good && !is_whole) /* but for its end */
		call->ending = ENDING_NO_MEMORY;
	give_text(call, to, before, is_whole);
}

/* The owner's last events. */
static void tell_end(struct llm_call *call)
{
	struct llm_end end = { .usage = call->usage };

	end_text(call);
	if (!llm_ending_is_good(call->ending))
		log_ending(call);
	if (call->cancelled)
		return;
	memcpy(end.finish_reason, call->finish_reason, sizeof end.finish_reason);
	llm_ending_tell(call->ending, call->retry_after_s, &end);
	if (call->status / 100 == 4) /* refused at the door */
		end.asked = false;
	call->events->end(call->ctx, &end);
}

static void enter(struct llm_call *call)
{
	call->inside = true;
}

static void leave(struct llm_call *call)
{
	if (call->has_ending && !call->cancelled)
		tell_end(call);
	call->inside = false;
	if (!call->has_ending && !call->cancelled)
		return;
	close_transfer(call);
	call_free(call);
}

/* --- the frames of a stream --- */

static void take_finish_reason(struct llm_call *call, struct slice reason)
{
	bool is_fit = reason.len < sizeof call->finish_reason;

	for (size_t i = 0; is_fit && i < reason.len; i++)
		is_fit = reason.ptr[i] > 0x20 && reason.ptr[i] < 0x7F && reason.ptr[i] != '"' &&
			 reason.ptr[i] != '\\';
	if (!is_fit)
		reason = SLICE("unknown");
	if (reason.len == 0)
		return;
	memcpy(call->finish_reason, reason.ptr, reason.len);
	call->finish_reason[reason.len] = '\0';
	net_deadline(call->transfer, AFTER_STOP_MS);
}

static void take_usage(struct llm_call *call, const struct delta *delta)
{
	int64_t input = delta->input_tokens, output = delta->output_tokens;
	int64_t total = delta->total_tokens;

	if (input < 0 && output < 0 && total < 0)
		return;
	input = input < 0 ? 0 : input;
	output = output < 0 ? 0 : output;
	call->usage = (struct usage){ input, output, total < 0 ? input + output : total };
}

static void drop_frame(struct llm_call *call)
{
	metrics_add(M_UPSTREAM_DROPPED, 0, 0, 1);
	if (call->state == STREAM && ++call->bad_frames > BAD_FRAMES)
		settle(call, ENDING_PROTOCOL);
}

/* As C1 text to where the owner keeps it. */
static bool take_content(struct llm_call *call, struct slice content)
{
	struct buffer *to = call->events->room(call->ctx);
	size_t before = to->len;
	bool ok = c1_stream_feed(&call->c1, content, to);

	give_text(call, to, before, ok);
	return ok;
}

static void take_delta(struct llm_call *call, const struct delta *delta)
{
	if (delta->error.ptr) {
		take_error(call, delta);
		settle(call, ENDING_ERROR_OBJECT);
		return;
	}
	if (delta->content.len && !take_content(call, delta->content))
		settle(call, ENDING_NO_MEMORY);
	if (call->cancelled)
		return;
	if (delta->has_usage)
		take_usage(call, delta);
	if (delta->finish_reason.ptr)
		take_finish_reason(call, delta->finish_reason);
}

/* One event of the stream. */
static bool on_frame(void *ctx, struct slice data)
{
	struct llm_call *call = ctx;
	struct buffer *scratch = &call->llm->scratch;
	struct delta delta;

	buffer_shrink(scratch, KEPT);
	if (call->state != DONE && slice_is(data, "[DONE]")) {
		call->state = DONE;
		net_deadline(call->transfer, AFTER_DONE_MS);
	} else if (call->state != DONE && delta_read(data, scratch, &delta)) {
		take_delta(call, &delta);
	} else if (scratch->failed) {
		settle(call, ENDING_NO_MEMORY);
	} else if (data.len || call->state == DONE) {
		drop_frame(call);
	}
	return !call->cancelled && !call->has_ending;
}

/* --- the transfer's events --- */

static bool is_event_stream(struct slice content_type)
{
	static const struct slice type = { "text/event-stream", 17 };

	return content_type.len == 0 || (content_type.len >= type.len &&
					 strncasecmp(content_type.ptr, type.ptr, type.len) == 0);
}

static void on_head(void *ctx, const struct net_response *response)
{
	struct llm_call *call = ctx;

	call->status = response->status;
	call->retry_after_s = response->retry_after_s;
	if (response->status == 200 && is_event_stream(response->content_type)) {
		call->state = STREAM;
		return;
	}
	call->state = REFUSAL;
	net_deadline(call->transfer, REFUSAL_MS);
}

/* All of the refusal's body is here, or as much as is looked at. */
static void end_refusal(struct llm_call *call)
{
	struct delta delta;

	buffer_shrink(&call->llm->scratch, KEPT);
	if (delta_read(buffer_slice(&call->refusal), &call->llm->scratch, &delta))
		take_error(call, &delta);
	settle(call, call->status == 200 ? ENDING_NO_STREAM : llm_ending_of_status(call->status));
}

static void take_refusal(struct llm_call *call, struct slice bytes)
{
	size_t room = REFUSAL_MAX - call->refusal.len;

	if (bytes.len > room)
		bytes.len = room;
	buffer_append(&call->refusal, bytes);
	if (bytes.len == room)
		end_refusal(call);
}

static void take_stream(struct llm_call *call, struct slice bytes)
{
	switch (sse_feed(&call->sse, bytes, on_frame, call)) {
	case SSE_TOO_LONG: settle(call, ENDING_PROTOCOL); break;
	case SSE_NO_MEMORY: settle(call, ENDING_NO_MEMORY); break;
	case SSE_OK:
	case SSE_STOPPED: break;
	}
}

static void on_body(void *ctx, struct slice bytes)
{
	struct llm_call *call = ctx;

	enter(call);
	call->events->byte(call->ctx);
	if (call->cancelled)
		;
	else if (call->state == REFUSAL)
		take_refusal(call, bytes);
	else
		take_stream(call, bytes);
	leave(call);
}

static void on_end(void *ctx, enum net_failure failure)
{
	struct llm_call *call = ctx;
	bool is_said = call->state == DONE || *call->finish_reason;

	enter(call);
	call->transfer = NULL;
	if (call->state == REFUSAL)
		end_refusal(call);
	else if (is_said)
		settle(call, llm_ending_of_reason(call->finish_reason));
	else
		settle(call, llm_ending_of_failure(failure, call->any_text));
	leave(call);
}

static const struct net_events transfer_events = { on_head, on_body, on_end };

/* --- the door --- */

static struct llm_call *call_new(struct llm *llm, const char *run_id,
				 const struct llm_events *events, void *ctx)
{
	struct llm_call *call = calloc(1, sizeof *call);

	if (!call)
		return NULL;
	call->llm = llm;
	call->events = events;
	call->ctx = ctx;
	call->run_id = run_id;
	call->usage = USAGE_UNKNOWN;
	call->retry_after_s = -1;
	sse_init(&call->sse);
	c1_stream_init(&call->c1);
	buffer_init(&call->refusal, REFUSAL_MAX);
	return call;
}

static struct net_request request_of(const struct config *config, const struct llm_head *head)
{
	return (struct net_request){ .url = head->url,
				     .headers = head->headers,
				     .ca_file = config->ca_file,
				     .connect_ms = config->connect_ms,
				     .is_stream = true };
}

void llm_dial_ahead(struct llm *llm, int64_t ms)
{
	struct llm_head head;
	struct net_request request = request_of(llm->config, &head);

	if (llm->config->api_key && llm_head_write(llm->config, &head, NULL))
		net_dial_ahead(llm->multi, &request, ms);
}

struct llm_call *llm_start(struct llm *llm, const char *run_id, struct buffer *body,
			   const struct llm_events *events, void *ctx, struct error *err)
{
	struct llm_head head;
	struct net_request request = request_of(llm->config, &head);
	struct llm_call *call = NULL;

	if (!llm_head_write(llm->config, &head, err))
		goto fail;
	call = call_new(llm, run_id, events, ctx);
	if (!call) {
		error_set(err, ERROR_OVERLOADED, "There is no memory for the answer; try again.");
		goto fail;
	}
	call->transfer = net_start(llm->multi, &request, body, &transfer_events, call, err);
	if (call->transfer)
		return call;
	call_free(call);
fail:
	buffer_done(body);
	return NULL;
}

void llm_cancel(struct llm_call *call)
{
	call->cancelled = true;
	close_transfer(call);
	if (!call->inside)
		call_free(call);
}

void llm_init(struct llm *llm, struct net_multi *multi, const struct config *config)
{
	*llm = (struct llm){ .multi = multi, .config = config };
	buffer_init(&llm->scratch, SSE_LINE_MAX);
}

void llm_done(struct llm *llm)
{
	buffer_done(&llm->scratch);
}
