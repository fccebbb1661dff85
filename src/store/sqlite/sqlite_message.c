/* sqlite_message: messages put in, read, listed and changed. */
#include "sqlite_room.h"

#include <stdio.h>

#define COLUMNS                                                                                    \
	"thread_id, id, seq, role, status, content, run_id, parent_id, key, finish_reason, "       \
	"usage, feedback, metadata, created_ms, updated_ms"

/* --- reading --- */

static bool read_row(sqlite3_stmt *row, struct arena *arena, struct message *out, struct error *err)
{
	*out = (struct message){
		.thread_id = sql_column_text(row, 0, arena),
		.id = sql_column_text(row, 1, arena),
		.seq = sqlite3_column_int64(row, 2),
		.content = sql_column_slice(row, 5, arena),
		.run_id = sql_column_text(row, 6, arena),
		.parent_id = sql_column_text(row, 7, arena),
		.key = sql_column_text(row, 8, arena),
		.finish_reason = sql_column_text(row, 9, arena),
		.usage = sql_column_text(row, 10, arena),
		.feedback = sql_column_text(row, 11, arena),
		.metadata = sql_column_text(row, 12, arena),
		.created_ms = sqlite3_column_int64(row, 13),
		.updated_ms = sqlite3_column_int64(row, 14),
	};
	if (!message_role_parse(sql_column_slice(row, 3, arena), &out->role) ||
	    !message_status_parse(sql_column_slice(row, 4, arena), &out->status))
		return error_set(err, ERROR_CORRUPT, "A stored message is damaged.");
	return sqlite_fits(arena, err);
}

/* The one message that sql asks for. */
static bool read_one(sqlite3 *db, struct arena *arena, struct message *out, struct error *err,
		     const char *sql, const struct sql_value *values, size_t count)
{
	sqlite3_stmt *query = sql_query(db, err, sql, values, count);
	enum sql_step step = query ? sql_step(query, err) : SQL_FAILED;
	struct message message;
	bool ok = step == SQL_ROW && read_row(query, arena, &message, err);

	sqlite3_finalize(query);
	if (ok)
		*out = message;
	else if (step == SQL_DONE)
		error_set(err, ERROR_NOT_FOUND, "There is no such message.");
	return ok;
}

static bool get(struct sqlite_pool *pool, struct arena *arena, struct message *out,
		struct error *err, const char *sql, const struct sql_value *values, size_t count)
{
	struct sqlite_call call;

	return sqlite_begin(pool, false, &call, err) &&
	       sqlite_end(&call, read_one(call.db, arena, out, err, sql, values, count), err);
}

#define BY_ID "SELECT " COLUMNS " FROM messages WHERE thread_id = ?1 AND id = ?2"

bool sqlite_message_get(void *self, const char *thread_id, const char *id, struct arena *arena,
			struct message *out, struct error *err)
{
	return get(self, arena, out, err, BY_ID, SQL_VALUES(sql_text(thread_id), sql_text(id)));
}

bool sqlite_message_by_run(void *self, const char *run_id, struct arena *arena, struct message *out,
			   struct error *err)
{
	return get(self, arena, out, err, "SELECT " COLUMNS " FROM messages WHERE run_id = ?1",
		   SQL_VALUES(sql_text(run_id)));
}

bool sqlite_message_by_key(void *self, const char *thread_id, const char *key, struct arena *arena,
			   struct message *out, struct error *err)
{
	return get(self, arena, out, err,
		   "SELECT " COLUMNS " FROM messages WHERE thread_id = ?1 AND key = ?2"
		   " AND role = 'assistant' ORDER BY seq DESC LIMIT 1",
		   SQL_VALUES(sql_text(thread_id), sql_text(key)));
}

/* --- many --- */

static sqlite3_stmt *list_query(sqlite3 *db, const struct message_filter *filter, struct error *err)
{
	const char *order = filter->after_seq ? "ASC" : "DESC";
	char sql[512];

	snprintf(sql, sizeof sql,
		 "SELECT " COLUMNS " FROM messages WHERE thread_id = ?1%s%s"
		 " ORDER BY seq %s, id %s LIMIT ?4",
		 filter->before_seq ? " AND seq < ?2" : "",
		 filter->after_seq ? " AND seq > ?3" : "", order, order);
	return sql_query(db, err, sql,
			 SQL_VALUES(sql_text(filter->thread_id), sql_int(filter->before_seq),
				    sql_int(filter->after_seq),
				    sql_int((int64_t)filter->limit + 1)));
}

static void reverse(struct message_list *list)
{
	for (size_t i = 0; i < list->count / 2; i++) {
		struct message first = list->items[i];

		list->items[i] = list->items[list->count - 1 - i];
		list->items[list->count - 1 - i] = first;
	}
}

static bool read_list(sqlite3 *db, const struct message_filter *filter, struct arena *arena,
		      struct message_list *out, struct error *err)
{
	sqlite3_stmt *query = list_query(db, filter, err);
	enum sql_step step = query ? SQL_ROW : SQL_FAILED;
	struct message_list list = { 0 };
	bool ok = sqlite_fits(arena, err);

	while (ok && step == SQL_ROW && (step = sql_step(query, err)) == SQL_ROW) {
		if ((list.more = list.count == filter->limit))
			break;
		list.items = sql_grow(arena, list.items, list.count, sizeof *list.items);
		ok = sqlite_fits(arena, err) &&
		     read_row(query, arena, &list.items[list.count++], err);
	}
	sqlite3_finalize(query);
	if (!ok || step == SQL_FAILED)
		return false;
	if (!filter->after_seq)
		reverse(&list);
	*out = list;
	return true;
}

bool sqlite_message_list(void *self, const struct message_filter *filter, struct arena *arena,
			 struct message_list *out, struct error *err)
{
	struct sqlite_call call;

	return sqlite_begin(self, false, &call, err) &&
	       sqlite_end(&call, read_list(call.db, filter, arena, out, err), err);
}

/* --- putting in --- */

/* The thread is looked at within the statement: a deleted one gets nothing more. */
static bool insert_one(sqlite3 *db, const struct message *m, struct error *err)
{
	static const char sql[] =
		"INSERT INTO messages (" COLUMNS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
		" ?11, ?12, ?13, ?14, ?15 FROM threads WHERE id = ?1 AND deleted_ms IS NULL";
	int changed = 0;

	if (!sql_run(db, &changed, err, sql,
		     SQL_VALUES(sql_text(m->thread_id), sql_text(m->id), sql_int(m->seq),
				sql_text(message_role_text(m->role)),
				sql_text(message_status_text(m->status)), sql_slice(m->content),
				sql_text(m->run_id), sql_text(m->parent_id), sql_text(m->key),
				sql_text(m->finish_reason), sql_text(m->usage),
				sql_text(m->feedback), sql_text(m->metadata),
				sql_int(m->created_ms), sql_int(m->updated_ms))))
		return false;
	return changed > 0 || error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
}

bool sqlite_message_insert(void *self, const struct message *messages, size_t count,
			   struct error *err)
{
	struct error mine = { 0 }, end;
	struct sqlite_call call;
	bool ok = true;

	if (!sqlite_begin(self, true, &call, err))
		return false;
	for (size_t i = 0; ok && i < count; i++)
		ok = insert_one(call.db, &messages[i], &mine);
	/* What stands before the one that exists was put in: in order, as promised. */
	end = mine;
	if (!sqlite_end(&call, ok || mine.code == ERROR_CONFLICT, &end)) {
		*err = end;
		return false;
	}
	if (!ok)
		*err = mine;
	return ok;
}

/* --- changing --- */

static bool update(sqlite3 *db, const char *thread_id, const char *id,
		   const struct message_patch *patch, struct arena *arena, struct message *out,
		   struct error *err)
{
	static const char sql[] =
		"UPDATE messages SET content = CASE WHEN ?3 THEN ?4 ELSE content END,"
		" run_id = CASE WHEN ?3 THEN NULL ELSE run_id END,"
		" metadata = coalesce(?5, metadata), feedback = coalesce(?6, feedback),"
		" updated_ms = ?7 WHERE thread_id = ?1 AND id = ?2 AND status <> 'streaming'";
	int changed = 0;

	if (!sql_run(db, &changed, err, sql,
		     SQL_VALUES(sql_text(thread_id), sql_text(id), sql_int(patch->has_content),
				sql_slice(patch->content), sql_text(patch->metadata),
				sql_text(patch->feedback), sql_int(patch->now_ms))) ||
	    !read_one(db, arena, out, err, BY_ID, SQL_VALUES(sql_text(thread_id), sql_text(id))))
		return false;
	return changed > 0 || error_set(err, ERROR_NOT_SAVED, "This answer is not saved yet.");
}

bool sqlite_message_update(void *self, const char *thread_id, const char *id,
			   const struct message_patch *patch, struct arena *arena,
			   struct message *out, struct error *err)
{
	struct message message;
	struct sqlite_call call;

	if (!sqlite_begin(self, true, &call, err) ||
	    !sqlite_end(&call, update(call.db, thread_id, id, patch, arena, &message, err), err))
		return false;
	*out = message;
	return true;
}
