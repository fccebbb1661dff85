/* pg_message: messages put in, read and changed. */
#include "pg_room.h"

#include "base/clock.h"
#include <stdlib.h>

#define AT_ONCE 256 /* statements on the way */

enum {
	THREAD_ID,
	ID,
	SEQ,
	ROLE,
	STATUS,
	SIZE,
	RUN,
	PARENT,
	KEY,
	QUESTION,
	MODEL,
	FINISH_REASON,
	INPUT,
	OUTPUT,
	TOTAL,
	UNASKED,
	FEEDBACK,
	METADATA,
	CREATED,
	UPDATED,
	CONTENT,
	BYTES
};

/* --- rows --- */

static struct slice value_of(const PGresult *rows, int row, int column)
{
	return (struct slice){ PQgetvalue(rows, row, column),
			       (size_t)PQgetlength(rows, row, column) };
}

static bool take_words(const PGresult *rows, int row, int at, struct message *out)
{
	return message_role_parse(value_of(rows, row, at + ROLE), &out->role) &&
	       message_status_parse(value_of(rows, row, at + STATUS), &out->status);
}

static void take_content(const PGresult *rows, int row, int at, struct arena *arena,
			 struct slice *out)
{
	int column = at + (PQgetisnull(rows, row, at + BYTES) ? CONTENT : BYTES);
	char *copy = arena_copy(arena, value_of(rows, row, column));

	*out = (struct slice){ copy, copy ? (size_t)PQgetlength(rows, row, column) : 0 };
}

enum error_code pg_message_take(const PGresult *rows, int row, int at, bool content,
				struct arena *arena, struct message *out)
{
	*out = (struct message){
		.thread_id = pg_column_text(rows, row, at + THREAD_ID, arena),
		.id = pg_column_text(rows, row, at + ID, arena),
		.seq = pg_column_int(rows, row, at + SEQ),
		.run_id = pg_column_text(rows, row, at + RUN, arena),
		.parent_id = pg_column_text(rows, row, at + PARENT, arena),
		.key = pg_column_text(rows, row, at + KEY, arena),
		.question = pg_column_text(rows, row, at + QUESTION, arena),
		.model = pg_column_text(rows, row, at + MODEL, arena),
		.finish_reason = pg_column_text(rows, row, at + FINISH_REASON, arena),
		.usage = { pg_column_count(rows, row, at + INPUT),
			   pg_column_count(rows, row, at + OUTPUT),
			   pg_column_count(rows, row, at + TOTAL) },
		.unasked = pg_column_int(rows, row, at + UNASKED) != 0,
		.feedback = pg_column_text(rows, row, at + FEEDBACK, arena),
		.metadata = pg_column_text(rows, row, at + METADATA, arena),
		.created_ms = pg_column_time(rows, row, at + CREATED),
		.updated_ms = pg_column_time(rows, row, at + UPDATED),
		.content = { NULL, (size_t)pg_column_int(rows, row, at + SIZE) },
	};
	if (!take_words(rows, row, at, out))
		return store_row_damaged(out->thread_id, out->id);
	if (content)
		take_content(rows, row, at, arena, &out->content);
	return store_fits(arena);
}

enum error_code pg_message_rows(const PGresult *rows, int at, bool content, size_t limit,
				struct arena *arena, struct message_list *out)
{
	enum error_code code = ERROR_NONE;

	*out = (struct message_list){ 0 };
	for (int i = 0; code == ERROR_NONE && i < PQntuples(rows); i++) {
		if (PQgetisnull(rows, i, at + ID))
			break; /* the thread alone */
		if ((out->more = out->count == limit ||
				 (content && PQgetisnull(rows, i, at + CONTENT))))
			break;
		out->items = store_grow(arena, out->items, out->count, sizeof *out->items);
		code = out->items ? pg_message_take(rows, i, at, content, arena,
						    &out->items[out->count++])
				  : ERROR_OVERLOADED;
	}
	return code;
}

enum error_code pg_message_answer(struct pg_call *call, const char *owner, struct arena *arena,
				  struct message *out)
{
	const PGresult *rows;
	enum error_code code = pg_answer(call, &rows);

	if (code == ERROR_NONE && PQntuples(rows) == 0)
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE && owner && !slice_is(value_of(rows, 0, 0), owner))
		code = ERROR_ACCESS_DENIED;
	if (code == ERROR_NONE && PQgetisnull(rows, 0, 1 + ID))
		code = ERROR_NOT_FOUND;
	return code == ERROR_NONE ? pg_message_take(rows, 0, 1, true, arena, out) : code;
}

/* --- adding --- */

void pg_message_ask(struct pg_call *call, enum sql_id id, const char *owner, const char *thread_id,
		    const struct message *m)
{
	struct pg_content content;
	char *made;
	struct sql_value json = pg_json_of(m->metadata, &made);

	if (!pg_content_of(m->content, &content)) {
		call->code = ERROR_OVERLOADED;
		free(made);
		return;
	}
	pg_ask(call, id,
	       (const struct sql_value[]){ sql_text(thread_id),
					   sql_text(m->id),
					   sql_int(m->seq),
					   sql_text(message_role_text(m->role)),
					   sql_text(message_status_text(m->status)),
					   content.text,
					   content.bytes,
					   sql_text(m->run_id),
					   sql_text(m->parent_id),
					   sql_text(m->key),
					   sql_text(m->question),
					   sql_text(m->model),
					   sql_text(m->finish_reason),
					   sql_count(m->usage.input),
					   sql_count(m->usage.output),
					   sql_count(m->usage.total),
					   sql_int(m->unasked),
					   sql_text(m->feedback),
					   sql_text(m->metadata),
					   json,
					   sql_time(m->created_ms),
					   sql_time(m->updated_ms),
					   sql_text(owner) },
	       id == SQL_MESSAGE_INSERT ? 23 : 22);
	pg_content_done(&content);
	free(made);
}

/* Those that were asked for; what was not put in has no thread. */
static enum error_code take_numbers(struct pg_call *call, size_t count, int64_t *numbers)
{
	const PGresult *rows;
	enum error_code code = ERROR_NONE;

	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		code = pg_answer(call, &rows);
		if (code == ERROR_NONE && PQntuples(rows) == 1)
			numbers[i] = pg_column_int(rows, 0, 0);
	}
	return code;
}

/* The thread's row is held by its bump, so the numbers follow each other. */
static enum error_code add(struct pg_call *call, const char *owner, const char *thread_id,
			   const struct message *messages, size_t count, int64_t *numbers)
{
	enum error_code code = ERROR_NONE;

	pg_ask(call, SQL_THREAD_BUMP,
	       SQL_VALUES(sql_text(thread_id), sql_text(owner), sql_time(clock_wall_ms())));
	pg_ask(call, SQL_THREAD_USER, SQL_VALUES(sql_text(thread_id)));
	for (size_t at = 0, n; code == ERROR_NONE && at < count; at += n) {
		n = count - at < AT_ONCE ? count - at : AT_ONCE;
		for (size_t i = at; i < at + n; i++) {
			struct message message = messages[i];

			message.seq = 0;
			pg_message_ask(call, SQL_MESSAGE_INSERT, owner, thread_id, &message);
		}
		if (at + n == count)
			pg_commit(call);
		if (at == 0 && (code = pg_answer(call, NULL)) == ERROR_NONE)
			code = pg_user_answer(call, owner);
		if (code == ERROR_NONE)
			code = take_numbers(call, n, numbers + at);
	}
	return code;
}

enum error_code pg_messages_add(void *self, const char *owner, const char *thread_id,
				struct message *messages, size_t count)
{
	struct pg_call call = { .pool = self, .is_write = true };
	int64_t *numbers = calloc(count ? count : 1, sizeof *numbers);

	if (!numbers)
		return ERROR_OVERLOADED;
	while (pg_begin(&call))
		pg_end(&call, add(&call, owner, thread_id, messages, count, numbers));
	for (size_t i = 0; call.code == ERROR_NONE && i < count; i++)
		messages[i].seq = numbers[i];
	free(numbers);
	return call.code;
}

/* --- reading --- */

static enum error_code find(struct pg_call *call, enum sql_id id, const struct sql_value *values,
			    size_t count, const char *owner, struct arena *arena,
			    struct message *out)
{
	pg_ask(call, id, values, count);
	return pg_message_answer(call, owner, arena, out);
}

static enum error_code find_one(void *self, enum sql_id id, const struct sql_value *values,
				size_t count, const char *owner, struct arena *arena,
				struct message *out)
{
	struct pg_call call = { .pool = self };
	struct message message;

	while (pg_begin(&call))
		pg_end(&call, find(&call, id, values, count, owner, arena, &message));
	if (call.code == ERROR_NONE)
		*out = message;
	return call.code;
}

enum error_code pg_message_get(void *self, const char *owner, const char *thread_id, const char *id,
			       struct arena *arena, struct message *out)
{
	return find_one(self, SQL_MESSAGE_GET, SQL_VALUES(sql_text(thread_id), sql_text(id)), owner,
			arena, out);
}

enum error_code pg_message_by_run(void *self, const char *owner, const char *run_id,
				  struct arena *arena, struct message *out)
{
	return find_one(self, SQL_MESSAGE_BY_RUN, SQL_VALUES(sql_text(run_id)), owner, arena, out);
}

enum error_code pg_turn_find(void *self, const char *owner, const char *thread_id,
			     const char *answer_id, const char *key, struct arena *arena,
			     struct message *out)
{
	return key ? find_one(self, SQL_MESSAGE_BY_KEY, SQL_VALUES(sql_text(key)), owner, arena,
			      out)
		   : pg_message_get(self, owner, thread_id, answer_id, arena, out);
}

/* --- changing --- */

static enum error_code update(struct pg_call *call, const char *owner, const char *thread_id,
			      const char *id, const struct message_patch *patch,
			      const struct pg_content *content, struct arena *arena,
			      struct message *out)
{
	enum error_code code;
	size_t changed;
	char *made;
	struct sql_value json = pg_json_of(patch->metadata, &made);

	pg_ask(call, SQL_MESSAGE_UPDATE,
	       SQL_VALUES(sql_text(thread_id), sql_text(id), sql_text(owner),
			  sql_int(patch->has_content), content->text, content->bytes,
			  sql_text(patch->metadata), json, sql_time(patch->now_ms)));
	free(made);
	pg_ask(call, SQL_MESSAGE_GET, SQL_VALUES(sql_text(thread_id), sql_text(id)));
	pg_commit(call);
	code = pg_answer(call, NULL);
	changed = pg_changed(call);
	if (code == ERROR_NONE)
		code = pg_message_answer(call, owner, arena, out);
	return code == ERROR_NONE && changed == 0 ? ERROR_NOT_SAVED : code;
}

enum error_code pg_message_update(void *self, const char *owner, const char *thread_id,
				  const char *id, const struct message_patch *patch,
				  struct arena *arena, struct message *out)
{
	struct pg_call call = { .pool = self, .is_write = true };
	struct pg_content content;
	struct message message;

	if (!pg_content_of(patch->content, &content))
		return ERROR_OVERLOADED;
	while (pg_begin(&call))
		pg_end(&call,
		       update(&call, owner, thread_id, id, patch, &content, arena, &message));
	pg_content_done(&content);
	if (call.code == ERROR_NONE)
		*out = message;
	return call.code;
}
