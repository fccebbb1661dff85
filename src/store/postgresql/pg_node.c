/* pg_node: who is alive, by the server's clock, and what was deleted long ago. */
#include "pg_room.h"

static enum error_code beat(struct pg_call *call, const char *node, int64_t *now_ms)
{
	const PGresult *rows;
	enum error_code code;

	pg_ask(call, SQL_NODE_BEAT, SQL_VALUES(sql_text(node)));
	pg_commit(call);
	code = pg_answer(call, &rows);
	if (code == ERROR_NONE)
		*now_ms = pg_column_int(rows, 0, 0);
	return code;
}

enum error_code pg_node_beat(void *self, const char *node, int64_t *now_ms)
{
	struct pg_call call = { .pool = self, .is_write = true };
	int64_t now = 0;

	while (pg_begin(&call))
		pg_end(&call, beat(&call, node, &now));
	if (call.code == ERROR_NONE && now_ms)
		*now_ms = now;
	return call.code;
}

/* One step of each: messages of marked threads, those that are empty now, their marks, nodes. */
static enum error_code sweep(struct pg_call *call, int64_t silent_ms, int64_t deleted_ms,
			     size_t limit, bool *more)
{
	const struct sql_value rows = sql_int((int64_t)limit);
	enum error_code code = ERROR_NONE;

	pg_ask(call, SQL_SWEEP_MESSAGES, SQL_VALUES(rows));
	pg_ask(call, SQL_SWEEP_THREADS, SQL_VALUES(rows));
	pg_ask(call, SQL_SWEEP_MARKS, SQL_VALUES(sql_int(deleted_ms), rows));
	pg_ask(call, SQL_SWEEP_NODES, SQL_VALUES(sql_int(silent_ms), rows));
	pg_commit(call);
	*more = false;
	for (int i = 0; code == ERROR_NONE && i < 4; i++) {
		code = pg_answer(call, NULL);
		*more = *more || pg_changed(call) == limit;
	}
	return code;
}

enum error_code pg_sweep(void *self, int64_t silent_ms, int64_t deleted_ms, size_t limit,
			 bool *more)
{
	struct pg_call call = { .pool = self, .is_write = true };
	bool is_more = false;

	while (pg_begin(&call))
		pg_end(&call, sweep(&call, silent_ms, deleted_ms, limit, &is_more));
	if (call.code == ERROR_NONE)
		*more = is_more;
	return call.code;
}
