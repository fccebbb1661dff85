/* sqlite_turn: claims, sequence numbers and the ends of runs. Each is one transaction. */
#include "sqlite_room.h"

/* --- claims --- */

static bool read_number(sqlite3_stmt *query, bool *found, int64_t *out, struct error *err)
{
	enum sql_step step = query ? sql_step(query, err) : SQL_FAILED;

	if (step == SQL_ROW)
		*out = sqlite3_column_int64(query, 0);
	*found = step == SQL_ROW;
	sqlite3_finalize(query);
	return step != SQL_FAILED;
}

static bool win(sqlite3 *db, const struct claim *claim, struct claim_result *result,
		struct error *err)
{
	static const char sql[] =
		"UPDATE threads SET run_id = ?3, run_message_id = ?4, run_node = ?5,"
		" seq = seq + 2, updated_ms = ?6, rev = rev + 1"
		" WHERE id = ?1 AND deleted_ms IS NULL AND run_id IS NULL"
		" AND (?2 IS NULL OR user_id = ?2) RETURNING seq - 1";

	return read_number(
		sql_query(db, err, sql,
			  SQL_VALUES(sql_text(claim->thread_id), sql_text(claim->user_id),
				     sql_text(claim->run.id), sql_text(claim->run.message_id),
				     sql_text(claim->run.node), sql_int(claim->now_ms))),
		&result->won, &result->first_seq, err);
}

static bool claim_or_tell(sqlite3 *db, const struct claim *claim, struct arena *arena,
			  struct claim_result *result, struct error *err)
{
	if (!win(db, claim, result, err))
		return false;
	if (result->won)
		return true;
	result->found = sqlite_thread_read(db, claim->thread_id, arena, &result->thread, err);
	return result->found || err->code == ERROR_NOT_FOUND;
}

bool sqlite_claim(void *self, const struct claim *claim, struct arena *arena,
		  struct claim_result *out, struct error *err)
{
	struct claim_result result = { 0 };
	struct sqlite_call call;

	if (!sqlite_begin(self, true, &call, err) ||
	    !sqlite_end(&call, claim_or_tell(call.db, claim, arena, &result, err), err))
		return false;
	*out = result;
	return true;
}

static bool release(sqlite3 *db, const char *thread_id, const char *run_id, struct error *err)
{
	return sql_run(db, NULL, err,
		       "UPDATE threads SET run_id = NULL, run_message_id = NULL, run_node = NULL,"
		       " rev = rev + 1 WHERE id = ?1 AND run_id = ?2",
		       SQL_VALUES(sql_text(thread_id), sql_text(run_id)));
}

bool sqlite_claim_release(void *self, const char *thread_id, const char *run_id, struct error *err)
{
	struct sqlite_call call;

	return sqlite_begin(self, true, &call, err) &&
	       sqlite_end(&call, release(call.db, thread_id, run_id, err), err);
}

/* --- sequence numbers --- */

bool sqlite_next_seq(void *self, const char *thread_id, int64_t now_ms, int64_t *out,
		     struct error *err)
{
	static const char sql[] = "UPDATE threads SET seq = seq + 1, updated_ms = ?2, rev = rev + 1"
				  " WHERE id = ?1 AND deleted_ms IS NULL RETURNING seq";
	struct sqlite_call call;
	bool found = false;
	int64_t seq = 0;

	if (!sqlite_begin(self, true, &call, err) ||
	    !sqlite_end(&call,
			read_number(sql_query(call.db, err, sql,
					      SQL_VALUES(sql_text(thread_id), sql_int(now_ms))),
				    &found, &seq, err),
			err))
		return false;
	if (!found)
		return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	*out = seq;
	return true;
}

/* --- the end of a run --- */

static bool save(sqlite3 *db, const struct finish *finish, bool *applied, struct error *err)
{
	static const char sql[] =
		"UPDATE messages SET status = ?4, content = ?5, finish_reason = ?6, usage = ?7,"
		" updated_ms = ?8 WHERE thread_id = ?1 AND id = ?2 AND run_id = ?3"
		" AND (status = 'streaming' OR (status = 'interrupted' AND NOT ?9))";
	int changed = 0;

	if (!sql_run(db, &changed, err, sql,
		     SQL_VALUES(sql_text(finish->thread_id), sql_text(finish->message_id),
				sql_text(finish->run_id),
				sql_text(message_status_text(finish->status)),
				sql_slice(finish->content), sql_text(finish->finish_reason),
				sql_text(finish->usage), sql_int(finish->now_ms),
				sql_int(finish->if_streaming))))
		return false;
	*applied = changed > 0;
	return release(db, finish->thread_id, finish->run_id, err);
}

bool sqlite_finish(void *self, const struct finish *finish, bool *applied, struct error *err)
{
	struct sqlite_call call;
	bool was_applied = false;

	if (!sqlite_begin(self, true, &call, err) ||
	    !sqlite_end(&call, save(call.db, finish, &was_applied, err), err))
		return false;
	if (applied)
		*applied = was_applied;
	return true;
}
