/* sqlite_node: who is alive, and what was deleted long ago. The file lies on one machine, so the
 * store's clock is the machine's. */
#include "sqlite_room.h"

#include "base/clock.h"
#include "base/id.h"
#include <stdio.h>

#define EMPTY_MAX 32 /* messages: others wait for their turn to write */

enum error_code sqlite_node_beat(void *self, const char *node, int64_t *now_ms)
{
	int64_t now = clock_wall_ms();
	struct sqlite_call call;
	enum error_code code = sqlite_begin_lazy(self, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, sql_run(call.conn, SQL_NODE_BEAT,
						 SQL_VALUES(sql_text(node), sql_int(now)), NULL));
	if (code == ERROR_NONE && now_ms)
		*now_ms = now;
	return code;
}

/* The first thread that messages may be left of; "" without one. */
static enum error_code first_marked(struct sqlite_conn *conn, char id[ID_MAX + 1])
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, SQL_MARKED_FIRST, NULL, 0, &query);

	*id = '\0';
	if (code == ERROR_NONE && (code = sql_step(query)) == ERROR_NONE)
		snprintf(id, ID_MAX + 1, "%s", (const char *)sqlite3_column_text(query, 0));
	sql_done(query);
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* *left: how much may still be done in this step. */
static enum error_code empty_marked(struct sqlite_conn *conn, size_t *left)
{
	char id[ID_MAX + 1];
	int removed = 0;
	enum error_code code;

	while ((code = first_marked(conn, id)) == ERROR_NONE && *id && *left > 0) {
		code = sqlite_thread_empty(conn, id, *left, &removed);
		if (code != ERROR_NONE)
			break;
		*left -= store_swept((size_t)removed);
	}
	return code;
}

static enum error_code sweep(struct sqlite_conn *conn, int64_t silent_ms, int64_t deleted_ms,
			     size_t limit, bool *more)
{
	int64_t now_ms = clock_wall_ms();
	const struct sql_value rows = sql_int((int64_t)limit);
	int marks = 0, nodes = 0;
	bool unindexed = false;
	size_t left = limit < EMPTY_MAX ? limit : EMPTY_MAX;
	enum error_code code = empty_marked(conn, &left);

	if (code == ERROR_NONE)
		code = sql_run(conn, SQL_MARKS_FORGET,
			       SQL_VALUES(sql_int(now_ms - deleted_ms), rows), &marks);
	if (code == ERROR_NONE)
		code = sql_run(conn, SQL_NODES_FORGET,
			       SQL_VALUES(sql_int(now_ms - silent_ms), rows), &nodes);
	if (code == ERROR_NONE)
		code = sqlite_search_fill(conn, &unindexed);
	*more = unindexed || left == 0 || (size_t)marks == limit || (size_t)nodes == limit;
	return code;
}

enum error_code sqlite_sweep(void *self, int64_t silent_ms, int64_t deleted_ms, size_t limit,
			     bool *more)
{
	struct sqlite_call call;
	bool is_more = false;
	enum error_code code = sqlite_begin_lazy(self, &call);

	if (code == ERROR_NONE)
		code = sqlite_end(&call, sweep(call.conn, silent_ms, deleted_ms, limit, &is_more));
	if (code == ERROR_NONE)
		*more = is_more;
	return code;
}
