/* sqlite_node: who is alive, what the dead left, and what was deleted long ago. */
#include "sqlite_room.h"

bool sqlite_node_beat(void *self, const char *node, int64_t now_ms, struct error *err)
{
	static const char sql[] = "INSERT INTO nodes (node, seen_ms) VALUES (?1, ?2)"
				  " ON CONFLICT (node) DO UPDATE SET seen_ms = ?2";
	struct sqlite_call call;

	return sqlite_begin(self, true, &call, err) &&
	       sqlite_end(&call,
			  sql_run(call.db, NULL, err, sql,
				  SQL_VALUES(sql_text(node), sql_int(now_ms))),
			  err);
}

static bool read_claims(sqlite3 *db, int64_t seen_before_ms, size_t limit, struct arena *arena,
			struct claim_list *out, struct error *err)
{
	static const char sql[] =
		"SELECT t.id, t.run_id, t.run_message_id, t.run_node FROM nodes n"
		" JOIN threads t ON t.run_node = n.node WHERE n.seen_ms < ?1 LIMIT ?2";
	struct claim_list list = { .items = arena_alloc(arena, limit * sizeof *list.items) };
	sqlite3_stmt *query = sql_query(
		db, err, sql, SQL_VALUES(sql_int(seen_before_ms), sql_int((int64_t)limit)));
	enum sql_step step = SQL_FAILED;

	while (list.items && query && (step = sql_step(query, err)) == SQL_ROW)
		list.items[list.count++] = (struct held_claim){
			.thread_id = sql_column_text(query, 0, arena),
			.run = { .id = sql_column_text(query, 1, arena),
				 .message_id = sql_column_text(query, 2, arena),
				 .node = sql_column_text(query, 3, arena) },
		};
	sqlite3_finalize(query);
	if (step == SQL_FAILED && list.items)
		return false;
	if (!sqlite_fits(arena, err))
		return false;
	*out = list;
	return true;
}

bool sqlite_claims_of_dead(void *self, int64_t seen_before_ms, size_t limit, struct arena *arena,
			   struct claim_list *out, struct error *err)
{
	struct sqlite_call call;

	return sqlite_begin(self, false, &call, err) &&
	       sqlite_end(&call, read_claims(call.db, seen_before_ms, limit, arena, out, err), err);
}

/* Messages go with their thread: the foreign key cascades. */
static bool sweep(sqlite3 *db, int64_t seen_before_ms, int64_t deleted_before_ms, struct error *err)
{
	static const char nodes[] = "DELETE FROM nodes WHERE seen_ms < ?1 AND NOT EXISTS"
				    " (SELECT 1 FROM threads WHERE run_node = node)";
	static const char marks[] = "DELETE FROM threads WHERE deleted_ms < ?1";

	return sql_run(db, NULL, err, nodes, SQL_VALUES(sql_int(seen_before_ms))) &&
	       sql_run(db, NULL, err, marks, SQL_VALUES(sql_int(deleted_before_ms)));
}

bool sqlite_sweep(void *self, int64_t seen_before_ms, int64_t deleted_before_ms, struct error *err)
{
	struct sqlite_call call;

	return sqlite_begin(self, true, &call, err) &&
	       sqlite_end(&call, sweep(call.db, seen_before_ms, deleted_before_ms, err), err);
}
