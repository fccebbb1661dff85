/*
 * pg_turn: a turn begins in one transaction of two round trips. The first takes the thread's row
 * (made where there is none) and looks for what was asked before; the second writes both messages
 * and the claim, reads the history and commits. What was read holds until then, since everybody who
 * adds to the thread waits for its row.
 */
#include "pg_room.h"

#include "base/clock.h"

struct opening {
	struct pg_call *call;
	const struct turn_open *open;
	struct arena *arena;
	struct turn_opened *out;
	int64_t now_ms;
};

/* --- the first trip --- */

static void ask_all(const struct opening *o)
{
	const struct turn_open *open = o->open;
	const struct sql_value thread = sql_text(open->thread_id);

	if (open->make) {
		struct thread make = *open->make;

		make.id = open->thread_id;
		pg_thread_ask_insert(o->call, &make);
	}
	pg_ask(o->call, SQL_THREAD_LOCK, SQL_VALUES(thread));
	if (open->answer.key) {
		/* The same key may come to two threads at once. */
		pg_ask(o->call, SQL_KEY_LOCK, SQL_VALUES(sql_text(open->answer.key)));
		pg_ask(o->call, SQL_MESSAGE_BY_KEY, SQL_VALUES(sql_text(open->answer.key)));
	}
	pg_ask(o->call, SQL_MESSAGE_GET, SQL_VALUES(thread, sql_text(open->answer.id)));
	pg_ask(o->call, SQL_MESSAGE_GET, SQL_VALUES(thread, sql_text(open->question.id)));
	pg_ask(o->call, SQL_MESSAGE_ANSWER, SQL_VALUES(thread, sql_text(open->question.id)));
}

/* What is not there leaves *out as it is, without an id. */
static enum error_code look(const struct opening *o, const char *owner, struct message *out)
{
	struct message message;
	enum error_code code = pg_message_answer(o->call, owner, o->arena, &message);

	if (code == ERROR_NONE && !out->id)
		*out = message;
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* What exists of the pair, and the answer that the question has: by key, by id, the question's. The
 * key has its user in it, but the thread that it was used on may be another's by now. */
static enum error_code look_at_pair(const struct opening *o)
{
	struct message *question = &o->out->question, *answer = &o->out->answer;
	enum error_code code = ERROR_NONE;

	if (o->open->answer.key) {
		code = pg_answer(o->call, NULL);
		if (code == ERROR_NONE)
			code = look(o, o->open->owner, answer);
	}
	if (code == ERROR_NONE)
		code = look(o, NULL, answer);
	if (code == ERROR_NONE)
		code = look(o, NULL, question);
	return code == ERROR_NONE ? look(o, NULL, answer) : code;
}

static enum error_code look_at_thread(const struct opening *o, struct thread *thread)
{
	enum error_code code = o->open->make ? pg_answer(o->call, NULL) : ERROR_NONE;

	if (code == ERROR_NONE)
		code = pg_thread_answer(o->call, o->arena, thread);
	return code == ERROR_NONE ? store_may(o->open->owner, thread->user_id) : code;
}

/* --- the second --- */

static void ask_put(const struct opening *o, const struct message *message, const char *parent_id,
		    struct message *out)
{
	*out = *message;
	out->thread_id = o->open->thread_id;
	out->parent_id = parent_id;
	out->usage = USAGE_UNKNOWN;
	out->seq = 0;
	pg_message_ask(o->call, SQL_MESSAGE_INSERT, NULL, o->open->thread_id, out);
}

static enum error_code take_put(const struct opening *o, struct message *out)
{
	const PGresult *rows;
	enum error_code code = pg_answer(o->call, &rows);

	if (code != ERROR_NONE)
		return code;
	if (PQntuples(rows) != 1)
		return ERROR_NOT_FOUND;
	out->seq = pg_column_int(rows, 0, 0);
	out->parent_id = pg_column_text(rows, 0, 1, o->arena);
	return store_fits(o->arena);
}

static void ask_history(const struct opening *o, const char *question_id, int64_t before)
{
	pg_ask(o->call, SQL_HISTORY,
	       SQL_VALUES(sql_text(o->open->thread_id), sql_text(question_id), sql_int(before),
			  sql_int((int64_t)o->open->history_bytes),
			  sql_int((int64_t)o->open->history_max)));
}

static enum error_code take_history(const struct opening *o)
{
	const PGresult *rows;
	enum error_code code = pg_answer(o->call, &rows);

	if (code == ERROR_NONE)
		code = pg_message_rows(rows, 1, true, o->open->history_max, o->arena,
				       &o->out->history);
	if (code == ERROR_NONE)
		store_reverse(&o->out->history);
	return code;
}

static void ask_claim(const struct opening *o)
{
	const struct run_ref *run = &o->open->run;

	pg_ask(o->call, SQL_CLAIM_SET,
	       SQL_VALUES(sql_text(o->open->thread_id), sql_text(run->id),
			  sql_text(run->message_id), sql_text(run->node), sql_time(o->now_ms)));
	pg_commit(o->call);
}

static enum error_code put_pair(const struct opening *o)
{
	struct message *question = &o->out->question, *answer = &o->out->answer;
	const bool has_question = question->id != NULL; /* a first try put it in */
	struct message streaming = o->open->answer;
	enum error_code code;

	streaming.status = STATUS_STREAMING;
	streaming.run_id = o->open->run.id;
	streaming.content = SLICE("");
	ask_history(o, o->open->question.id, INT64_MAX);
	if (!has_question)
		ask_put(o, &o->open->question, NULL, question);
	ask_put(o, &streaming, o->open->question.id, answer);
	ask_claim(o);
	code = take_history(o);
	if (code == ERROR_NONE && !has_question)
		code = take_put(o, question);
	return code == ERROR_NONE ? take_put(o, answer) : code;
}

/* Its question is its parent, whatever id the new one has. */
static enum error_code take_over(const struct opening *o)
{
	struct message *question = &o->out->question, *answer = &o->out->answer;
	const struct message old = *answer;
	const struct sql_value thread = sql_text(old.thread_id);
	enum error_code code;

	ask_history(o, old.parent_id, old.seq);
	pg_ask(o->call, SQL_MESSAGE_TAKE_OVER,
	       SQL_VALUES(thread, sql_text(old.id), sql_text(o->open->run.id),
			  sql_text(o->open->answer.key), sql_time(o->now_ms)));
	pg_ask(o->call, SQL_MESSAGE_GET, SQL_VALUES(thread, sql_text(old.id)));
	pg_ask(o->call, SQL_MESSAGE_GET,
	       SQL_VALUES(thread, sql_text(old.parent_id ? old.parent_id : "")));
	ask_claim(o);
	code = take_history(o);
	if (code == ERROR_NONE)
		code = pg_answer(o->call, NULL);
	*question = *answer = (struct message){ 0 };
	if (code == ERROR_NONE)
		code = look(o, NULL, answer);
	return code == ERROR_NONE ? look(o, NULL, question) : code;
}

/* --- opening --- */

static enum error_code begin(const struct opening *o)
{
	const struct message *question = &o->out->question, *answer = &o->out->answer;
	enum error_code code = look_at_pair(o);
	bool again = answer->id && store_can_take_over(answer, o->open);
	bool asked = answer->id
			     ? !again
			     : question->id && !store_same_question(question, &o->open->question);

	if (code != ERROR_NONE)
		return code;
	if (!asked)
		return again ? take_over(o) : put_pair(o);
	o->out->kind = TURN_ASKED;
	pg_undo(o->call); /* a thread that was made for it */
	return store_fits(o->arena);
}

static enum error_code open_turn(const struct opening *o)
{
	struct thread thread = { 0 };
	enum error_code code;

	*o->out = (struct turn_opened){ .kind = TURN_OPENED };
	ask_all(o);
	code = look_at_thread(o, &thread);
	if (code != ERROR_NONE)
		return code;
	if (!thread.run.id)
		return begin(o);
	o->out->kind = TURN_HELD;
	o->out->holder = thread.run;
	pg_undo(o->call);
	return ERROR_NONE;
}

enum error_code pg_turn_open(void *self, const struct turn_open *open, struct arena *arena,
			     struct turn_opened *out)
{
	struct pg_call call = { .pool = self, .is_write = true };
	struct turn_opened opened;
	const struct opening o = { &call, open, arena, &opened, clock_wall_ms() };

	while (pg_begin(&call))
		pg_end(&call, open_turn(&o));
	if (call.code == ERROR_NONE)
		*out = opened;
	return call.code;
}
