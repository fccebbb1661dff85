/* sqlite_thread: threads put in, read, listed, changed, marked deleted and emptied. */
#include "sqlite_room.h"

#include "base/clock.h"

static enum error_code take(sqlite3_stmt *row, struct arena *arena, struct thread *out)
{
	struct store_row read = { .arena = arena };

	*out = (struct thread){
		.id = store_row_text(&read, sql_column(row, 0), true),
		.user_id = store_row_text(&read, sql_column(row, 1), true),
		.title = store_row_text(&read, sql_column(row, 2), true),
		.created_ms = sqlite3_column_int64(row, 3),
		.updated_ms = sqlite3_column_int64(row, 4),
		.rev = sqlite3_column_int64(row, 5),
		.archived = sqlite3_column_int(row, 6) != 0,
		.run = { .id = store_row_text(&read, sql_column(row, 7), false),
			 .message_id = store_row_text(&read, sql_column(row, 8), false),
			 .node = store_row_text(&read, sql_column(row, 9), false) },
		.metadata = store_row_text(&read, sql_column(row, 10), false),
	};
	return store_row_read(&read, out->id, NULL);
}

/* --- one --- */

enum error_code sqlite_thread_put(struct sqlite_conn *conn, const struct thread *thread)
{
	return sql_run(conn, SQL_THREAD_INSERT,
		       SQL_VALUES(sql_text(thread->id), sql_text(thread->user_id),
				  sql_text(thread->title), sql_int(thread->created_ms),
				  sql_int(thread->updated_ms), sql_int(thread->rev),
				  sql_int(thread->archived), sql_text(thread->run.id),
				  sql_text(thread->run.message_id), sql_text(thread->run.node),
				  sql_text(thread->metadata)),
		       NULL);
}

enum error_code sqlite_thread_insert(void *self, const struct thread *thread)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	return code == ERROR_NONE ? sqlite_end(&call, sqlite_thread_put(call.conn, thread)) : code;
}

enum error_code sqlite_thread_read(struct sqlite_conn *conn, const char *owner, const char *id,
				   struct arena *arena, struct thread *out)
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_THREAD_GET, SQL_VALUES(sql_text(id)), &query);
	struct thread thread = { 0 };

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		code = take(query, arena, &thread);
	sql_done(query);
	if (code == ERROR_NONE)
		code = store_may(owner, thread.user_id);
	if (code == ERROR_NONE)
		*out = thread;
	return code;
}

enum error_code sqlite_thread_check(struct sqlite_conn *conn, const char *owner, const char *id)
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_THREAD_USER, SQL_VALUES(sql_text(id)), &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		code = store_may(owner, (const char *)sqlite3_column_text(query, 0));
	sql_done(query);
	return code;
}

enum error_code sqlite_thread_get(void *self, const char *owner, const char *id,
				  struct arena *arena, struct thread *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	return code == ERROR_NONE
		       ? sqlite_end(&call, sqlite_thread_read(call.conn, owner, id, arena, out))
		       : code;
}

/* --- many --- */

enum error_code sqlite_thread_rows(sqlite3_stmt *query, struct thread_fill *fill)
{
	struct thread *next;
	enum error_code code;

	while ((code = sql_step(query)) == ERROR_NONE && (next = store_next_thread(fill)))
		if ((code = take(query, store_thread_arena(fill), next)) != ERROR_NONE ||
		    (code = store_took_thread(fill)) != ERROR_NONE)
			return code;
	return code == ERROR_NOT_FOUND || code == ERROR_NONE ? store_fits(fill->arena) : code;
}

static enum error_code start_list(struct sqlite_conn *conn, const struct thread_page *page,
				  struct arena *arena, sqlite3_stmt **query)
{
	const struct sql_value user = sql_text(page->user_id), archived = sql_int(page->archived);
	const struct sql_value last_ms = sql_int(page->last ? page->last_ms : INT64_MAX);
	const struct sql_value last = sql_text(page->last ? page->last : "");
	const struct sql_value rows = sql_int((int64_t)page->limit + 1);
	enum sqlite_search how;
	const char *match;
	enum error_code code;

	if (!page->q)
		return sql_start(conn, page->user_id ? SQL_THREADS_OF_USER : SQL_THREADS_OF_ALL,
				 SQL_VALUES(user, archived, last_ms, last, rows), query);
	code = sqlite_search_plan(conn, page->q, arena, &match, &how);
	return code == ERROR_NONE ? sql_start(conn,
					      page->user_id ? SQL_THREADS_FOUND_OF_USER
							    : SQL_THREADS_FOUND_OF_ALL,
					      SQL_VALUES(user, archived, sql_text(page->q), last_ms,
							 last, rows, sql_text(match), sql_int(how)),
					      query)
				  : code;
}

static enum error_code list(struct sqlite_conn *conn, const struct thread_page *page,
			    struct arena *arena, struct thread_list *out)
{
	struct thread_fill fill = { .arena = arena, .limit = page->limit, .taker = page->taker };
	sqlite3_stmt *query = NULL;
	enum error_code code = start_list(conn, page, arena, &query);

	if (code == ERROR_NONE)
		code = sqlite_thread_rows(query, &fill);
	sql_done(query);
	return code == ERROR_NONE ? store_threads_listed(&fill, out) : code;
}

enum error_code sqlite_thread_list(void *self, const struct thread_page *page, struct arena *arena,
				   struct thread_list *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	return code == ERROR_NONE ? sqlite_end(&call, list(call.conn, page, arena, out)) : code;
}

/* --- changes --- */

static enum error_code update(struct sqlite_conn *conn, const char *owner, const char *id,
			      const struct thread_patch *patch, struct arena *arena,
			      struct thread *out)
{
	struct thread thread;
	enum error_code code = sqlite_thread_read(conn, owner, id, arena, &thread);

	if (code != ERROR_NONE)
		return code;
	if (patch->if_rev >= 0 && patch->if_rev != thread.rev)
		return ERROR_PRECONDITION;
	code = sql_run(conn, SQL_THREAD_UPDATE,
		       SQL_VALUES(sql_text(id), sql_text(patch->title), sql_text(patch->metadata),
				  sql_int(patch->archived), sql_int(patch->now_ms)),
		       NULL);
	return code == ERROR_NONE ? sqlite_thread_read(conn, owner, id, arena, out) : code;
}

enum error_code sqlite_thread_update(void *self, const char *owner, const char *id,
				     const struct thread_patch *patch, struct arena *arena,
				     struct thread *out)
{
	struct sqlite_call call;
	struct thread thread;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, update(call.conn, owner, id, patch, arena, &thread));
	if (code == ERROR_NONE)
		*out = thread;
	return code;
}

enum error_code sqlite_threads_take(void *self, const char *from, const char *to, size_t limit,
				    size_t *taken, bool *more)
{
	struct sqlite_call call;
	int changed = 0;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, sql_run(call.conn, SQL_THREADS_TAKE,
						 SQL_VALUES(sql_text(from), sql_text(to),
							    sql_int((int64_t)limit)),
						 &changed));
	if (code == ERROR_NONE) {
		*taken = (size_t)changed;
		*more = (size_t)changed == limit;
	}
	return code;
}

/* --- deletion --- */

static enum error_code ended_runs(struct sqlite_conn *conn, const char *id, int64_t now_ms,
				  struct arena *arena, struct thread_deleted *out)
{
	sqlite3_stmt *query;
	enum error_code code =
		sql_start(conn, SQL_RUNS_ENDED,
			  SQL_VALUES(sql_text(id), sql_int(now_ms - RUNS_KEPT_MS),
				     sql_int(RUNS_NAMED_MAX), sql_int(RUNS_LOOKED_AT)),
			  &query);

	while (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE) {
		out->run_ids =
			store_grow(arena, out->run_ids, out->run_count, sizeof *out->run_ids);
		if (out->run_ids)
			out->run_ids[out->run_count++] = arena_copy(arena, sql_column(query, 0));
		code = store_fits(arena);
	}
	sql_done(query);
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

static enum error_code mark(struct sqlite_conn *conn, const char *owner, const char *id,
			    struct arena *arena, struct thread_deleted *out)
{
	int64_t now_ms = clock_wall_ms();
	struct thread thread = { 0 };
	enum error_code code = sqlite_thread_read(conn, owner, id, arena, &thread);

	if (code != ERROR_NONE && (code != ERROR_CORRUPT || owner))
		return code; /* an administrator is rid of what is damaged, too */
	out->run = thread.run;
	code = ended_runs(conn, id, now_ms, arena, out);
	return code == ERROR_NONE ? sql_run(conn, SQL_THREAD_MARK,
					    SQL_VALUES(sql_text(id), sql_int(now_ms)), NULL)
				  : code;
}

enum error_code sqlite_thread_delete(void *self, const char *owner, const char *id,
				     struct arena *arena, struct thread_deleted *out)
{
	struct thread_deleted deleted = { 0 };
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, mark(call.conn, owner, id, arena, &deleted));
	if (code == ERROR_NONE)
		*out = deleted;
	return code;
}

enum error_code sqlite_thread_empty(struct sqlite_conn *conn, const char *id, size_t limit,
				    int *removed)
{
	enum error_code code = sql_run(conn, SQL_MESSAGES_PURGE,
				       SQL_VALUES(sql_text(id), sql_int((int64_t)limit)), removed);

	if (code == ERROR_NONE && (size_t)*removed < limit)
		code = sql_run(conn, SQL_THREAD_PURGED, SQL_VALUES(sql_text(id)), NULL);
	return code;
}

static enum error_code purge(struct sqlite_conn *conn, const char *id, size_t limit, int *removed)
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_THREAD_MARKED, SQL_VALUES(sql_text(id)), &query);

	if (code == ERROR_NONE)
		code = sql_step(query);
	sql_done(query);
	return code == ERROR_NONE ? sqlite_thread_empty(conn, id, limit, removed) : code;
}

enum error_code sqlite_thread_purge(void *self, const char *id, size_t limit, bool *more)
{
	struct sqlite_call call;
	int removed = 0;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, purge(call.conn, id, limit, &removed));
	if (code == ERROR_NONE)
		*more = (size_t)removed == limit;
	return code;
}
