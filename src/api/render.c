/*
 * render: values as JSON. Each object has the documented snake_case names and those that the C1 and
 * OpenUI clients read, so that each of them works without a switch.
 */
#include "api_room.h"

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

static void put_times(struct json_writer *w, int64_t created_ms, int64_t updated_ms)
{
	json_put_time(w, "created_at", created_ms);
	json_put_time(w, "createdAt", created_ms);
	json_put_time(w, "updated_at", updated_ms);
	json_put_time(w, "updatedAt", updated_ms);
}

void render_thread(struct json_writer *w, const struct thread *thread)
{
	json_open(w, '{');
	json_put_text(w, "id", thread->id);
	json_put_text(w, "threadId", thread->id);
	json_put_text(w, "title", thread->title);
	json_put_text(w, "user_id", thread->user_id);
	put_times(w, thread->created_ms, thread->updated_ms);
	json_put_bool(w, "archived", thread->archived);
	json_put_raw(w, "metadata", thread->metadata ? thread->metadata : "{}");
	json_close(w, '}');
}

void render_message_open(struct json_writer *w, const struct message *message)
{
	json_open(w, '{');
	json_put_text(w, "id", message->id);
	json_put_text(w, "thread_id", message->thread_id);
	json_put_text(w, "role", message_role_text(message->role));
	json_key(w, "content");
	json_raw(w, SLICE("\""));
}

static void put_usage(struct json_writer *w, const struct usage *usage)
{
	json_key(w, "usage");
	if (usage->input < 0 && usage->output < 0 && usage->total < 0) {
		json_null(w);
		return;
	}
	json_open(w, '{');
	if (usage->input >= 0)
		json_put_int(w, "input_tokens", usage->input);
	if (usage->output >= 0)
		json_put_int(w, "output_tokens", usage->output);
	if (usage->total >= 0)
		json_put_int(w, "total_tokens", usage->total);
	json_close(w, '}');
}

void render_message_close(struct json_writer *w, const struct message *message)
{
	buffer_append_char(w->out, '"');
	json_put_text(w, "status", message_status_text(message->status));
	if (message->run_id)
		json_put_text(w, "run_id", message->run_id);
	put_times(w, message->created_ms, message->updated_ms);
	json_put_text(w, "finish_reason", message->finish_reason);
	put_usage(w, &message->usage);
	json_put_raw(w, "metadata", message->metadata ? message->metadata : "{}");
	json_put_raw(w, "feedback", message->feedback);
	json_close(w, '}');
}

void render_run(struct json_writer *w, const struct run_info *run)
{
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
	put_usage(w, &run->usage);
	json_close(w, '}');
}
