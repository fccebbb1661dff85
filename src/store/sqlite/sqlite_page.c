/* sqlite_page: messages listed: a page of a thread, and its runs. */
#include "sqlite_room.h"

/* The number of a page's border. ERROR_VALIDATION: there is no such message. */
static enum error_code border(struct sqlite_conn *conn, const char *thread_id, const char *id,
			      int64_t *seq)
{
	sqlite3_stmt *query;
	enum error_code code;

	if (!id)
		return ERROR_NONE;
	code = sql_start(conn, SQL_MESSAGE_SEQ, SQL_VALUES(sql_text(thread_id), sql_text(id)),
			 &query);
	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		*seq = sqlite3_column_int64(query, 0);
	sql_done(query);
	return code == ERROR_NOT_FOUND ? ERROR_VALIDATION : code;
}

static enum error_code list(struct sqlite_conn *conn, const struct message_filter *filter,
			    struct arena *arena, struct message_list *out)
{
	bool goes_on = store_goes_on(filter);
	int64_t after = 0, before = INT64_MAX;
	struct message_fill fill = { .arena = arena,
				     .limit = filter->limit,
				     .bytes_max = filter->bytes_max ? filter->bytes_max : SIZE_MAX,
				     .taker = filter->taker };
	sqlite3_stmt *query = NULL;
	enum error_code code = sqlite_thread_check(conn, filter->owner, filter->thread_id);

	if (code == ERROR_NONE)
		code = border(conn, filter->thread_id, filter->after, &after);
	if (code == ERROR_NONE)
		code = border(conn, filter->thread_id, filter->before, &before);
	if (code == ERROR_NONE)
		code = sql_start(conn, goes_on ? SQL_MESSAGES_ON : SQL_MESSAGES_BACK,
				 SQL_VALUES(sql_text(filter->thread_id), sql_int(after),
					    sql_int(before), sql_int((int64_t)filter->limit + 1)),
				 &query);
	if (code == ERROR_NONE)
		code = sqlite_message_rows(query, true, &fill);
	sql_done(query);
	if (code != ERROR_NONE)
		return code;
	if (!goes_on && fill.list.items)
		store_reverse(&fill.list);
	*out = fill.list;
	return ERROR_NONE;
}

enum error_code sqlite_message_list(void *self, const struct message_filter *filter,
				    struct arena *arena, struct message_list *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	return code == ERROR_NONE ? sqlite_end(&call, list(call.conn, filter, arena, out)) : code;
}

static enum error_code runs(struct sqlite_conn *conn, const char *owner, const char *thread_id,
			    size_t limit, struct arena *arena, struct message_list *out)
{
	struct message_fill fill = { .arena = arena, .limit = limit, .bytes_max = SIZE_MAX };
	sqlite3_stmt *query = NULL;
	enum error_code code = sqlite_thread_check(conn, owner, thread_id);

	if (code == ERROR_NONE)
		code = sql_start(conn, SQL_RUNS_OF,
				 SQL_VALUES(sql_text(thread_id), sql_int((int64_t)limit + 1)),
				 &query);
	if (code == ERROR_NONE)
		code = sqlite_message_rows(query, false, &fill);
	sql_done(query);
	if (code == ERROR_NONE)
		*out = fill.list;
	return code;
}

enum error_code sqlite_runs_of(void *self, const char *owner, const char *thread_id, size_t limit,
			       struct arena *arena, struct message_list *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	return code == ERROR_NONE
		       ? sqlite_end(&call, runs(call.conn, owner, thread_id, limit, arena, out))
		       : code;
}
