/*
 * chat: POST /api/chat, in the documented shape {"thread_id", "message"} and in the C1 client's
 * {"prompt", "threadId", "responseId"}; an alias may have found the question elsewhere. The answer
 * is a stream that the engine writes; here it is only prepared.
 */
#include "api_room.h"

#include "guard/limit.h"
#include <stdio.h>

#define KEY_MAX  255
#define CARD_MAX 8192

/* --- the query --- */

void stream_query(const struct call *call, struct stream_options *out)
{
	enum { STATUS, CARD };

	*out = (struct stream_options){
		/* its words stand in the order of the forms */
		.format = (enum stream_format)query_word(call, "stream"),
		.errors_card = query_word(call, "errors") == CARD,
		.keepalive_ms = query_number(call, "keepalive") * 1000,
		.headers_kept = call->response->kept,
		.until_ms = call->api->config->end_expired ? call->caller.until_ms : 0,
	};
	snprintf(out->request_id, sizeof out->request_id, "%s", call->request->id);
}

bool stream_headers(struct response *response, const struct stream_options *options,
		    const char *run_id, const char *thread_id, const char *message_id)
{
	response->status = 200;
	response_header(response, "Content-Type", slice_of(stream_type(options->format)));
	response_header(response, "Cache-Control", SLICE("no-store, no-transform"));
	response_header(response, "X-Accel-Buffering", SLICE("no"));
	if (run_id)
		response_header(response, "X-Run-Id", slice_of(run_id));
	response_header(response, "X-Thread-Id", slice_of(thread_id));
	response_header(response, "X-Response-Id", slice_of(message_id));
	return !response->headers.failed;
}

/* --- the question --- */

/* The body's word wins over the address'. */
static void read_leave(const struct call *call, struct turn_request *turn)
{
	struct slice text = body_text(call, "on_disconnect");

	if (!text.ptr)
		text = slice_of(query_text(call, "on_disconnect"));
	if (text.len == 0 || !leave_parse(text, &turn->leave, &turn->grace_ms))
		turn->leave = LEAVE_CONTINUE;
}

static bool read_question(const struct call *call, struct turn_request *turn, struct error *err)
{
	const struct json *prompt = body_value(call, "prompt");
	const struct shape *shape;

	turn->message = call->said.ptr ? call->said : body_text(call, "message");
	turn->message_id = call->said_id.ptr ? call->said_id : SLICE("");
	if (!prompt)
		return turn->message.ptr || field_missing("message", err);
	if (turn->message.ptr)
		return error_field(err, ERROR_VALIDATION, "message",
				   "Send prompt or message, not both.");
	shape = shape_find(call->route->takes, SLICE("prompt"))->members;
	turn->message_id = json_text(shape_value(shape, prompt, "id"));
	turn->message = json_text(shape_value(shape, prompt, "content"));
	return true;
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
	struct turn_request turn = {
		.arrived_ms = call->request->arrived_ms,
		.thread_id = json_text(body_value(call, "thread_id")),
		.response_id = json_text(body_value(call, "response_id")),
		.model = json_text(body_value(call, "model")),
		.key = SLICE(""),
	};

	read_leave(call, &turn);
	if (!read_question(call, &turn, err) ||
	    !body_object(call, "metadata", &turn.metadata, err) || !read_key(call, &turn.key, err))
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
	struct spool_record record = { .run_id =
					       answer->run_id ? answer->run_id : turn->response_id,
				       .thread_id = turn->thread_id,
				       .message_id = turn->response_id,
				       .model = answer->model,
				       .created_ms = answer->created_ms,
				       .status = answer->status,
				       .length = (int64_t)answer->content.len,
				       .usage = answer->usage };

	if ((answer->status == STATUS_ERROR || answer->status == STATUS_INTERRUPTED) &&
	    answer->content.len == 0)
		return error_set(
			err, ERROR_UPSTREAM,
			"This question was asked before and could not be answered; ask anew.");
	snprintf(record.finish_reason, sizeof record.finish_reason, "%s",
		 answer->finish_reason ? answer->finish_reason : "");
	response_header(call->response, "Idempotency-Replayed", SLICE("true"));
	if (!stream_headers(call->response, options, answer->run_id, turn->thread_id,
			    turn->response_id))
		return budget_refused(err);
	call->response->stream =
		stream_ticket_replay(call->api->config, options, &record, answer->content,
				     buffer_slice(&call->response->headers), err);
	return call->response->stream != NULL;
}

static bool follow(struct call *call, const struct stream_options *options, struct turn *turn,
		   struct error *err)
{
	response_header(call->response, "Idempotency-Replayed", SLICE("true"));
	if (stream_headers(call->response, options, turn->run_id, turn->thread_id,
			   turn->response_id))
		call->response->stream = stream_ticket_follow(
			options, turn->followed, buffer_slice(&call->response->headers));
	if (call->response->stream)
		return true;
	spool_unref(turn->followed);
	return error_set(err, ERROR_OVERLOADED, "No memory for another stream.");
}

static bool start(struct call *call, const struct stream_options *options, struct turn *turn,
		  struct error *err)
{
	if (stream_headers(call->response, options, turn->run_id, turn->thread_id,
			   turn->response_id))
		call->response->stream = stream_ticket_start(
			options, &turn->start, buffer_slice(&call->response->headers));
	if (call->response->stream)
		return true;
	service_turn_drop(call->api->service, turn);
	return error_set(err, ERROR_OVERLOADED, "No memory for another stream.");
}

/* --- how often --- */

/* A question on its way in, and what was counted for it. */
struct admission {
	struct call *call;
	struct limit_taken taken;
};

static bool let_in(void *ctx, struct error *err)
{
	struct admission *admission = ctx;
	struct call *call = admission->call;

	return limit_take(call->api->guard, &call->caller, LIMIT_CHAT, call->response,
			  &admission->taken, err);
}

/* What was refused by another limit, or failed on our side before the model was asked. What its
 * asker does wrong, or takes back, stays counted. */
static bool is_to_be_given_back(const struct error *err)
{
	return err->policy || error_status(err->code) >= 500;
}

static bool answer(struct call *call, struct stream_options *options,
		   const struct turn_request *request, enum turn_kind *kind, struct error *err)
{
	struct turn turn;

	if (!service_turn_begin(call->api->service, &call->caller, request, call->arena, &turn,
				err))
		return false;
	*kind = turn.kind;
	options->headers_kept = call->response->kept; /* with what the limit said */
	switch (turn.kind) {
	case TURN_REPLAY: return replay(call, options, &turn, err);
	case TURN_REJOIN: return follow(call, options, &turn, err);
	default: return start(call, options, &turn, err);
	}
}

bool chat_post(struct call *call, struct error *err)
{
	struct admission admission = { .call = call };
	enum turn_kind kind = TURN_NEW;
	struct stream_options options;
	struct turn_request request;
	bool ok;

	stream_query(call, &options);
	if (!read_turn(call, &request, err))
		return false;
	request.gate = (struct turn_gate){ let_in, &admission };
	ok = answer(call, &options, &request, &kind, err);
	if (ok ? kind != TURN_NEW : is_to_be_given_back(err))
		limit_give_back(call->api->guard, &call->caller, &admission.taken);
	return ok;
}

/* --- failures --- */

bool chat_wants_card(const struct call *call)
{
	struct stream_options options;

	stream_query(call, &options);
	return options.errors_card && options.format == STREAM_RAW;
}

void chat_card(struct call *call, const struct error *problem)
{
	struct response *response = call->response;

	response_restart(response);
	response->status = 200;
	response_header(response, "Content-Type", SLICE("text/plain; charset=utf-8"));
	response_header(response, "Cache-Control", SLICE("no-store, no-transform"));
	if (problem->retry_after_s > 0)
		response_headerf(response, "Retry-After", "%d", problem->retry_after_s);
	response->body.max = CARD_MAX;
	service_error_card(problem, &response->body);
}
