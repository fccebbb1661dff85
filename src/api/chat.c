/*
 * chat: POST /api/chat, in the documented shape {"thread_id", "message"} and in the C1 client's
 * {"prompt", "threadId", "responseId"}. The answer is a stream that the engine writes; here it is
 * only prepared.
 */
#include "api_room.h"

#include <stdio.h>
#include <stdlib.h>

#define CONTENT_MAX   (256u * 1024)
#define KEY_MAX       255
#define GRACE_MAX_S   3600
#define KEEPALIVE_MAX 300
#define CARD_MAX      8192

/* --- the query --- */

bool stream_query(const struct call *call, struct stream_options *out, struct error *err)
{
	static const char *const formats[] = { "raw", "sse" }, *const errors[] = { "status",
										   "card" };
	struct stream_options options = { .format = STREAM_RAW };
	int format = 0, card = 0;
	int64_t keepalive_s;

	if (!query_word(call, "stream", formats, 2, &format, err) ||
	    !query_word(call, "errors", errors, 2, &card, err) ||
	    !request_query_int(call->request, "keepalive", 1, KEEPALIVE_MAX, 0, &keepalive_s, err))
		return false;
	options.format = format == 1 ? STREAM_SSE : STREAM_RAW;
	options.errors_card = card == 1;
	options.keepalive_ms = keepalive_s * 1000;
	options.headers_kept = call->response->kept;
	snprintf(options.request_id, sizeof options.request_id, "%s", call->request->id);
	*out = options;
	return true;
}

void stream_headers(struct response *response, const struct stream_options *options,
		    const char *run_id, const char *thread_id, const char *message_id)
{
	response->status = 200;
	response_header(response, "Content-Type",
			options->format == STREAM_SSE ? SLICE("text/event-stream; charset=utf-8")
						      : SLICE("text/plain; charset=utf-8"));
	response_header(response, "Cache-Control", SLICE("no-store, no-transform"));
	response_header(response, "X-Accel-Buffering", SLICE("no"));
	response_header(response, "X-Content-Type-Options", SLICE("nosniff"));
	if (run_id)
		response_header(response, "X-Run-Id", slice_of(run_id));
	response_header(response, "X-Thread-Id", slice_of(thread_id));
	response_header(response, "X-Response-Id", slice_of(message_id));
}

/* --- the question --- */

/* "continue", "cancel" or "grace:SECONDS". */
static bool read_leave(const struct call *call, struct turn_request *turn, struct error *err)
{
	struct slice text = SLICE("continue");
	char *end = NULL;
	long seconds;

	if (!field_text(call, call->body, "on_disconnect", "onDisconnect", 32, &text, err))
		return false;
	turn->leave = LEAVE_CONTINUE;
	if (slice_is(text, "continue"))
		return true;
	turn->leave = slice_is(text, "cancel") ? LEAVE_CANCEL : LEAVE_GRACE;
	if (turn->leave == LEAVE_CANCEL)
		return true;
	seconds = slice_starts(text, SLICE("grace:")) ? strtol(text.ptr + 6, &end, 10) : -1;
	if (seconds < 0 || seconds > GRACE_MAX_S || end == text.ptr + 6 || *end)
		return error_field(
			err, ERROR_VALIDATION, "on_disconnect",
			"on_disconnect has to be continue, cancel or grace:SECONDS (up to %d).",
			GRACE_MAX_S);
	turn->grace_ms = seconds * 1000;
	return true;
}

static bool read_prompt(const struct call *call, const struct json *prompt,
			struct turn_request *turn, struct error *err)
{
	struct slice role = SLICE("user");

	if (json_type(prompt) != JSON_OBJECT)
		return error_field(err, ERROR_VALIDATION, "prompt", "prompt has to be an object.");
	if (!field_id(call, prompt, "id", NULL, &turn->message_id, err) ||
	    !field_text(call, prompt, "role", NULL, 32, &role, err) ||
	    !field_text(call, prompt, "content", NULL, CONTENT_MAX, &turn->message, err))
		return false;
	if (!slice_is(role, "user"))
		return error_field(err, ERROR_VALIDATION, "prompt.role",
				   "The prompt's role has to be user.");
	return turn->message.len > 0 || field_missing("prompt.content", err);
}

static bool read_question(const struct call *call, struct turn_request *turn, struct error *err)
{
	const struct json *prompt = json_get(call->body, "prompt");

	if (prompt && json_type(prompt) != JSON_NULL) {
		if (json_get(call->body, "message"))
			return error_field(err, ERROR_VALIDATION, "message",
					   "Send prompt or message, not both.");
		return read_prompt(call, prompt, turn, err);
	}
	if (!field_text(call, call->body, "message", NULL, CONTENT_MAX, &turn->message, err))
		return false;
	return turn->message.len > 0 || field_missing("message", err);
}

/* Idempotency-Key: a structured-field string; bare ones are taken too, since most clients send them
 * so. */
static bool read_key(const struct call *call, struct slice *out, struct error *err)
{
	struct slice key = call->request->headers[HEADER_IDEMPOTENCY_KEY];

	if (key.len >= 2 && key.ptr[0] == '"' && key.ptr[key.len - 1] == '"')
		key = (struct slice){ key.ptr + 1, key.len - 2 };
	else if (key.len == 0)
		return true;
	if (key.len == 0 || key.len > KEY_MAX)
		return error_set(err, ERROR_BAD_REQUEST,
				 "Idempotency-Key has to have 1 to %d characters.", KEY_MAX);
	for (size_t i = 0; i < key.len; i++)
		if (key.ptr[i] < 0x20 || key.ptr[i] > 0x7E)
			return error_set(err, ERROR_BAD_REQUEST,
					 "Idempotency-Key has to be printable ASCII.");
	*out = key;
	return true;
}

static bool read_turn(const struct call *call, struct turn_request *out, struct error *err)
{
	struct turn_request turn = { .arrived_ms = call->request->arrived_ms,
				     .thread_id = SLICE(""),
				     .message = SLICE(""),
				     .message_id = SLICE(""),
				     .response_id = SLICE(""),
				     .key = SLICE(""),
				     .model = SLICE("") };

	if (!field_id(call, call->body, "thread_id", "threadId", &turn.thread_id, err) ||
	    !field_id(call, call->body, "response_id", "responseId", &turn.response_id, err) ||
	    !read_question(call, &turn, err) ||
	    !field_text(call, call->body, "model", NULL, 256, &turn.model, err) ||
	    !field_object(call, call->body, "metadata", &turn.metadata, err) ||
	    !read_leave(call, &turn, err) || !read_key(call, &turn.key, err))
		return false;
	*out = turn;
	return true;
}

/* --- the answer --- */

/* It was answered before and its run is no longer kept: the stored text, in the form that was asked
 * for. */
static bool replay(struct call *call, const struct stream_options *options, const struct turn *turn,
		   struct error *err)
{
	const struct message *answer = &turn->answer;
	struct spool_record record = { .status = answer->status,
				       .length = (int64_t)answer->content.len };

	if ((answer->status == STATUS_ERROR || answer->status == STATUS_INTERRUPTED) &&
	    answer->content.len == 0)
		return error_set(
			err, ERROR_UPSTREAM,
			"This question was asked before and could not be answered; ask anew.");
	snprintf(record.run_id, sizeof record.run_id, "%s",
		 answer->run_id ? answer->run_id : turn->response_id);
	snprintf(record.thread_id, sizeof record.thread_id, "%s", turn->thread_id);
	snprintf(record.message_id, sizeof record.message_id, "%s", turn->response_id);
	snprintf(record.finish_reason, sizeof record.finish_reason, "%s",
		 answer->finish_reason ? answer->finish_reason : "");
	record.usage = answer->usage;
	stream_headers(call->response, options, answer->run_id, turn->thread_id, turn->response_id);
	response_header(call->response, "Idempotency-Replayed", SLICE("true"));
	call->response->stream =
		stream_ticket_replay(call->api->config->spool_path, options, &record,
				     answer->content, buffer_slice(&call->response->headers), err);
	return call->response->stream != NULL;
}

static bool follow(struct call *call, const struct stream_options *options, struct turn *turn,
		   struct error *err)
{
	stream_headers(call->response, options, turn->run_id, turn->thread_id, turn->response_id);
	response_header(call->response, "Idempotency-Replayed", SLICE("true"));
	call->response->stream = stream_ticket_follow(options, turn->followed,
						      buffer_slice(&call->response->headers));
	if (call->response->stream)
		return true;
	spool_unref(turn->followed);
	return error_set(err, ERROR_OVERLOADED, "No memory for another stream.");
}

static bool start(struct call *call, const struct stream_options *options, struct turn *turn,
		  struct error *err)
{
	stream_headers(call->response, options, turn->run_id, turn->thread_id, turn->response_id);
	call->response->stream =
		stream_ticket_start(options, &turn->start, buffer_slice(&call->response->headers));
	if (call->response->stream)
		return true;
	service_turn_drop(call->api->service, turn);
	return error_set(err, ERROR_OVERLOADED, "No memory for another stream.");
}

/* errors=card: what went wrong is shown in the chat, since the stock client shows nothing of a
 * status. */
static bool answer_card(struct call *call, const struct error *problem, struct error *err)
{
	struct response *response = call->response;

	response_restart(response);
	response->status = 200;
	response->error = problem->code;
	response_header(response, "Content-Type", SLICE("text/plain; charset=utf-8"));
	response_header(response, "Cache-Control", SLICE("no-store, no-transform"));
	response_header(response, "X-Content-Type-Options", SLICE("nosniff"));
	if (problem->retry_after_s > 0)
		response_headerf(response, "Retry-After", "%d", problem->retry_after_s);
	response->body.max = CARD_MAX;
	service_error_card(problem, &response->body);
	return answer_done(call, err);
}

static bool answer_turn(struct call *call, const struct stream_options *options, struct error *err)
{
	struct turn_request request;
	struct turn turn;

	if (!read_turn(call, &request, err) ||
	    !service_turn_begin(call->api->service, &call->caller, &request, call->arena, &turn,
				err))
		return false;
	switch (turn.kind) {
	case TURN_REPLAY: return replay(call, options, &turn, err);
	case TURN_REJOIN: return follow(call, options, &turn, err);
	default: return start(call, options, &turn, err);
	}
}

bool chat_post(struct call *call, struct error *err)
{
	struct stream_options options;
	struct error problem = { 0 };

	if (!stream_query(call, &options, err))
		return false;
	if (answer_turn(call, &options, &problem))
		return true;
	if (options.errors_card && options.format == STREAM_RAW)
		return answer_card(call, &problem, err);
	if (err)
		*err = problem;
	return false;
}
