/* sqlite_claim: how a run lets go of its thread: its end, the wish that it stop, what the dead
 * left.
 */
#include "sqlite_room.h"

#include "base/clock.h"

/* --- the end of a run --- */

static enum error_code release(struct sqlite_conn *conn, const char *thread_id, const char *run_id)
{
	return sql_run(conn, SQL_CLAIM_CLEAR, SQL_VALUES(sql_text(thread_id), sql_text(run_id)),
		       NULL);
}

static enum error_code save(struct sqlite_conn *conn, const struct finish *f, bool *applied)
{
	int changed = 0;
	enum error_code code = sql_run(
		conn, SQL_MESSAGE_FINISH,
		SQL_VALUES(sql_text(f->thread_id), sql_text(f->message_id), sql_text(f->run_id),
			   sql_text(message_status_text(f->status)), sql_slice(f->content),
			   sql_int((int64_t)f->content.len), sql_text(f->finish_reason),
			   sql_text(f->model), sql_count(f->usage.input),
			   sql_count(f->usage.output), sql_count(f->usage.total),
			   sql_int(f->unasked), sql_int(clock_wall_ms()), sql_int(f->if_streaming)),
		&changed);

	*applied = changed > 0;
	return code == ERROR_NONE ? release(conn, f->thread_id, f->run_id) : code;
}

enum error_code sqlite_finish(void *self, const struct finish *finish, bool *applied)
{
	struct sqlite_call call;
	bool was_applied = false;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, save(call.conn, finish, &was_applied));
	if (code == ERROR_NONE && applied)
		*applied = was_applied;
	return code;
}

/* --- lists of claims --- */

static enum error_code take_claims(sqlite3_stmt *query, struct arena *arena, struct claim_list *out)
{
	struct store_row read = { .arena = arena };
	struct claim_list list = { 0 };
	enum error_code code;

	while ((code = sql_step(query)) == ERROR_NONE) {
		list.items = store_grow(arena, list.items, list.count, sizeof *list.items);
		if (list.items)
			list.items[list.count++] = (struct held_claim){
				.thread_id = store_row_text(&read, sql_column(query, 0), true),
				.run = { store_row_text(&read, sql_column(query, 1), true),
					 store_row_text(&read, sql_column(query, 2), true),
					 store_row_text(&read, sql_column(query, 3), true) },
			};
		if ((code = store_row_read(&read, NULL, NULL)) != ERROR_NONE)
			return code;
	}
	if (code == ERROR_NOT_FOUND) {
		*out = list;
		code = ERROR_NONE;
	}
	return code;
}

static enum error_code rows_of(struct sqlite_pool *pool, enum sql_id id,
			       const struct sql_value *values, size_t count, struct arena *arena,
			       struct claim_list *out)
{
	sqlite3_stmt *query;
	struct sqlite_call call;
	enum error_code code = sqlite_begin(pool, false, &call);

	if (code != ERROR_NONE)
		return code;
	code = sql_start(call.conn, id, values, count, &query);
	if (code == ERROR_NONE)
		code = take_claims(query, arena, out);
	sql_done(query);
	return sqlite_end(&call, code);
}

enum error_code sqlite_claims_of_dead(void *self, int64_t silent_ms, size_t limit,
				      struct arena *arena, struct claim_list *out)
{
	return rows_of(self, SQL_CLAIMS_OF_DEAD,
		       SQL_VALUES(sql_int(clock_wall_ms() - silent_ms), sql_int((int64_t)limit)),
		       arena, out);
}

/* --- wishes --- */

static enum error_code ask_stop(struct sqlite_conn *conn, const char *owner, const char *run_id)
{
	sqlite3_stmt *query;
	enum error_code code =
		sql_start(conn, SQL_CLAIM_OF_RUN, SQL_VALUES(sql_text(run_id)), &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		code = store_may(owner, (const char *)sqlite3_column_text(query, 1));
	sql_done(query);
	return code == ERROR_NONE ? sql_run(conn, SQL_STOP_SET, SQL_VALUES(sql_text(run_id)), NULL)
				  : code;
}

enum error_code sqlite_stop_ask(void *self, const char *owner, const char *run_id)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	return code == ERROR_NONE ? sqlite_end(&call, ask_stop(call.conn, owner, run_id)) : code;
}

enum error_code sqlite_stops_of(void *self, const char *node, struct arena *arena,
				struct claim_list *out)
{
	return rows_of(self, SQL_STOPS_OF, SQL_VALUES(sql_text(node), sql_int(CLAIMS_MAX)), arena,
		       out);
}
