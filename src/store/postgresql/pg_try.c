/*
 * pg_try: can it be written, by this user of the server? For `c1d check`: a transaction makes a
 * table, writes a row and is taken back, so nothing is left.
 */
#include "pg_room.h"

#include "base/clock.h"

#define LIMIT_MS 4000

static bool begin_and_take_back(struct pg_conn *conn, enum error_code *code, struct error *err)
{
	PGresult *rows = pg_conn_exec(conn,
				      "BEGIN; CREATE TABLE c1d_check (id TEXT PRIMARY KEY);"
				      " INSERT INTO c1d_check VALUES ('taken back'); ROLLBACK",
				      code, err);

	PQclear(rows);
	return rows != NULL;
}

/* Once the tables are there nobody needs the right to make more. */
static bool touch_and_take_back(struct pg_conn *conn, enum error_code *code, struct error *err)
{
	PGresult *rows = pg_conn_exec(conn,
				      "BEGIN; INSERT INTO c1d_marks (id) VALUES ('c1d check')"
				      " ON CONFLICT DO NOTHING; ROLLBACK",
				      code, err);

	PQclear(rows);
	return rows != NULL;
}

bool pg_try_write(const char *text, const struct config *config, const char **how,
		  struct error *err)
{
	struct pg_found found;
	enum error_code code = ERROR_NONE;
	struct pg_uri uri;
	struct pg_conn *conn = NULL;
	bool ok = pg_uri_read(text, &uri, err);

	(void)config;
	pg_wake();
	*how = "a write was begun and taken back";
	if (ok)
		conn = pg_conn_open(&uri, LIMIT_MS, clock_mono_ms() + LIMIT_MS, &code, err);
	ok = conn && (code = pg_schema_look(conn, &found, err)) == ERROR_NONE &&
	     (found.is_ours ? touch_and_take_back(conn, &code, err)
			    : begin_and_take_back(conn, &code, err));
	if (ok && (!found.is_ours || found.version != pg_schema_version))
		ok = pg_schema_check(&found, false, err) == ERROR_NONE;
	pg_conn_close(conn);
	pg_uri_done(&uri);
	return ok;
}
