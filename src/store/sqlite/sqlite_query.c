/* sqlite_query: statements with their values, columns into an arena, the driver's errors as ours.
 */
#include "sqlite_room.h"

#include "base/log.h"
#include <errno.h>
#include <stdatomic.h>

const char *const sqlite_sql[SQL_COUNT] = {
#define X(name, text) [SQL_##name] = (text),
	SQL_STATEMENTS(X)
#undef X
};

/* --- errors --- */

/* What is not here is a refusal: ERROR_STORE. */
static const struct meaning {
	int driver_code; /* primary */
	enum error_code code;
} meanings[] = {
	{ SQLITE_BUSY, ERROR_STORE_TIMEOUT },      { SQLITE_LOCKED, ERROR_STORE_TIMEOUT },
	{ SQLITE_INTERRUPT, ERROR_STORE_TIMEOUT }, { SQLITE_CANTOPEN, ERROR_STORE_DOWN },
	{ SQLITE_IOERR, ERROR_STORE_DOWN },        { SQLITE_CONSTRAINT, ERROR_CONFLICT },
	{ SQLITE_CORRUPT, ERROR_CORRUPT },         { SQLITE_NOTADB, ERROR_CONFIG },
	{ SQLITE_FULL, ERROR_STORE_FULL },         { SQLITE_READONLY, ERROR_STORE_FULL },
};

/* An outage is met again and again and said once. */
static _Atomic int said_code;

void sqlite_is_back(void)
{
	atomic_store(&said_code, 0);
}

static void say(sqlite3 *db, int code, enum error_code meaning)
{
	bool lasts = meaning == ERROR_STORE_DOWN || meaning == ERROR_STORE_FULL;

	if (meaning != ERROR_CONFLICT && !(lasts && atomic_exchange(&said_code, code) == code))
		log_error("sqlite failed", LOG_I("code", code),
			  LOG_T("says", db ? sqlite3_errmsg(db) : "out of memory"));
}

/* SQLite knows of ENOSPC itself. A user's share or a file's limit that is used up is no outage
 * either, nor is a file system that became read-only: what is there can be read.
 * sqlite3_system_errno is 0 for a write into the log, and nothing has changed errno since. */
static bool is_full(int code)
{
	return code == SQLITE_IOERR_WRITE && (errno == EDQUOT || errno == EFBIG || errno == EROFS);
}

enum error_code sqlite_failed(sqlite3 *db)
{
	int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	enum error_code meaning = ERROR_STORE;

	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].driver_code == (code & 0xFF))
			meaning = meanings[i].code;
	if (is_full(code))
		meaning = ERROR_STORE_FULL;
	say(db, code, meaning);
	return meaning;
}

/* --- statements --- */

static bool bind(sqlite3_stmt *query, int at, const struct sql_value *value)
{
	switch (value->kind) {
	case SQL_INT: return sqlite3_bind_int64(query, at, value->number) == SQLITE_OK;
	case SQL_TEXT:
		return sqlite3_bind_text64(query, at, value->text.ptr ? value->text.ptr : "",
					   value->text.len, SQLITE_STATIC,
					   SQLITE_UTF8) == SQLITE_OK;
	case SQL_NULL: break;
	}
	return sqlite3_bind_null(query, at) == SQLITE_OK;
}

enum error_code sql_start(struct sqlite_conn *conn, enum sql_id id, const struct sql_value *values,
			  size_t count, sqlite3_stmt **query)
{
	sqlite3_stmt **kept = &conn->prepared[id];
	bool ok = *kept || sqlite3_prepare_v3(conn->db, sqlite_sql[id], -1,
					      SQLITE_PREPARE_PERSISTENT, kept, NULL) == SQLITE_OK;

	for (size_t i = 0; ok && i < count; i++)
		ok = bind(*kept, (int)i + 1, &values[i]);
	*query = ok ? *kept : NULL;
	return ok ? ERROR_NONE : sqlite_failed(conn->db);
}

enum error_code sql_step(sqlite3_stmt *query)
{
	switch (sqlite3_step(query)) {
	case SQLITE_ROW: return ERROR_NONE;
	case SQLITE_DONE: return ERROR_NOT_FOUND;
	default: return sqlite_failed(sqlite3_db_handle(query));
	}
}

void sql_done(sqlite3_stmt *query)
{
	if (query) {
		sqlite3_reset(query);
		sqlite3_clear_bindings(query); /* they point to what the caller owns */
	}
}

enum error_code sql_run(struct sqlite_conn *conn, enum sql_id id, const struct sql_value *values,
			size_t count, int *changed)
{
	sqlite3_stmt *query;
	enum error_code code = sql_start(conn, id, values, count, &query);

	if (code == ERROR_NONE)
		code = sql_step(query);
	sql_done(query);
	if (code == ERROR_NOT_FOUND)
		code = ERROR_NONE;
	if (code == ERROR_NONE && changed)
		*changed = sqlite3_changes(conn->db);
	return code;
}

/* --- columns --- */

struct slice sql_column(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return (struct slice){ text, (size_t)sqlite3_column_bytes(row, column) };
}

int64_t sql_column_count(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL ? -1
							       : sqlite3_column_int64(row, column);
}
