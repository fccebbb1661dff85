/*
 * render: values as JSON. Each object has the documented snake_case names and those that the C1 and
 * OpenUI clients read, so that each of them works without a switch.
 */
#include "api_room.h"

#include "base/clock.h"
#include "base/digits.h"

/* A page of threads, each with the largest metadata; messages are not held whole (pages.c). */
#define ANSWER_MAX (4u << 20)

struct json_writer answer_json(struct call *call, int status)
{
	struct json_writer w;

	response_json(call->response, status);
	call->response->body.max = ANSWER_MAX;
	json_writer_init(&w, &call->response->body);
	return w;
}

bool answer_done(const struct call *call, struct error *err)
{
	return !call->response->body.failed || budget_refused(err);
}

/* --- rows: room for the worst is taken once, then each piece is put behind the last --- */

#define NAMES_ROOM 512 /* what is not of the row: names, brackets, times, numbers, short words */

static char *put(char *at, struct slice text)
{
	memcpy(at, text.ptr, text.len);
	return at + text.len;
}
#define PUT(at, literal) put(at, SLICE(literal))

/* null without one. */
static char *put_text(char *at, const char *text)
{
	if (!text)
		return PUT(at, "null");
	*at++ = '"';
	at = json_escape_at(at, slice_of(text));
	*at++ = '"';
	return at;
}

static size_t text_room(const char *text)
{
	return text ? JSON_ESCAPED_MAX(strlen(text)) : 0;
}

/* "key":"2026-…","keyOfOthers":"2026-…": the names are two literals. */
#define PUT_TIME(at, ms, name, other)                                                              \
	do {                                                                                       \
		const char *begin_;                                                                \
		size_t len_;                                                                       \
                                                                                                   \
		at = PUT(at, ",\"" name "\":\"");                                                  \
		begin_ = at;                                                                       \
		at = clock_write(at, ms);                                                          \
		len_ = (size_t)(at - begin_);                                                      \
		at = PUT(at, "\",\"" other "\":\"");                                               \
		at = put(at, (struct slice){ begin_, len_ });                                      \
		*at++ = '"';                                                                       \
	} while (0)

void render_thread(struct buffer *out, const struct thread *thread)
{
	const struct slice metadata = slice_of(thread->metadata ? thread->metadata : "{}");
	char *at = buffer_reserve(out, NAMES_ROOM + 2 * text_room(thread->id) +
					       text_room(thread->title) +
					       text_room(thread->user_id) + metadata.len),
	     *begin = at;

	if (!at)
		return;
	at = put_text(PUT(at, "{\"id\":"), thread->id);
	at = put_text(PUT(at, ",\"threadId\":"), thread->id);
	at = put_text(PUT(at, ",\"title\":"), thread->title);
	at = put_text(PUT(at, ",\"user_id\":"), thread->user_id);
	PUT_TIME(at, thread->created_ms, "created_at", "createdAt");
	PUT_TIME(at, thread->updated_ms, "updated_at", "updatedAt");
	at = thread->archived ? PUT(at, ",\"archived\":true") : PUT(at, ",\"archived\":false");
	at = put(PUT(at, ",\"metadata\":"), metadata);
	*at++ = '}';
	buffer_commit(out, (size_t)(at - begin));
}

void render_message_open(struct buffer *out, const struct message *message)
{
	char *at = buffer_reserve(out, NAMES_ROOM + text_room(message->id) +
					       text_room(message->thread_id)),
	     *begin = at;

	if (!at)
		return;
	at = put_text(PUT(at, "{\"id\":"), message->id);
	at = put_text(PUT(at, ",\"thread_id\":"), message->thread_id);
	at = put_text(PUT(at, ",\"role\":"), message_role_text(message->role));
	at = PUT(at, ",\"content\":\"");
	buffer_commit(out, (size_t)(at - begin));
}

void render_bare_open(struct buffer *out, const struct message *message)
{
	char *at = buffer_reserve(out, NAMES_ROOM + text_room(message->id)), *begin = at;

	if (!at)
		return;
	at = put_text(PUT(at, "{\"id\":"), message->id);
	at = put_text(PUT(at, ",\"role\":"), message_role_text(message->role));
	at = PUT(at, ",\"content\":\"");
	buffer_commit(out, (size_t)(at - begin));
}

void render_bare_close(struct buffer *out)
{
	buffer_append(out, SLICE("\"}"));
}

static char *put_count(char *at, struct slice name, int64_t count)
{
	if (count < 0)
		return at;
	if (at[-1] != '{')
		*at++ = ',';
	return digits_write(put(at, name), count);
}

static char *put_usage(char *at, const struct usage *usage)
{
	if (usage->input < 0 && usage->output < 0 && usage->total < 0)
		return PUT(at, "null");
	*at++ = '{';
	at = put_count(at, SLICE("\"input_tokens\":"), usage->input);
	at = put_count(at, SLICE("\"output_tokens\":"), usage->output);
	at = put_count(at, SLICE("\"total_tokens\":"), usage->total);
	*at++ = '}';
	return at;
}

void render_message_close(struct buffer *out, const struct message *message)
{
	const struct slice metadata = slice_of(message->metadata ? message->metadata : "{}");
	const struct slice feedback = slice_of(message->feedback ? message->feedback : "null");
	char *at = buffer_reserve(out, NAMES_ROOM + text_room(message->run_id) +
					       text_room(message->finish_reason) +
					       text_room(message->model) + metadata.len +
					       feedback.len),
	     *begin = at;

	if (!at)
		return;
	at = put_text(PUT(at, "\",\"status\":"), message_status_text(message->status));
	if (message->run_id)
		at = put_text(PUT(at, ",\"run_id\":"), message->run_id);
	PUT_TIME(at, message->created_ms, "created_at", "createdAt");
	PUT_TIME(at, message->updated_ms, "updated_at", "updatedAt");
	at = put_text(PUT(at, ",\"finish_reason\":"), message->finish_reason);
	at = put_usage(PUT(at, ",\"usage\":"), &message->usage);
	at = put_text(PUT(at, ",\"model\":"), message->model);
	at = put(PUT(at, ",\"metadata\":"), metadata);
	at = put(PUT(at, ",\"feedback\":"), feedback);
	*at++ = '}';
	buffer_commit(out, (size_t)(at - begin));
}

void render_run(struct json_writer *w, const struct run_info *run)
{
	char usage[NAMES_ROOM];

	json_open(w, '{');
	json_put_text(w, "id", run->id);
	json_put_text(w, "thread_id", run->thread_id);
	json_put_text(w, "message_id", run->message_id);
	json_put_text(w, "status", message_status_text(run->status));
	json_put_int(w, "bytes", run->bytes);
	json_put_bool(w, "saved", run->saved);
	json_put_time(w, "created_at", run->created_ms);
	json_key(w, "ended_at");
	if (run->ended_ms)
		json_time(w, run->ended_ms);
	else
		json_null(w);
	json_put_text(w, "finish_reason", run->finish_reason);
	json_key(w, "usage");
	json_raw(w, (struct slice){ usage, (size_t)(put_usage(usage, &run->usage) - usage) });
	json_close(w, '}');
}
