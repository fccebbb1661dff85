/*
 * sqlite_turn: a turn begins in one transaction: was it asked before, is the thread free, both
 * messages, the history. What was read holds until all is written, so nothing has to be taken back.
 */
#include "sqlite_room.h"

#include "base/clock.h"
#include "base/id.h"

/* --- was it asked before? --- */

static enum error_code find(struct sqlite_conn *conn, const char *owner, const char *thread_id,
			    const char *answer_id, const char *key, struct arena *arena,
			    struct message *out)
{
	struct message answer;
	enum error_code code =
		key ? sqlite_message_find(conn, SQL_MESSAGE_BY_KEY, SQL_VALUES(sql_text(key)),
					  arena, &answer)
		    : sqlite_message_find(conn, SQL_MESSAGE_GET,
					  SQL_VALUES(sql_text(thread_id), sql_text(answer_id)),
					  arena, &answer);

	if (code == ERROR_NONE)
		code = sqlite_thread_check(conn, owner, answer.thread_id);
	if (code == ERROR_NONE)
		*out = answer;
	return code;
}

enum error_code sqlite_turn_find(void *self, const char *owner, const char *thread_id,
				 const char *answer_id, const char *key, struct arena *arena,
				 struct message *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	return code == ERROR_NONE ? sqlite_end(&call, find(call.conn, owner, thread_id, answer_id,
							   key, arena, out))
				  : code;
}

/* --- the steps of opening --- */

struct opening {
	struct sqlite_conn *conn;
	const struct turn_open *open;
	struct arena *arena;
	struct turn_opened *out;
	int64_t now_ms;
};

/* What is not there leaves *out as it is, without an id. */
static enum error_code look(const struct opening *o, enum sql_id id, const struct sql_value *values,
			    size_t count, struct message *out)
{
	enum error_code code = sqlite_message_find(o->conn, id, values, count, o->arena, out);

	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* Is there a thread, and whose is its claim? *is_new: there is none, and it may be made. */
static enum error_code look_at_thread(const struct opening *o, struct thread *thread, bool *is_new)
{
	const struct turn_open *open = o->open;
	sqlite3_stmt *query;
	enum error_code code =
		sqlite_thread_read(o->conn, open->owner, open->thread_id, o->arena, thread);

	if (code != ERROR_NOT_FOUND || !open->make)
		return code;
	*thread = (struct thread){ 0 };
	code = sql_start(o->conn, SQL_THREAD_MARKED, SQL_VALUES(sql_text(open->thread_id)), &query);
	if (code == ERROR_NONE)
		code = sql_step(query);
	sql_done(query);
	*is_new = code == ERROR_NOT_FOUND;
	return *is_new ? ERROR_NONE : code == ERROR_NONE ? ERROR_NOT_FOUND : code;
}

/* What exists of the pair, and the answer that the question has. */
static enum error_code look_for_pair(const struct opening *o)
{
	const struct turn_open *open = o->open;
	const struct sql_value thread = sql_text(open->thread_id);
	struct message *question = &o->out->question, *answer = &o->out->answer;
	enum error_code code = ERROR_NONE;

	if (open->answer.key)
		code = look(o, SQL_MESSAGE_BY_KEY, SQL_VALUES(sql_text(open->answer.key)), answer);
	/* The key has its user in it, but the thread that it was used on may be another's by now.
	 */
	if (code == ERROR_NONE && answer->id)
		code = sqlite_thread_check(o->conn, open->owner, answer->thread_id);
	if (code == ERROR_NONE && !answer->id)
		code = look(o, SQL_MESSAGE_GET, SQL_VALUES(thread, sql_text(open->answer.id)),
			    answer);
	if (code == ERROR_NONE)
		code = look(o, SQL_MESSAGE_GET, SQL_VALUES(thread, sql_text(open->question.id)),
			    question);
	if (code == ERROR_NONE && question->id && !answer->id)
		code = look(o, SQL_MESSAGE_ANSWERS,
			    SQL_VALUES(thread, sql_int(question->seq), sql_text(question->id)),
			    answer);
	return code;
}

static enum error_code put_answer(const struct opening *o, int64_t seq)
{
	o->out->answer = store_new_answer(o->open, seq, o->out->question.id);
	return sqlite_message_put(o->conn, &o->out->answer);
}

static enum error_code put_pair(const struct opening *o)
{
	char last[ID_MAX + 1];
	int64_t seq;
	enum error_code code = sqlite_message_last(o->conn, o->open->thread_id, &seq, last);

	if (code != ERROR_NONE)
		return code;
	if (!o->out->question.id) { /* else a first try put it in */
		o->out->question = store_new_question(o->open, ++seq,
						      last[0] ? arena_text(o->arena, last) : NULL);
		code = sqlite_message_put(o->conn, &o->out->question);
	}
	return code == ERROR_NONE ? put_answer(o, seq + 1) : code;
}

static enum error_code take_over(const struct opening *o)
{
	struct message *answer = &o->out->answer;
	enum error_code code =
		sql_run(o->conn, SQL_MESSAGE_TAKE_OVER,
			SQL_VALUES(sql_text(answer->thread_id), sql_text(answer->id),
				   sql_text(o->open->run.id), sql_text(o->open->answer.key),
				   sql_int(o->now_ms)),
			NULL);

	if (code == ERROR_NONE)
		code = sqlite_message_find(
			o->conn, SQL_MESSAGE_GET,
			SQL_VALUES(sql_text(answer->thread_id), sql_text(answer->id)), o->arena,
			answer);
	/* Its question is its parent, whatever id the new one has. */
	return code == ERROR_NONE
		       ? look(o, SQL_MESSAGE_GET,
			      SQL_VALUES(sql_text(answer->thread_id), sql_text(answer->parent_id)),
			      &o->out->question)
		       : code;
}

/* Columns of SQL_HISTORY. */
static enum error_code take_brief(sqlite3_stmt *row, const struct opening *o, struct message *out)
{
	struct store_row read = { .arena = o->arena };

	*out = (struct message){
		.thread_id = o->open->thread_id,
		.id = store_row_text(&read, sql_column(row, 0), true),
		.seq = sqlite3_column_int64(row, 1),
		.role = store_row_role(&read, sql_column(row, 2)),
		.status = store_row_status(&read, sql_column(row, 3)),
		.content = store_row_content(&read, sql_column(row, 5)),
		.metadata = store_row_text(&read, sql_column(row, 6), false),
		.usage = USAGE_UNKNOWN,
	};
	return store_row_read(&read, out->thread_id, out->id);
}

static enum error_code take_history(sqlite3_stmt *query, const struct opening *o)
{
	struct message_fill fill = { .arena = o->arena,
				     .limit = o->open->history_max,
				     .bytes_max = o->open->history_bytes };
	struct message *next;
	enum error_code code;

	while ((code = sql_step(query)) == ERROR_NONE &&
	       (next = store_next_message(&fill, (size_t)sqlite3_column_int64(query, 4))))
		if ((code = take_brief(query, o, next)) != ERROR_NONE)
			return code;
	store_reverse(&fill.list);
	o->out->history = fill.list;
	return code == ERROR_NOT_FOUND || code == ERROR_NONE ? store_fits(o->arena) : code;
}

static enum error_code read_history(const struct opening *o)
{
	const struct turn_open *open = o->open;
	int64_t before = o->out->question.id ? o->out->question.seq : o->out->answer.seq;
	sqlite3_stmt *query;
	enum error_code code = sql_start(o->conn, SQL_HISTORY,
					 SQL_VALUES(sql_text(open->thread_id), sql_int(before),
						    sql_int((int64_t)open->history_bytes),
						    sql_int((int64_t)open->history_max)),
					 &query);

	if (code == ERROR_NONE)
		code = take_history(query, o);
	sql_done(query);
	return code;
}

/* --- opening --- */

static enum error_code claim(const struct opening *o)
{
	const struct run_ref *run = &o->open->run;

	return sql_run(o->conn, SQL_CLAIM_SET,
		       SQL_VALUES(sql_text(o->open->thread_id), sql_text(run->id),
				  sql_text(run->message_id), sql_text(run->node),
				  sql_int(o->now_ms)),
		       NULL);
}

static enum error_code make_thread(const struct opening *o)
{
	struct thread thread = *o->open->make;

	thread.id = o->open->thread_id;
	return sqlite_thread_put(o->conn, &thread);
}

static enum error_code begin(const struct opening *o, bool is_new)
{
	enum error_code code = look_for_pair(o);
	enum turn_step step = store_turn_step(o->open, &o->out->question, &o->out->answer);

	if (code != ERROR_NONE)
		return code;
	if (step == TURN_STEP_ASKED) {
		o->out->kind = TURN_ASKED;
		return ERROR_NONE;
	}
	if (is_new)
		code = make_thread(o);
	if (code == ERROR_NONE)
		code = step == TURN_STEP_AGAIN ? take_over(o) : put_pair(o);
	if (code == ERROR_NONE)
		code = claim(o);
	if (code == ERROR_NONE)
		code = read_history(o);
	return code == ERROR_NONE ? store_fits(o->arena) : code;
}

static enum error_code open_turn(const struct opening *o)
{
	bool is_new = false;
	struct thread thread;
	enum error_code code = look_at_thread(o, &thread, &is_new);

	if (code != ERROR_NONE)
		return code;
	if (!thread.run.id)
		return begin(o, is_new);
	o->out->kind = TURN_HELD;
	o->out->holder = thread.run;
	return ERROR_NONE;
}

enum error_code sqlite_turn_open(void *self, const struct turn_open *open, struct arena *arena,
				 struct turn_opened *out)
{
	struct turn_opened opened = { .kind = TURN_OPENED };
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE) {
		const struct opening o = { call.conn, open, arena, &opened, clock_wall_ms() };

		code = sqlite_end(&call, open_turn(&o));
	}
	if (code == ERROR_NONE)
		*out = opened;
	return code;
}
