/* sqlite_thread: threads put in, read, listed, changed and marked deleted. */
#include "sqlite_room.h"

#include <stdio.h>

#define COLUMNS                                                                                    \
	"id, user_id, title, created_ms, updated_ms, seq, rev, archived, deleted_ms IS NOT NULL, " \
	"run_id, run_message_id, run_node, metadata"

static void read_row(sqlite3_stmt *row, struct arena *arena, struct thread *out)
{
	*out = (struct thread){
		.id = sql_column_text(row, 0, arena),
		.user_id = sql_column_text(row, 1, arena),
		.title = sql_column_text(row, 2, arena),
		.created_ms = sqlite3_column_int64(row, 3),
		.updated_ms = sqlite3_column_int64(row, 4),
		.seq = sqlite3_column_int64(row, 5),
		.rev = sqlite3_column_int64(row, 6),
		.archived = sqlite3_column_int(row, 7) != 0,
		.deleted = sqlite3_column_int(row, 8) != 0,
		.run = { .id = sql_column_text(row, 9, arena),
			 .message_id = sql_column_text(row, 10, arena),
			 .node = sql_column_text(row, 11, arena) },
		.metadata = sql_column_text(row, 12, arena),
	};
}

static bool not_found(struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
}

/* --- one --- */

bool sqlite_thread_insert(void *self, const struct thread *thread, struct error *err)
{
	static const char insert[] =
		"INSERT INTO threads (id, user_id, title, created_ms, updated_ms, seq, rev,"
		" archived, run_id, run_message_id, run_node, metadata)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
	struct sqlite_call call;

	return sqlite_begin(self, true, &call, err) &&
	       sqlite_end(
		       &call,
		       sql_run(call.db, NULL, err, insert,
			       SQL_VALUES(sql_text(thread->id), sql_text(thread->user_id),
					  sql_text(thread->title), sql_int(thread->created_ms),
					  sql_int(thread->updated_ms), sql_int(thread->seq),
					  sql_int(thread->rev), sql_int(thread->archived),
					  sql_text(thread->run.id),
					  sql_text(thread->run.message_id),
					  sql_text(thread->run.node), sql_text(thread->metadata))),
		       err);
}

bool sqlite_thread_read(sqlite3 *db, const char *id, struct arena *arena, struct thread *out,
			struct error *err)
{
	sqlite3_stmt *query = sql_query(db, err, "SELECT " COLUMNS " FROM threads WHERE id = ?1",
					SQL_VALUES(sql_text(id)));
	enum sql_step step = query ? sql_step(query, err) : SQL_FAILED;
	struct thread thread;

	if (step == SQL_ROW)
		read_row(query, arena, &thread);
	sqlite3_finalize(query);
	if (step == SQL_DONE)
		not_found(err);
	if (step != SQL_ROW || !sqlite_fits(arena, err))
		return false;
	*out = thread;
	return true;
}

bool sqlite_thread_get(void *self, const char *id, struct arena *arena, struct thread *out,
		       struct error *err)
{
	struct sqlite_call call;

	return sqlite_begin(self, false, &call, err) &&
	       sqlite_end(&call, sqlite_thread_read(call.db, id, arena, out, err), err);
}

/* --- many --- */

static sqlite3_stmt *list_query(sqlite3 *db, const struct thread_filter *filter, struct error *err)
{
	char sql[640];

	/* instr() knows no wildcards. */
	snprintf(sql, sizeof sql,
		 "SELECT " COLUMNS " FROM threads WHERE deleted_ms IS NULL%s%s%s%s"
		 " ORDER BY updated_ms DESC, id DESC LIMIT ?6",
		 filter->user_id ? " AND user_id = ?1" : "",
		 filter->archived >= 0 ? " AND archived = ?2" : "",
		 filter->q ? " AND instr(fold(title), fold(?3)) > 0" : "",
		 filter->after_id ? " AND (updated_ms, id) < (?4, ?5)" : "");
	return sql_query(db, err, sql,
			 SQL_VALUES(sql_text(filter->user_id), sql_int(filter->archived),
				    sql_text(filter->q), sql_int(filter->after_updated_ms),
				    sql_text(filter->after_id),
				    sql_int((int64_t)filter->limit + 1)));
}

static bool read_list(sqlite3 *db, const struct thread_filter *filter, struct arena *arena,
		      struct thread_list *out, struct error *err)
{
	sqlite3_stmt *query = list_query(db, filter, err);
	struct thread_list list = { 0 };
	enum sql_step step = SQL_FAILED;

	while (query && !arena->failed && (step = sql_step(query, err)) == SQL_ROW) {
		if ((list.more = list.count == filter->limit))
			break;
		list.items = sql_grow(arena, list.items, list.count, sizeof *list.items);
		if (list.items)
			read_row(query, arena, &list.items[list.count++]);
	}
	sqlite3_finalize(query);
	if (!sqlite_fits(arena, err) || step == SQL_FAILED)
		return false;
	*out = list;
	return true;
}

bool sqlite_thread_list(void *self, const struct thread_filter *filter, struct arena *arena,
			struct thread_list *out, struct error *err)
{
	struct sqlite_call call;

	return sqlite_begin(self, false, &call, err) &&
	       sqlite_end(&call, read_list(call.db, filter, arena, out, err), err);
}

/* --- changes --- */

/* Why a patch found no row. */
static bool refuse(sqlite3 *db, const char *id, struct arena *arena, struct error *err)
{
	struct thread thread;

	if (!sqlite_thread_read(db, id, arena, &thread, err))
		return false;
	return thread.deleted ? not_found(err)
			      : error_set(err, ERROR_PRECONDITION,
					  "The thread was changed meanwhile; read it again.");
}

static bool update(sqlite3 *db, const char *id, const struct thread_patch *patch,
		   struct arena *arena, struct thread *out, struct error *err)
{
	static const char sql[] =
		"UPDATE threads SET title = coalesce(?2, title), metadata = coalesce(?3, metadata),"
		" archived = CASE WHEN ?4 < 0 THEN archived ELSE ?4 END,"
		" updated_ms = ?5, rev = rev + 1"
		" WHERE id = ?1 AND deleted_ms IS NULL AND (?6 < 0 OR rev = ?6)";
	int changed = 0;

	if (!sql_run(db, &changed, err, sql,
		     SQL_VALUES(sql_text(id), sql_text(patch->title), sql_text(patch->metadata),
				sql_int(patch->archived), sql_int(patch->now_ms),
				sql_int(patch->if_rev))))
		return false;
	return changed > 0 ? sqlite_thread_read(db, id, arena, out, err)
			   : refuse(db, id, arena, err);
}

bool sqlite_thread_update(void *self, const char *id, const struct thread_patch *patch,
			  struct arena *arena, struct thread *out, struct error *err)
{
	struct sqlite_call call;
	struct thread thread;

	if (!sqlite_begin(self, true, &call, err) ||
	    !sqlite_end(&call, update(call.db, id, patch, arena, &thread, err), err))
		return false;
	*out = thread;
	return true;
}

/* Its messages go with it, and so do the marks that have outlived every turn. */
static bool mark_deleted(sqlite3 *db, const char *id, int64_t now_ms, struct error *err)
{
	int changed = 0;

	if (!sql_run(db, &changed, err,
		     "UPDATE threads SET deleted_ms = ?2, updated_ms = ?2, rev = rev + 1,"
		     " title = '', metadata = NULL,"
		     " run_id = NULL, run_message_id = NULL, run_node = NULL"
		     " WHERE id = ?1 AND deleted_ms IS NULL",
		     SQL_VALUES(sql_text(id), sql_int(now_ms))))
		return false;
	if (changed == 0)
		return not_found(err);
	return sql_run(db, NULL, err, "DELETE FROM messages WHERE thread_id = ?1",
		       SQL_VALUES(sql_text(id)));
}

bool sqlite_thread_delete(void *self, const char *id, int64_t now_ms, struct error *err)
{
	struct sqlite_call call;

	return sqlite_begin(self, true, &call, err) &&
	       sqlite_end(&call, mark_deleted(call.db, id, now_ms, err), err);
}
