/* framing: see framing.h. */
#include "framing.h"

#include "base/digits.h"
#include "base/json.h"
#include "http/problem.h"
#include "stream/events.h"

/* --- server-sent events --- */

static bool sse_run(const struct spool_record *record, int64_t offset, struct buffer *out)
{
	struct json_writer w;

	buffer_appendf(out, "id: %s.%lld\nevent: " EVENT_RUN "\ndata: ", record->run_id,
		       (long long)offset);
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
static bool sse_delta(const struct spool_record *record, int64_t offset_behind, struct slice text,
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

static bool sse_error(const struct error *error, const char *request_id, struct buffer *out)
{
	buffer_append(out, SLICE("event: " EVENT_ERROR "\ndata: "));
	problem_json(error, request_id, out);
	return buffer_append(out, SLICE("\n\n")) && !out->failed;
}

static bool sse_end(const struct spool_record *record, enum message_status status,
		    const struct error *error, const char *request_id, struct buffer *out)
{
	char usage[USAGE_TEXT];
	struct json_writer w;

	if (error->code != ERROR_NONE)
		sse_error(error, request_id, out);
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

/* --- OpenAI's chunks --- */

/* As far as what the delta holds. */
static void open_chunk(const struct spool_record *record, struct buffer *out)
{
	buffer_appendf(out, "data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\"",
		       record->message_id);
	buffer_appendf(out, ",\"created\":%lld,\"model\":\"",
		       (long long)(record->created_ms / 1000));
	json_escape(out, slice_of(record->model));
	buffer_append(out, SLICE("\",\"choices\":[{\"index\":0,\"delta\":{"));
}

#define CHUNK_GOES_ON "},\"finish_reason\":null}]}\n\n"

static bool openai_run(const struct spool_record *record, int64_t offset, struct buffer *out)
{
	(void)offset;
	open_chunk(record, out);
	return buffer_append(out, SLICE("\"role\":\"assistant\",\"content\":\"\"" CHUNK_GOES_ON));
}

static bool openai_delta(const struct spool_record *record, int64_t offset_behind,
			 struct slice text, struct buffer *out)
{
	(void)offset_behind; /* a chunk has no place for it */
	open_chunk(record, out);
	buffer_append(out, SLICE("\"content\":\""));
	json_escape(out, text);
	return buffer_append(out, SLICE("\"" CHUNK_GOES_ON));
}

/* As OpenAI's clients know errors of a stream that has begun. */
static bool openai_error(const struct error *error, const char *request_id, struct buffer *out)
{
	struct json_writer w;

	buffer_append(out, SLICE("data: {\"error\":"));
	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "message", error->detail);
	json_put_text(&w, "type", error_word(error->code));
	json_put_int(&w, "code", error_status(error->code));
	json_put_text(&w, "request_id", request_id);
	json_close(&w, '}');
	return buffer_append(out, SLICE("}\n\n"));
}

/* Who reads no [DONE] has not got all of it. */
static bool openai_end(const struct spool_record *record, enum message_status status,
		       const struct error *error, const char *request_id, struct buffer *out)
{
	static const char *const finished[] = { [STATUS_COMPLETE] = "stop",
						[STATUS_LENGTH] = "length",
						[STATUS_STOPPED] = "stop",
						[STATUS_ERROR] = NULL,
						[STATUS_INTERRUPTED] = NULL };
	/* Of an answer of which it is only known that it did: these clients take no notice of a
	 * stream that just ends. */
	static const struct error broke_off = {
		.code = ERROR_UPSTREAM,
		.detail = "The answer broke off here.",
	};

	if (error->code != ERROR_NONE || !finished[status])
		return openai_error(error->code != ERROR_NONE ? error : &broke_off, request_id,
				    out);
	open_chunk(record, out);
	buffer_appendf(out, "},\"finish_reason\":\"%s\"}]}\n\n", finished[status]);
	return buffer_append(out, SLICE("data: [DONE]\n\n"));
}

/* --- the forms --- */

#define EVENTS  "text/event-stream; charset=utf-8"
#define COMMENT EVENT_HEARTBEAT "\n\n"

static const struct framing forms[] = {
	[STREAM_RAW] = { .type = "text/plain; charset=utf-8",
			 .text_max = 4096,
			 .heartbeat = "<!--k-->" },
	[STREAM_SSE] = { EVENTS, 1024, COMMENT, true, sse_run, sse_delta, sse_error, sse_end },
	[STREAM_OPENAI] = { EVENTS, 1024, COMMENT, true, openai_run, openai_delta, openai_error,
			    openai_end },
};

const struct framing *framing_of(enum stream_format format)
{
	return &forms[format];
}

const char *stream_type(enum stream_format format)
{
	return forms[format].type;
}
