/* sqlite_query: statements with their values, columns into an arena, the driver's errors as
 * ours. */
#include "sqlite_room.h"

#include "base/log.h"
#include <stdatomic.h>

/* --- errors --- */

/* What is not here is a refusal: ERROR_STORE. */
static const struct meaning {
	int driver_code; /* primary */
	enum error_code code;
	const char *detail;
} meanings[] = {
	{ SQLITE_BUSY, ERROR_STORE_TIMEOUT, "The store is busy." },
	{ SQLITE_LOCKED, ERROR_STORE_TIMEOUT, "The store is busy." },
	{ SQLITE_CANTOPEN, ERROR_STORE_DOWN, "The store cannot be opened." },
	{ SQLITE_IOERR, ERROR_STORE_DOWN, "The store cannot be read or written." },
	{ SQLITE_CONSTRAINT, ERROR_CONFLICT, "It exists already." },
	{ SQLITE_CORRUPT, ERROR_CORRUPT, "The store is damaged." },
	{ SQLITE_NOTADB, ERROR_CONFIG, "The store's file is not a database of SQLite." },
	{ SQLITE_FULL, ERROR_STORE, "The store is full." },
	{ SQLITE_READONLY, ERROR_STORE, "The store may not be written." },
};

/* An outage is probed twice a second and said once. */
static _Atomic int said_code;

void sqlite_is_back(void)
{
	atomic_store(&said_code, 0);
}

static void say(sqlite3 *db, int code, enum error_code meaning)
{
	bool is_known = meaning == ERROR_STORE_DOWN && atomic_exchange(&said_code, code) == code;

	if (meaning != ERROR_CONFLICT && !is_known)
		log_error("sqlite failed", LOG_I("code", code),
			  LOG_T("says", db ? sqlite3_errmsg(db) : "out of memory"));
}

bool sqlite_fail(sqlite3 *db, struct error *err)
{
	int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	const struct meaning refused = { code, ERROR_STORE, "The store failed the request." };
	const struct meaning *meaning = &refused;

	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].driver_code == (code & 0xFF))
			meaning = &meanings[i];
	say(db, code, meaning->code);
	return error_set(err, meaning->code, "%s", meaning->detail);
}

bool sqlite_fits(const struct arena *arena, struct error *err)
{
	return !arena->failed ||
	       error_set(err, ERROR_OVERLOADED, "This is too much for one answer; ask for less.");
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

sqlite3_stmt *sql_query(sqlite3 *db, struct error *err, const char *sql,
			const struct sql_value *values, size_t count)
{
	sqlite3_stmt *query = NULL;
	bool ok = sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK;

	for (size_t i = 0; ok && i < count; i++)
		ok = bind(query, (int)i + 1, &values[i]);
	if (ok)
		return query;
	sqlite_fail(db, err);
	sqlite3_finalize(query);
	return NULL;
}

enum sql_step sql_step(sqlite3_stmt *query, struct error *err)
{
	switch (sqlite3_step(query)) {
	case SQLITE_ROW: return SQL_ROW;
	case SQLITE_DONE: return SQL_DONE;
	default: sqlite_fail(sqlite3_db_handle(query), err); return SQL_FAILED;
	}
}

bool sql_run(sqlite3 *db, int *changed, struct error *err, const char *sql,
	     const struct sql_value *values, size_t count)
{
	sqlite3_stmt *query = sql_query(db, err, sql, values, count);
	bool ok = query && sql_step(query, err) != SQL_FAILED;

	sqlite3_finalize(query);
	if (ok && changed)
		*changed = sqlite3_changes(db);
	return ok;
}

/* --- columns --- */

struct slice sql_column_slice(sqlite3_stmt *row, int column, struct arena *arena)
{
	const unsigned char *text = sqlite3_column_text(row, column);
	size_t len = (size_t)sqlite3_column_bytes(row, column);
	char *copy = arena_copy(arena, (struct slice){ text ? (const char *)text : "", len });

	return (struct slice){ copy, copy ? len : 0 };
}

const char *sql_column_text(sqlite3_stmt *row, int column, struct arena *arena)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return NULL;
	return sql_column_slice(row, column, arena).ptr;
}

/* Doubled at each power of two; what is left behind goes with the arena. */
void *sql_grow(struct arena *arena, void *items, size_t count, size_t size)
{
	void *grown;

	if ((count & (count - 1)) != 0)
		return items;
	grown = arena_alloc(arena, (count ? 2 * count : 1) * size);
	if (grown && count > 0)
		memcpy(grown, items, count * size);
	return grown;
}
