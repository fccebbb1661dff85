/* sqlite_old: calls that go with their last caller. */
#include "sqlite_room.h"

static enum error_code number_of(struct sqlite_conn *conn, enum sql_id id,
				 const struct sql_value *values, size_t count, int64_t *out)
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, id, values, count, &query);

	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		*out = sqlite3_column_int64(query, 0);
	sql_done(query);
	return code;
}

static enum error_code claim_or_tell(struct sqlite_conn *conn, const struct claim *claim,
				     struct arena *arena, struct claim_result *result)
{
	enum error_code code =
		number_of(conn, SQL_OLD_CLAIM,
			  SQL_VALUES(sql_text(claim->thread_id), sql_text(claim->user_id),
				     sql_text(claim->run.id), sql_text(claim->run.message_id),
				     sql_text(claim->run.node), sql_int(claim->now_ms)),
			  &result->first_seq);

	result->won = code == ERROR_NONE;
	if (code != ERROR_NOT_FOUND)
		return code;
	code = sqlite_thread_read(conn, NULL, claim->thread_id, arena, &result->thread);
	result->found = code == ERROR_NONE;
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

enum error_code sqlite_claim(void *self, const struct claim *claim, struct arena *arena,
			     struct claim_result *out)
{
	struct claim_result result = { 0 };
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, claim_or_tell(call.conn, claim, arena, &result));
	if (code == ERROR_NONE)
		*out = result;
	return code;
}

enum error_code sqlite_claim_release(void *self, const char *thread_id, const char *run_id)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	return code == ERROR_NONE
		       ? sqlite_end(&call,
				    sql_run(call.conn, SQL_CLAIM_CLEAR,
					    SQL_VALUES(sql_text(thread_id), sql_text(run_id)),
					    NULL))
		       : code;
}

enum error_code sqlite_next_seq(void *self, const char *thread_id, int64_t now_ms, int64_t *out)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	return code == ERROR_NONE
		       ? sqlite_end(&call,
				    number_of(call.conn, SQL_OLD_NEXT_SEQ,
					      SQL_VALUES(sql_text(thread_id), sql_int(now_ms)),
					      out))
		       : code;
}

enum error_code sqlite_message_insert(void *self, const struct message *messages, size_t count)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call), end;
	bool partly;

	if (code != ERROR_NONE)
		return code;
	code = sqlite_thread_check(call.conn, NULL, messages[0].thread_id);
	for (size_t i = 0; i < count && code == ERROR_NONE; i++)
		code = sqlite_message_put(call.conn, &messages[i]);
	partly = code == ERROR_CONFLICT;
	end = sqlite_end(&call, partly ? ERROR_NONE : code);
	return end == ERROR_NONE ? code : end;
}

enum error_code sqlite_message_by_key(void *self, const char *thread_id, const char *key,
				      struct arena *arena, struct message *out)
{
	(void)thread_id;
	return sqlite_turn_find(self, NULL, NULL, NULL, key, arena, out);
}
