/*
 * redis_row: fields as Redis keeps them. Others may write there, and Redis may be told to throw
 * things away: what is none of ours is said to be damaged, never guessed.
 */
#include "redis_room.h"

#include "base/digits.h"
#include "base/id.h"
#include <stdio.h>

#define TIME_MAX 9999999999999999LL

const char *redis_time_text(int64_t ms, char out[REDIS_TIME_SIZE])
{
	snprintf(out, REDIS_TIME_SIZE, "%016lld",
		 ms < 0          ? 0LL
		 : ms > TIME_MAX ? TIME_MAX
				 : (long long)ms);
	return out;
}

/* --- putting --- */

static const char *const thread_names[THREAD_FIELDS] = {
#define X(name) #name,
	REDIS_THREAD_FIELDS(X)
#undef X
};

static const char *const message_names[MESSAGE_FIELDS + 1] = {
#define X(name) #name,
	REDIS_MESSAGE_FIELDS(X)
#undef X
		"content",
};

void redis_add_thread_fields(struct redis_command *command)
{
	for (size_t i = 0; i < THREAD_FIELDS; i++)
		redis_add_text(command, thread_names[i]);
}

void redis_add_message_fields(struct redis_command *command)
{
	for (size_t i = 0; i <= MESSAGE_FIELDS; i++)
		redis_add_text(command, message_names[i]);
}

static struct slice text_of(const char *text)
{
	return text ? slice_of(text) : (struct slice){ NULL, 0 };
}

static struct slice number_of(struct redis_command *command, int64_t number)
{
	return slice_of(arena_printf(&command->call->scratch, "%lld", (long long)number));
}

static struct slice count_of(struct redis_command *command, int64_t count)
{
	return count < 0 ? (struct slice){ NULL, 0 } : number_of(command, count);
}

static struct slice time_of(struct redis_command *command, int64_t ms)
{
	char text[REDIS_TIME_SIZE];

	return slice_of(arena_text(&command->call->scratch, redis_time_text(ms, text)));
}

/* How many words, the fields that are there, then the names of those that are not. */
static void add_fields(struct redis_command *command, const char *const *names,
		       const struct slice *values, size_t count, bool absent)
{
	int64_t words = 0;

	for (size_t i = 0; i < count; i++)
		words += values[i].ptr ? 2 : 0;
	redis_add_number(command, words);
	for (size_t i = 0; i < count; i++)
		if (values[i].ptr) {
			redis_add_text(command, names[i]);
			redis_add(command, values[i]);
		}
	for (size_t i = 0; absent && i < count; i++)
		if (!values[i].ptr)
			redis_add_text(command, names[i]);
}

/* A claim is set by turns alone. */
void redis_add_thread(struct redis_command *command, const struct thread *thread)
{
	const struct slice values[THREAD_FIELDS] = {
		[THREAD_user] = text_of(thread->user_id),
		[THREAD_title] = text_of(thread->title),
		[THREAD_created] = time_of(command, thread->created_ms),
		[THREAD_updated] = time_of(command, thread->updated_ms),
		[THREAD_rev] = number_of(command, thread->rev),
		[THREAD_archived] = slice_of(thread->archived ? "1" : "0"),
		[THREAD_metadata] = text_of(thread->metadata),
	};

	add_fields(command, thread_names, values, THREAD_FIELDS, false);
}

void redis_add_claim(struct redis_command *command, const struct run_ref *run)
{
	const struct slice values[THREAD_FIELDS] = {
		[THREAD_run] = text_of(run->id),
		[THREAD_run_message] = text_of(run->message_id),
		[THREAD_run_node] = text_of(run->node),
	};

	add_fields(command, thread_names, values, THREAD_FIELDS, false);
}

/* A number of 0 is one that Redis gives. */
void redis_add_fields(struct redis_command *command, const struct message *m, bool absent)
{
	const struct slice values[MESSAGE_FIELDS + 1] = {
		[MESSAGE_seq] = count_of(command, m->seq > 0 ? m->seq : -1),
		[MESSAGE_role] = text_of(message_role_text(m->role)),
		[MESSAGE_status] = text_of(message_status_text(m->status)),
		[MESSAGE_run] = text_of(m->run_id),
		[MESSAGE_parent] = text_of(m->parent_id),
		[MESSAGE_key] = text_of(m->key),
		[MESSAGE_question] = text_of(m->question),
		[MESSAGE_model] = text_of(m->model),
		[MESSAGE_finish] = text_of(m->finish_reason),
		[MESSAGE_input] = count_of(command, m->usage.input),
		[MESSAGE_output] = count_of(command, m->usage.output),
		[MESSAGE_total] = count_of(command, m->usage.total),
		[MESSAGE_unasked] = slice_of(m->unasked ? "1" : "0"),
		[MESSAGE_feedback] = text_of(m->feedback),
		[MESSAGE_metadata] = text_of(m->metadata),
		[MESSAGE_created] = time_of(command, m->created_ms),
		[MESSAGE_updated] = time_of(command, m->updated_ms),
		[MESSAGE_content] = { m->content.ptr ? m->content.ptr : "", m->content.len },
	};

	add_fields(command, message_names, values, MESSAGE_FIELDS + 1, absent);
}

/* What an end does not have, a former one may have left there. */
void redis_add_end(struct redis_command *command, const struct message *m)
{
	static const char *const names[] = { "content", "status", "finish",  "model",  "input",
					     "output",  "total",  "unasked", "updated" };
	const struct slice values[] = {
		{ m->content.ptr ? m->content.ptr : "", m->content.len },
		text_of(message_status_text(m->status)),
		text_of(m->finish_reason),
		text_of(m->model),
		count_of(command, m->usage.input),
		count_of(command, m->usage.output),
		count_of(command, m->usage.total),
		slice_of(m->unasked ? "1" : "0"),
		time_of(command, m->updated_ms),
	};

	add_fields(command, names, values, sizeof names / sizeof *names, true);
}

/* --- taking: each field by what it has to be --- */

struct taker {
	const redisReply *cells;
	struct store_row row;
};

/* ptr NULL: it is not there. */
static struct slice cell(struct taker *t, size_t at)
{
	const redisReply *found = redis_element(t->cells, at);
	bool is_text = found && found->type == REDIS_REPLY_STRING;

	t->row.is_bad = t->row.is_bad || !(is_text || (found && found->type == REDIS_REPLY_NIL));
	return is_text ? redis_slice(found) : (struct slice){ NULL, 0 };
}

static const char *take_text(struct taker *t, size_t at)
{
	return store_row_text(&t->row, cell(t, at), false);
}

/* It becomes a part of keys and of files' names. */
static const char *take_id(struct taker *t, size_t at)
{
	const char *id = take_text(t, at);

	t->row.is_bad = t->row.is_bad || (id && !id_valid(slice_of(id)));
	return id;
}

/* One that may be unknown is otherwise -1. */
static int64_t take_number(struct taker *t, size_t at, int64_t otherwise)
{
	struct slice text = cell(t, at);
	int64_t number = otherwise;
	bool is_good = text.ptr ? digits_read(text, DIGITS_MAX, &number) : otherwise < 0;

	t->row.is_bad = t->row.is_bad || !is_good;
	return number;
}

static bool take_bool(struct taker *t, size_t at)
{
	struct slice text = cell(t, at);

	t->row.is_bad = t->row.is_bad || !(slice_is(text, "0") || slice_is(text, "1"));
	return slice_is(text, "1");
}

static const char *take_name(struct taker *t, struct slice id)
{
	t->row.is_bad = t->row.is_bad || !id_valid(id);
	return store_row_text(&t->row, id, true);
}

static bool is_nothing(const redisReply *row)
{
	for (size_t i = 0; i < redis_count(row); i++)
		if (row->element[i]->type != REDIS_REPLY_NIL)
			return false;
	return redis_count(row) > 0;
}

enum error_code redis_take_thread(const redisReply *cells, struct slice id, struct arena *arena,
				  struct thread *out)
{
	struct taker t = { .cells = cells, .row = { .arena = arena } };
	struct thread thread;
	enum error_code code;

	if (is_nothing(cells) || cell(&t, THREAD_deleted).ptr)
		return ERROR_NOT_FOUND;
	thread = (struct thread){
		.id = take_name(&t, id),
		.user_id = store_row_text(&t.row, cell(&t, THREAD_user), true),
		.title = store_row_text(&t.row, cell(&t, THREAD_title), true),
		.created_ms = take_number(&t, THREAD_created, 0),
		.updated_ms = take_number(&t, THREAD_updated, 0),
		.rev = take_number(&t, THREAD_rev, 0),
		.archived = take_bool(&t, THREAD_archived),
		.run = { take_id(&t, THREAD_run), take_id(&t, THREAD_run_message),
			 take_id(&t, THREAD_run_node) },
		.metadata = take_text(&t, THREAD_metadata),
	};
	if (thread.run.id && !(thread.run.message_id && thread.run.node))
		t.row.is_bad = true;
	code = store_row_read(&t.row, thread.id, NULL);
	if (code == ERROR_NONE)
		*out = thread;
	return code;
}

static struct slice take_content(struct taker *t, bool content)
{
	int64_t length = redis_number(redis_element(t->cells, MESSAGE_content));

	if (content)
		return store_row_content(&t->row, cell(t, MESSAGE_content));
	t->row.is_bad = t->row.is_bad || length < 0;
	return (struct slice){ NULL, length < 0 ? 0 : (size_t)length };
}

enum error_code redis_take_message(const redisReply *cells, const char *thread_id, struct slice id,
				   bool content, struct arena *arena, struct message *out)
{
	struct taker t = { .cells = cells, .row = { .arena = arena } };
	struct message message;
	enum error_code code;

	if (is_nothing(cells))
		return ERROR_NOT_FOUND;
	message = (struct message){
		.id = take_name(&t, id),
		.thread_id = take_name(&t, slice_of(thread_id)),
		.seq = take_number(&t, MESSAGE_seq, 0),
		.role = store_row_role(&t.row, cell(&t, MESSAGE_role)),
		.status = store_row_status(&t.row, cell(&t, MESSAGE_status)),
		.run_id = take_id(&t, MESSAGE_run),
		.parent_id = take_text(&t, MESSAGE_parent),
		.key = take_text(&t, MESSAGE_key),
		.question = take_text(&t, MESSAGE_question),
		.model = take_text(&t, MESSAGE_model),
		.finish_reason = take_text(&t, MESSAGE_finish),
		.usage = { take_number(&t, MESSAGE_input, -1), take_number(&t, MESSAGE_output, -1),
			   take_number(&t, MESSAGE_total, -1) },
		.unasked = take_bool(&t, MESSAGE_unasked),
		.feedback = take_text(&t, MESSAGE_feedback),
		.metadata = take_text(&t, MESSAGE_metadata),
		.created_ms = take_number(&t, MESSAGE_created, 0),
		.updated_ms = take_number(&t, MESSAGE_updated, 0),
		.content = take_content(&t, content),
	};
	code = store_row_read(&t.row, message.thread_id, message.id);
	if (code == ERROR_NONE)
		*out = message;
	return code;
}

bool redis_split(struct slice pair, struct arena *arena, const char **one, const char **other)
{
	const char *slash = pair.len > 0 ? memchr(pair.ptr, '/', pair.len) : NULL;
	struct slice first = { pair.ptr, slash ? (size_t)(slash - pair.ptr) : 0 };
	struct slice second = slash ? slice_skip(pair, first.len + 1) : SLICE("");

	if (!id_valid(first) || !id_valid(second))
		return false;
	*one = arena_copy(arena, first);
	*other = arena_copy(arena, second);
	return *one && *other;
}
