/* runs: the routes of answers in flight: listed, read, followed from any byte on, stopped. */
#include "api_room.h"

bool thread_runs(struct call *call, struct error *err)
{
	int active = query_word(call, "active"); /* false true 0 1 */
	struct run_list list;
	struct json_writer w;

	if (!service_run_list(call->api->service, &call->caller, call->ids[0],
			      active > 0 && active % 2, call->arena, &list, err))
		return false;
	w = answer_json(call, 200);
	json_open(&w, '[');
	for (size_t i = 0; i < list.count; i++)
		render_run(&w, &list.items[i]);
	json_close(&w, ']');
	return answer_done(call, err);
}

bool run_get(struct call *call, struct error *err)
{
	struct run_info run;
	struct json_writer w;

	if (!service_run_get(call->api->service, &call->caller, call->ids[0], call->arena, &run,
			     err))
		return false;
	w = answer_json(call, 200);
	render_run(&w, &run);
	return answer_done(call, err);
}

bool run_stop(struct call *call, struct error *err)
{
	struct run_info run;
	struct json_writer w;

	if (!service_run_stop(call->api->service, &call->caller, call->ids[0], call->arena, &run,
			      err))
		return false;
	w = answer_json(call, 200);
	json_open(&w, '{');
	json_put_text(&w, "id", run.id);
	json_put_text(&w, "status", message_status_text(run.status));
	json_put_bool(&w, "upstream_closed",
		      true); /* its header says how it ended only after that */
	json_put_int(&w, "bytes", run.bytes);
	json_close(&w, '}');
	return answer_done(call, err);
}

/* --- the stream --- */

/* `<run>.<offset>` as our SSE ids are; the run has to be the one of the path. */
static bool parse_event_id(const struct call *call, const char *text, int64_t *offset,
			   struct error *err)
{
	size_t len = strlen(call->ids[0]);

	if (strncmp(text, call->ids[0], len) == 0 && text[len] == '.' &&
	    field_number(slice_of(text + len + 1), offset) && *offset >= 0)
		return true;
	return error_field(err, ERROR_VALIDATION, "last_event_id",
			   "This is no event id of this run.");
}

/* Where to go on: `offset`, or behind the last event seen (the header is what EventSource sends by
 * itself). */
static bool read_offset(const struct call *call, int64_t *offset, struct error *err)
{
	struct slice header = call->request->headers[HEADER_LAST_EVENT_ID];
	const char *event = query_text(call, "last_event_id");

	*offset = query_number(call, "offset");
	if (*offset >= 0)
		return true;
	*offset = 0;
	if (header.len > 0)
		event = arena_copy(call->arena, header);
	return !event || parse_event_id(call, event, offset, err);
}

/* An offset beyond what was ever written, or inside a character, is none of this answer. */
static bool check_offset(const struct spool *spool, int64_t offset, struct error *err)
{
	char byte;

	if (offset > spool_record(spool)->length)
		return error_field(err, ERROR_RANGE, "offset",
				   "The answer has only %lld bytes so far.",
				   (long long)spool_record(spool)->length);
	if (spool_read(spool, offset, &byte, 1) == 1 && ((unsigned char)byte & 0xC0) == 0x80)
		return error_field(err, ERROR_RANGE, "offset", "This is inside a character.");
	return true;
}

static bool follow(struct call *call, struct spool *spool, const struct run_info *run,
		   struct stream_options *options, struct error *err)
{
	if (!check_offset(spool, options->offset, err))
		return false;
	/* Seen to its end: nothing is missing, and an EventSource that gets a 204 does not come
	 * again. */
	if (run->status != STATUS_STREAMING && options->offset == run->bytes &&
	    options->offset > 0) {
		stream_headers(call->response, options, run->id, run->thread_id, run->message_id);
		call->response->status = 204;
		return true;
	}
	if (stream_headers(call->response, options, run->id, run->thread_id, run->message_id))
		call->response->stream = stream_ticket_follow(
			options, spool, buffer_slice(&call->response->headers));
	return call->response->stream ||
	       error_set(err, ERROR_OVERLOADED, "No memory for another stream.");
}

bool run_stream(struct call *call, struct error *err)
{
	struct stream_options options;
	struct run_info run;
	struct spool *spool;
	bool ok;

	stream_query(call, &options);
	if (!read_offset(call, &options.offset, err))
		return false;
	if (call->request->headers[HEADER_LAST_EVENT_ID].len > 0)
		options.format = STREAM_SSE; /* only EventSource sends it */
	spool = service_run_open(call->api->service, &call->caller, call->ids[0], call->arena, &run,
				 err);
	if (!spool)
		return false;
	ok = follow(call, spool, &run, &options, err);
	if (!call->response->stream)
		spool_unref(spool);
	return ok;
}
