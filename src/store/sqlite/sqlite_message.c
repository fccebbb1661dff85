/* sqlite_message: messages put in, read and changed. */
#include "sqlite_room.h"

#include "base/clock.h"
#include "base/id.h"
#include <stdio.h>

#define COLUMN_SIZE    5
#define COLUMN_CONTENT 20 /* the last one */

/* --- rows --- */

enum error_code sqlite_message_take(sqlite3_stmt *row, bool content, struct arena *arena,
				    struct message *out)
{
	struct store_row read = { .arena = arena };

	*out = (struct message){
		.thread_id = store_row_text(&read, sql_column(row, 0), true),
		.id = store_row_text(&read, sql_column(row, 1), true),
		.seq = sqlite3_column_int64(row, 2),
		.role = store_row_role(&read, sql_column(row, 3)),
		.status = store_row_status(&read, sql_column(row, 4)),
		.run_id = store_row_text(&read, sql_column(row, 6), false),
		.parent_id = store_row_text(&read, sql_column(row, 7), false),
		.key = store_row_text(&read, sql_column(row, 8), false),
		.question = store_row_text(&read, sql_column(row, 9), false),
		.model = store_row_text(&read, sql_column(row, 10), false),
		.finish_reason = store_row_text(&read, sql_column(row, 11), false),
		.usage = { sql_column_count(row, 12), sql_column_count(row, 13),
			   sql_column_count(row, 14) },
		.unasked = sqlite3_column_int(row, 15) != 0,
		.feedback = store_row_text(&read, sql_column(row, 16), false),
		.metadata = store_row_text(&read, sql_column(row, 17), false),
		.created_ms = sqlite3_column_int64(row, 18),
		.updated_ms = sqlite3_column_int64(row, 19),
		.content = { NULL, (size_t)sqlite3_column_int64(row, COLUMN_SIZE) },
	};
	if (content)
		out->content = store_row_content(&read, sql_column(row, COLUMN_CONTENT));
	return store_row_read(&read, out->thread_id, out->id);
}

enum error_code sqlite_message_rows(sqlite3_stmt *query, bool content, struct message_fill *fill)
{
	struct message *next;
	enum error_code code;

	while ((code = sql_step(query)) == ERROR_NONE &&
	       (next = store_next_message(fill,
					  (size_t)sqlite3_column_int64(query, COLUMN_SIZE)))) {
		code = sqlite_message_take(query, content, store_message_arena(fill), next);
		if (code == ERROR_NONE)
			code = store_took_message(fill);
		if (code != ERROR_NONE)
			return code;
	}
	return code == ERROR_NOT_FOUND || code == ERROR_NONE ? store_fits(fill->arena) : code;
}

enum error_code sqlite_message_find(struct sqlite_conn *conn, enum sql_id id,
				    const struct sql_value *values, size_t count,
				    struct arena *arena, struct message *out)
{
	sqlite3_stmt *query;
	struct message message;
	enum error_code code = sql_start(conn, id, values, count, &query);

	if (code == ERROR_NONE)
		code = sql_step(query);
	if (code == ERROR_NONE)
		code = sqlite_message_take(query, true, arena, &message);
	sql_done(query);
	if (code == ERROR_NONE)
		*out = message;
	return code;
}

enum error_code sqlite_message_last(struct sqlite_conn *conn, const char *thread_id, int64_t *seq,
				    char *id)
{
	sqlite3_stmt *query;
	enum error_code code =
		sql_start(conn, SQL_MESSAGE_LAST, SQL_VALUES(sql_text(thread_id)), &query);

	*seq = 0;
	*id = '\0';
	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE) {
		*seq = sqlite3_column_int64(query, 0);
		snprintf(id, ID_MAX + 1, "%s", (const char *)sqlite3_column_text(query, 1));
	}
	sql_done(query);
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

static enum error_code put(struct sqlite_conn *conn, enum sql_id how, const struct message *m)
{
	return sql_run(conn, how,
		       SQL_VALUES(sql_text(m->thread_id), sql_text(m->id), sql_int(m->seq),
				  sql_text(message_role_text(m->role)),
				  sql_text(message_status_text(m->status)),
				  sql_int((int64_t)m->content.len), sql_text(m->run_id),
				  sql_text(m->parent_id), sql_text(m->key), sql_text(m->question),
				  sql_text(m->model), sql_text(m->finish_reason),
				  sql_count(m->usage.input), sql_count(m->usage.output),
				  sql_count(m->usage.total), sql_int(m->unasked),
				  sql_text(m->feedback), sql_text(m->metadata),
				  sql_int(m->created_ms), sql_int(m->updated_ms),
				  sql_slice(m->content)),
		       NULL);
}

enum error_code sqlite_message_put(struct sqlite_conn *conn, const struct message *message)
{
	return put(conn, SQL_MESSAGE_INSERT, message);
}

enum error_code sqlite_message_replace(struct sqlite_conn *conn, const struct message *message)
{
	return put(conn, SQL_MESSAGE_REPLACE, message);
}

/* --- adding --- */

/* In one transaction: the numbers are those that the messages have when anybody sees them. */
static enum error_code add(struct sqlite_conn *conn, const char *owner, const char *thread_id,
			   const struct message *messages, size_t count, int64_t *first)
{
	char last[ID_MAX + 1];
	int64_t seq = 0;
	enum error_code code = sqlite_thread_check(conn, owner, thread_id);

	if (code == ERROR_NONE)
		code = sqlite_message_last(conn, thread_id, &seq, last);
	*first = seq + 1;
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		const char *before = i > 0 ? messages[i - 1].id : last[0] ? last : NULL;
		struct message message = messages[i];

		message.thread_id = thread_id;
		message.seq = ++seq;
		if (!message.parent_id)
			message.parent_id = before;
		code = sqlite_message_put(conn, &message);
	}
	return code == ERROR_NONE
		       ? sql_run(conn, SQL_THREAD_BUMP,
				 SQL_VALUES(sql_text(thread_id), sql_int(clock_wall_ms())), NULL)
		       : code;
}

enum error_code sqlite_messages_add(void *self, const char *owner, const char *thread_id,
				    struct message *messages, size_t count)
{
	struct sqlite_call call;
	int64_t first = 0;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, add(call.conn, owner, thread_id, messages, count, &first));
	for (size_t i = 0; code == ERROR_NONE && i < count; i++)
		messages[i].seq = first + (int64_t)i;
	return code;
}

/* --- reading --- */

static enum error_code get(struct sqlite_conn *conn, const char *owner, const char *thread_id,
			   const char *id, struct arena *arena, struct message *out)
{
	enum error_code code = sqlite_thread_check(conn, owner, thread_id);

	return code == ERROR_NONE
		       ? sqlite_message_find(conn, SQL_MESSAGE_GET,
					     SQL_VALUES(sql_text(thread_id), sql_text(id)), arena,
					     out)
		       : code;
}

enum error_code sqlite_message_get(void *self, const char *owner, const char *thread_id,
				   const char *id, struct arena *arena, struct message *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	return code == ERROR_NONE
		       ? sqlite_end(&call, get(call.conn, owner, thread_id, id, arena, out))
		       : code;
}

static enum error_code by_run(struct sqlite_conn *conn, const char *owner, const char *run_id,
			      struct arena *arena, struct message *out)
{
	struct message message;
	enum error_code code = sqlite_message_find(conn, SQL_MESSAGE_BY_RUN,
						   SQL_VALUES(sql_text(run_id)), arena, &message);

	if (code == ERROR_NONE)
		code = sqlite_thread_check(conn, owner, message.thread_id);
	if (code == ERROR_NONE)
		*out = message;
	return code;
}

enum error_code sqlite_message_by_run(void *self, const char *owner, const char *run_id,
				      struct arena *arena, struct message *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	return code == ERROR_NONE ? sqlite_end(&call, by_run(call.conn, owner, run_id, arena, out))
				  : code;
}

/* --- changing --- */

static enum error_code update(struct sqlite_conn *conn, const char *owner, const char *thread_id,
			      const char *id, const struct message_patch *patch,
			      struct arena *arena, struct message *out)
{
	struct message message;
	enum error_code code = get(conn, owner, thread_id, id, arena, &message);

	if (code == ERROR_NONE && message.status == STATUS_STREAMING)
		code = ERROR_NOT_SAVED;
	if (code == ERROR_NONE)
		code = sql_run(conn, SQL_MESSAGE_UPDATE,
			       SQL_VALUES(sql_text(thread_id), sql_text(id),
					  sql_int(patch->has_content), sql_slice(patch->content),
					  sql_int((int64_t)patch->content.len),
					  sql_text(patch->metadata), sql_int(patch->now_ms)),
			       NULL);
	return code == ERROR_NONE
		       ? sqlite_message_find(conn, SQL_MESSAGE_GET,
					     SQL_VALUES(sql_text(thread_id), sql_text(id)), arena,
					     out)
		       : code;
}

enum error_code sqlite_message_update(void *self, const char *owner, const char *thread_id,
				      const char *id, const struct message_patch *patch,
				      struct arena *arena, struct message *out)
{
	struct sqlite_call call;
	struct message message;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call,
				  update(call.conn, owner, thread_id, id, patch, arena, &message));
	if (code == ERROR_NONE)
		*out = message;
	return code;
}
