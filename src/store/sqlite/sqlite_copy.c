/*
 * sqlite_copy: whole stores, for administrators: threads and messages read in the order of their
 * ids, put as another store had them, counted; and the schema's version.
 */
#include "sqlite_room.h"

#include <unistd.h>

/* --- reading --- */

enum error_code sqlite_thread_scan(void *self, const char *after, size_t limit, struct arena *arena,
				   struct thread_list *out)
{
	struct thread_fill fill = { .arena = arena, .limit = limit };
	sqlite3_stmt *query = NULL;
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	if (code != ERROR_NONE)
		return code;
	code = sql_start(call.conn, SQL_THREADS_SCAN,
			 SQL_VALUES(sql_text(after ? after : ""), sql_int((int64_t)limit + 1)),
			 &query);
	if (code == ERROR_NONE)
		code = sqlite_thread_rows(query, &fill);
	sql_done(query);
	code = sqlite_end(&call, code);
	return code == ERROR_NONE ? store_threads_scanned(&fill, out) : code;
}

static enum error_code count(struct sqlite_conn *conn, const char *user_id,
			     struct store_counts *out)
{
	const struct sql_value user = sql_text(user_id);
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, user_id ? SQL_COUNT_OF_USER : SQL_COUNT_OF_ALL,
					 &user, user_id ? 1 : 0, &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		*out = (struct store_counts){ .threads = sqlite3_column_int64(query, 0),
					      .messages = sqlite3_column_int64(query, 1) };
	sql_done(query);
	return code;
}

enum error_code sqlite_counts(void *self, const char *user_id, struct store_counts *out)
{
	struct store_counts counts;
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, false, &call);

	if (code != ERROR_NONE)
		return code;
	sqlite_may_last(&call);
	code = sqlite_end(&call, count(call.conn, user_id, &counts));
	if (code == ERROR_NONE)
		*out = counts;
	return code;
}

/* --- putting --- */

/* What a mark was still to remove must not come back with its thread. */
static enum error_code put_thread(struct sqlite_conn *conn, const struct thread *thread)
{
	sqlite3_stmt *query;
	enum error_code code =
		sql_start(conn, SQL_THREAD_MARKED, SQL_VALUES(sql_text(thread->id)), &query);

	if (code == ERROR_NONE)
		code = sql_step(query);
	sql_done(query);
	if (code == ERROR_NONE)
		code = sql_run(conn, SQL_MESSAGES_PURGE,
			       SQL_VALUES(sql_text(thread->id), sql_int(-1)), NULL);
	if (code != ERROR_NONE && code != ERROR_NOT_FOUND)
		return code;
	return sql_run(conn, SQL_THREAD_REPLACE,
		       SQL_VALUES(sql_text(thread->id), sql_text(thread->user_id),
				  sql_text(thread->title), sql_int(thread->created_ms),
				  sql_int(thread->updated_ms), sql_int(thread->rev),
				  sql_int(thread->archived), sql_text(thread->metadata)),
		       NULL);
}

enum error_code sqlite_threads_put(void *self, const struct thread *threads, size_t n)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t i = 0; code == ERROR_NONE && i < n; i++)
		code = put_thread(call.conn, &threads[i]);
	return sqlite_end(&call, code);
}

static enum error_code put_message(struct sqlite_conn *conn, const struct message *m)
{
	const struct sql_value thread = sql_text(m->thread_id), id = sql_text(m->id);
	enum error_code code =
		sql_run(conn, SQL_SEQ_FREE, SQL_VALUES(thread, sql_int(m->seq), id), NULL);

	if (code == ERROR_NONE && m->key)
		code = sql_run(conn, SQL_KEY_FREE, SQL_VALUES(sql_text(m->key), thread, id), NULL);
	return code == ERROR_NONE ? sqlite_message_replace(conn, m) : code;
}

enum error_code sqlite_messages_put(void *self, const struct message *messages, size_t n)
{
	const char *seen = "";
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t i = 0; code == ERROR_NONE && i < n; i++) {
		if (strcmp(seen, messages[i].thread_id) != 0)
			code = sqlite_thread_check(call.conn, NULL, seen = messages[i].thread_id);
		if (code == ERROR_NONE)
			code = put_message(call.conn, &messages[i]);
	}
	return sqlite_end(&call, code);
}

enum error_code sqlite_messages_drop(void *self, const char *thread_id, const char *const *ids,
				     size_t n)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t i = 0; code == ERROR_NONE && i < n; i++)
		code = sql_run(call.conn, SQL_MESSAGE_DROP,
			       SQL_VALUES(sql_text(thread_id), sql_text(ids[i])), NULL);
	return sqlite_end(&call, code);
}

/* --- the schema --- */

enum error_code sqlite_version(void *self, struct store_version *out)
{
	struct sqlite_call call;
	enum error_code code;
	int version;

	*out = (struct store_version){ .here = sqlite_schema_version };
	if (access(sqlite_pool_path(self), F_OK) != 0) {
		out->note = "the file will be made";
		return ERROR_NONE;
	}
	code = sqlite_begin(self, false, &call);
	if (code != ERROR_NONE)
		return code;
	if (sqlite_schema_read(call.conn->db, &version) == SQLITE_OK)
		out->there = version;
	else
		code = sqlite_failed(call.conn->db);
	return sqlite_end(&call, code);
}

/* As each worker does it when it opens the file, with more time. */
enum error_code sqlite_migrate(void *self, struct error *err)
{
	enum error_code code;
	struct sqlite_conn *conn =
		sqlite_file_open(sqlite_pool_path(self), SQLITE_LONG_MS, false, &code, err);

	sqlite_file_close(conn);
	return code;
}
