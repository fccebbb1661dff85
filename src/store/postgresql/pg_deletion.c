/*
 * pg_deletion: a thread is marked, which hides it from all of ours at once; its messages go in
 * steps. Behind the last of them, and the end of its run, its row goes, too: other programs see it
 * until then, without its title. The mark stays in a table of its own.
 */
#include "pg_room.h"

#include "base/clock.h"

static enum error_code take_run(struct pg_call *call, struct arena *arena,
				struct thread_deleted *out)
{
	const PGresult *rows;
	enum error_code code = pg_answer(call, &rows);

	if (code != ERROR_NONE || PQntuples(rows) == 0)
		return code;
	out->run = (struct run_ref){ .id = pg_column_text(rows, 0, 0, arena),
				     .message_id = pg_column_text(rows, 0, 1, arena),
				     .node = pg_column_text(rows, 0, 2, arena) };
	return store_fits(arena);
}

static enum error_code take_ended(struct pg_call *call, struct arena *arena,
				  struct thread_deleted *out)
{
	const PGresult *rows;
	enum error_code code = pg_answer(call, &rows);

	for (int i = 0; code == ERROR_NONE && i < PQntuples(rows); i++) {
		out->run_ids =
			store_grow(arena, out->run_ids, out->run_count, sizeof *out->run_ids);
		if (out->run_ids)
			out->run_ids[out->run_count++] = pg_column_text(rows, i, 0, arena);
		code = store_fits(arena);
	}
	return code;
}

/* Whose it is is asked before it is hidden; its row is held from there on. */
static enum error_code mark(struct pg_call *call, const char *owner, const char *id,
			    struct arena *arena, struct thread_deleted *out)
{
	const int64_t now_ms = clock_wall_ms();
	struct thread thread;
	enum error_code code, why;

	*out = (struct thread_deleted){ 0 };
	pg_ask(call, SQL_THREAD_LOCK, SQL_VALUES(sql_text(id)));
	pg_ask(call, SQL_THREAD_DELETE,
	       SQL_VALUES(sql_text(id), sql_text(owner), sql_time(now_ms)));
	pg_ask(call, SQL_MARK_PUT, SQL_VALUES(sql_text(id)));
	pg_ask(call, SQL_RUNS_ENDED,
	       SQL_VALUES(sql_text(id), sql_time(now_ms - RUNS_KEPT_MS), sql_int(RUNS_NAMED_MAX),
			  sql_int(RUNS_LOOKED_AT)));
	pg_commit(call);
	code = pg_thread_answer(call, arena, &thread);
	why = code == ERROR_NONE ? store_may(owner, thread.user_id) : code;
	if (why != ERROR_NONE)
		return why;
	code = take_run(call, arena, out);
	if (code == ERROR_NONE)
		code = pg_answer(call, NULL);
	return code == ERROR_NONE ? take_ended(call, arena, out) : code;
}

enum error_code pg_thread_delete(void *self, const char *owner, const char *id, struct arena *arena,
				 struct thread_deleted *out)
{
	struct pg_call call = { .pool = self, .is_write = true };
	struct thread_deleted deleted;

	while (pg_begin(&call))
		pg_end(&call, mark(&call, owner, id, arena, &deleted));
	if (call.code == ERROR_NONE)
		*out = deleted;
	return call.code;
}

static enum error_code purge(struct pg_call *call, const char *id, size_t limit, size_t *removed)
{
	const PGresult *rows;
	enum error_code code;

	pg_ask(call, SQL_MARK_GET, SQL_VALUES(sql_text(id)));
	pg_ask(call, SQL_MESSAGES_PURGE, SQL_VALUES(sql_text(id), sql_int((int64_t)limit)));
	pg_ask(call, SQL_THREAD_PURGE, SQL_VALUES(sql_text(id)));
	pg_commit(call);
	code = pg_answer(call, &rows);
	if (code == ERROR_NONE && PQntuples(rows) == 0)
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE)
		code = pg_answer(call, NULL);
	*removed = pg_changed(call);
	return code;
}

enum error_code pg_thread_purge(void *self, const char *id, size_t limit, bool *more)
{
	struct pg_call call = { .pool = self, .is_write = true };
	size_t removed = 0;

	while (pg_begin(&call))
		pg_end(&call, purge(&call, id, limit, &removed));
	if (call.code == ERROR_NONE)
		*more = removed == limit;
	return call.code;
}
