/* framing: see framing.h. */
#include "framing.h"

#include "base/digits.h"
#include "base/json.h"
#include "http/problem.h"
#include "stream/events.h"

bool framing_sse_run(const struct spool_record *record, struct buffer *out)
{
	struct json_writer w;

	buffer_appendf(out, "id: %s.0\nevent: " EVENT_RUN "\ndata: ", record->run_id);
	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "run_id", record->run_id);
	json_put_text(&w, "thread_id", record->thread_id);
	json_put_text(&w, "message_id", record->message_id);
	json_put_text(&w, "model", record->model && record->model[0] ? record->model : NULL);
	json_close(&w, '}');
	return buffer_append(out, SLICE("\n\n")) && !out->failed;
}

#define PUT(at, literal) ((char *)memcpy(at, literal, sizeof(literal) - 1) + sizeof(literal) - 1)
#define DELTA_FRAME      64 /* what is neither text nor the run's name */

/* There are as many of these as pieces of text. */
bool framing_sse_delta(const struct spool_record *record, int64_t offset_behind, struct slice text,
		       struct buffer *out)
{
	size_t run_len = strlen(record->run_id);
	char *begin = buffer_reserve(out, DELTA_FRAME + run_len + JSON_ESCAPED_MAX(text.len));
	char *at = begin;

	if (!begin)
		return false;
	at = PUT(at, "id: ");
	at = (char *)memcpy(at, record->run_id, run_len) + run_len;
	*at++ = '.';
	at = digits_write(at, offset_behind);
	at = PUT(at, "\nevent: " EVENT_DELTA "\ndata: \"");
	at = json_escape_at(at, text);
	at = PUT(at, "\"\n\n");
	buffer_commit(out, (size_t)(at - begin));
	return true;
}

bool framing_sse_error(const struct error *error, const char *request_id, struct buffer *out)
{
	buffer_append(out, SLICE("event: " EVENT_ERROR "\ndata: "));
	problem_json(error, request_id, out);
	return buffer_append(out, SLICE("\n\n")) && !out->failed;
}

bool framing_sse_end(const struct spool_record *record, enum message_status status,
		     const struct error *error, const char *request_id, struct buffer *out)
{
	char usage[USAGE_TEXT];
	struct json_writer w;

	if (error->code != ERROR_NONE)
		framing_sse_error(error, request_id, out);
	if (usage_text(&record->usage, usage))
		buffer_appendf(out, "event: " EVENT_USAGE "\ndata: %s\n\n", usage);
	buffer_append(out, SLICE("event: " EVENT_DONE "\ndata: "));
	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "status", message_status_text(status));
	json_put_text(&w, "finish_reason", record->finish_reason[0] ? record->finish_reason : NULL);
	json_put_int(&w, "bytes", record->length);
	json_close(&w, '}');
	return buffer_append(out, SLICE("\n\n")) && !out->failed;
}

struct slice framing_heartbeat(enum stream_format format)
{
	return format == STREAM_SSE ? SLICE(EVENT_HEARTBEAT "\n\n") : SLICE("<!--k-->");
}
