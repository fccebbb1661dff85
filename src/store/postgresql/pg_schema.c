/*
 * pg_schema: the tables and indexes, as steps from each version to the next. "Thread" and "Message"
 * are as Prisma makes them of the documented models, so that its clients read and write them; what
 * we need besides stands in columns and tables named c1d_..., all with defaults. A database says in
 * c1d_schema how far it is. A step is taken in one transaction under a lock of its own: workers
 * that start at once meet there, and whoever comes second finds nothing left to do. A step is never
 * changed once it was released.
 */
#include "pg_room.h"

#include <stdio.h>
#include <stdlib.h>

#define BEGIN    "BEGIN ISOLATION LEVEL READ COMMITTED"
#define MAY_LAST "; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'"
#define LOCK_KEY "7091150120113116" /* any number that nobody else has */

/* As Prisma writes it. On its own tables nothing happens, but for columns that may be NULL. */
static const char documented[] =
	"CREATE TABLE IF NOT EXISTS \"Thread\" ("
	" \"id\" TEXT NOT NULL, \"userId\" TEXT NOT NULL, \"title\" TEXT,"
	" \"createdAt\" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,"
	" \"updatedAt\" TIMESTAMP(3) NOT NULL, \"metadata\" JSONB,"
	" CONSTRAINT \"Thread_pkey\" PRIMARY KEY (\"id\"));"
	"CREATE TABLE IF NOT EXISTS \"Message\" ("
	" \"id\" TEXT NOT NULL, \"threadId\" TEXT NOT NULL, \"role\" TEXT NOT NULL,"
	" \"content\" TEXT NOT NULL,"
	" \"createdAt\" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, \"metadata\" JSONB,"
	" CONSTRAINT \"Message_pkey\" PRIMARY KEY (\"id\"),"
	" CONSTRAINT \"Message_threadId_fkey\" FOREIGN KEY (\"threadId\") REFERENCES"
	" \"Thread\"(\"id\") ON DELETE CASCADE ON UPDATE CASCADE);"
	"ALTER TABLE \"Thread\" ADD COLUMN IF NOT EXISTS \"title\" TEXT,"
	" ADD COLUMN IF NOT EXISTS \"metadata\" JSONB;"
	"ALTER TABLE \"Message\" ADD COLUMN IF NOT EXISTS \"metadata\" JSONB;"
	"CREATE INDEX IF NOT EXISTS \"Thread_userId_idx\" ON \"Thread\"(\"userId\");"
	"CREATE INDEX IF NOT EXISTS \"Thread_updatedAt_idx\" ON \"Thread\"(\"updatedAt\");"
	"CREATE INDEX IF NOT EXISTS \"Thread_userId_updatedAt_idx\""
	" ON \"Thread\"(\"userId\", \"updatedAt\");"
	"CREATE INDEX IF NOT EXISTS \"Message_threadId_idx\" ON \"Message\"(\"threadId\");"
	"CREATE INDEX IF NOT EXISTS \"Message_threadId_createdAt_idx\""
	" ON \"Message\"(\"threadId\", \"createdAt\");";

/* A mark outlives its thread: the id is not made anew by a late request. */
static const char columns[] =
	"ALTER TABLE \"Thread\" ADD COLUMN c1d_rev BIGINT NOT NULL DEFAULT 0,"
	" ADD COLUMN c1d_archived BOOLEAN NOT NULL DEFAULT false,"
	" ADD COLUMN c1d_deleted BOOLEAN NOT NULL DEFAULT false,"
	" ADD COLUMN c1d_metadata TEXT, ADD COLUMN c1d_run TEXT, ADD COLUMN c1d_run_message TEXT,"
	" ADD COLUMN c1d_run_node TEXT, ADD COLUMN c1d_run_stop BOOLEAN;"
	"ALTER TABLE \"Message\" ADD COLUMN c1d_id TEXT,"
	" ADD COLUMN c1d_seq BIGINT NOT NULL DEFAULT 0, ADD COLUMN c1d_rev BIGINT NOT NULL DEFAULT "
	"0,"
	" ADD COLUMN c1d_status TEXT NOT NULL DEFAULT 'complete', ADD COLUMN c1d_bytes BYTEA,"
	" ADD COLUMN c1d_run TEXT, ADD COLUMN c1d_parent TEXT, ADD COLUMN c1d_key TEXT,"
	" ADD COLUMN c1d_question TEXT, ADD COLUMN c1d_model TEXT,"
	" ADD COLUMN c1d_finish_reason TEXT, ADD COLUMN c1d_input_tokens BIGINT,"
	" ADD COLUMN c1d_output_tokens BIGINT, ADD COLUMN c1d_total_tokens BIGINT,"
	" ADD COLUMN c1d_unasked BOOLEAN NOT NULL DEFAULT false, ADD COLUMN c1d_feedback TEXT,"
	" ADD COLUMN c1d_metadata TEXT, ADD COLUMN c1d_updated TIMESTAMP(3);"
	"UPDATE \"Message\" m SET c1d_seq = n.seq FROM (SELECT id, row_number() OVER"
	" (PARTITION BY \"threadId\" ORDER BY \"createdAt\", id COLLATE \"C\") AS seq"
	" FROM \"Message\") n WHERE m.id = n.id;"
	"CREATE TABLE c1d_marks (id TEXT PRIMARY KEY, deleted TIMESTAMPTZ NOT NULL DEFAULT now());"
	"CREATE TABLE c1d_nodes (node TEXT PRIMARY KEY, seen TIMESTAMPTZ NOT NULL DEFAULT now());"
	"CREATE TABLE c1d_schema (version INTEGER NOT NULL, seen TIMESTAMPTZ NOT NULL DEFAULT "
	"now());"
	"INSERT INTO c1d_schema (version) VALUES (1);";

/* Letters that differ by case alone become the same, in any script, whatever the database sorts by;
 * sigma has two small ones. */
static const char folding[] =
	"DO $do$ BEGIN EXECUTE format($make$CREATE FUNCTION c1d_fold(text) RETURNS text"
	" LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS"
	" $body$SELECT replace(lower($1 COLLATE %s), '\xCF\x82', '\xCF\x83') COLLATE \"C\"$body$"
	"$make$, coalesce((SELECT 'pg_catalog.' || quote_ident(collname) FROM pg_collation"
	" WHERE collnamespace = 'pg_catalog'::regnamespace AND collencoding IN (-1, 6)"
	" AND collname IN ('und-x-icu', 'C.utf8', 'en_US.utf8')"
	" ORDER BY array_position(ARRAY['und-x-icu', 'C.utf8', 'en_US.utf8'], collname::text)"
	" LIMIT 1), '\"default\"')); END $do$;";

static const char indexes[] =
	"CREATE UNIQUE INDEX c1d_message_seq ON \"Message\" (\"threadId\", c1d_seq);"
	"CREATE UNIQUE INDEX c1d_message_id ON \"Message\" (\"threadId\", (coalesce(c1d_id, id)));"
	"CREATE INDEX c1d_message_run ON \"Message\" (c1d_run) WHERE c1d_run IS NOT NULL;"
	"CREATE INDEX c1d_message_key ON \"Message\" (c1d_key) WHERE c1d_key IS NOT NULL;"
	"CREATE INDEX c1d_message_words ON \"Message\""
	" USING gin (to_tsvector('simple'::regconfig, left(content, 131072)));"
	"CREATE INDEX c1d_thread_user ON \"Thread\" (\"userId\", \"updatedAt\", id COLLATE \"C\")"
	" WHERE NOT c1d_deleted;"
	"CREATE INDEX c1d_thread_time ON \"Thread\" (\"updatedAt\", id COLLATE \"C\")"
	" WHERE NOT c1d_deleted;"
	"CREATE INDEX c1d_thread_scan ON \"Thread\" (id COLLATE \"C\") WHERE NOT c1d_deleted;"
	"CREATE INDEX c1d_thread_deleted ON \"Thread\" (id) WHERE c1d_deleted;"
	"CREATE INDEX c1d_thread_run ON \"Thread\" (c1d_run) WHERE c1d_run IS NOT NULL;"
	"CREATE INDEX c1d_thread_node ON \"Thread\" (c1d_run_node) WHERE c1d_run_node IS NOT NULL;"
	"CREATE INDEX c1d_marks_time ON c1d_marks (deleted);"
	"CREATE INDEX c1d_nodes_time ON c1d_nodes (seen);";

/*
 * Whoever inserts a message, it gets the next number of its thread, with the thread's row held, so
 * that there are no holes and none comes twice. What others change without counting our rev has to
 * take with it what only we know: the ETag grows, a text of ours for what is theirs now goes.
 */
static const char triggers[] =
	"CREATE FUNCTION c1d_number() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
	" AS $$ BEGIN PERFORM 1 FROM \"Thread\" WHERE id = NEW.\"threadId\" FOR NO KEY UPDATE;"
	" SELECT coalesce(max(c1d_seq), 0) + 1 INTO NEW.c1d_seq FROM \"Message\""
	" WHERE \"threadId\" = NEW.\"threadId\"; RETURN NEW; END $$;"
	"CREATE TRIGGER c1d_number BEFORE INSERT ON \"Message\" FOR EACH ROW"
	" WHEN (NEW.c1d_seq IS NULL OR NEW.c1d_seq <= 0) EXECUTE FUNCTION c1d_number();"
	"CREATE FUNCTION c1d_thread_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	" NEW.c1d_rev := OLD.c1d_rev + 1;"
	" IF NEW.metadata IS DISTINCT FROM OLD.metadata THEN NEW.c1d_metadata := NULL; END IF;"
	" RETURN NEW; END $$;"
	"CREATE TRIGGER c1d_changed BEFORE UPDATE ON \"Thread\" FOR EACH ROW"
	" WHEN (NEW.c1d_rev = OLD.c1d_rev AND (NEW.title IS DISTINCT FROM OLD.title"
	" OR NEW.metadata IS DISTINCT FROM OLD.metadata OR NEW.\"userId\" <> OLD.\"userId\")"
	" AND current_setting('c1d.own', true) IS DISTINCT FROM '1')"
	" EXECUTE FUNCTION c1d_thread_changed();"
	"CREATE FUNCTION c1d_message_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	" NEW.c1d_rev := OLD.c1d_rev + 1; NEW.c1d_updated := now() AT TIME ZONE 'UTC';"
	" IF NEW.content <> OLD.content THEN NEW.c1d_bytes := NULL; NEW.c1d_run := NULL; END IF;"
	" IF NEW.metadata IS DISTINCT FROM OLD.metadata THEN NEW.c1d_metadata := NULL; END IF;"
	" RETURN NEW; END $$;"
	"CREATE TRIGGER c1d_changed BEFORE UPDATE ON \"Message\" FOR EACH ROW"
	" WHEN (NEW.c1d_rev = OLD.c1d_rev AND (NEW.content <> OLD.content"
	" OR NEW.metadata IS DISTINCT FROM OLD.metadata)) EXECUTE FUNCTION c1d_message_changed();";

static const char *const version_1[] = { documented, columns, folding, indexes, triggers, NULL };

static const char *const *const steps[] = { version_1 };
#define VERSION ((int64_t)(sizeof steps / sizeof *steps))

const int64_t pg_schema_version = VERSION;

/* What may be there or not: the extension needs more rights than a store should. */
static const char extras[] =
	"DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN"
	" CREATE INDEX IF NOT EXISTS c1d_thread_title ON \"Thread\""
	" USING gin (c1d_fold(title) gin_trgm_ops) WHERE NOT c1d_deleted; END IF;"
	" EXCEPTION WHEN undefined_object THEN NULL; END $$";

/* --- what is there --- */

/* Columns by which Prisma's tables are known, with types that serve as well as its own. Whether
 * they are ours is asked last: somebody may be making all of them, and then they are. */
static const char look[] =
	"SELECT to_regclass('\"Thread\"') IS NOT NULL OR to_regclass('\"Message\"') IS NOT NULL,"
	" 9 = (SELECT count(*) FROM (VALUES ('\"Thread\"', 'id', 't'), ('\"Thread\"', 'userId', "
	"'t'),"
	" ('\"Thread\"', 'createdAt', 'd'), ('\"Thread\"', 'updatedAt', 'd'),"
	" ('\"Message\"', 'id', 't'), ('\"Message\"', 'threadId', 't'), ('\"Message\"', 'role', "
	"'t'),"
	" ('\"Message\"', 'content', 't'), ('\"Message\"', 'createdAt', 'd')) w(place, name, kind)"
	" JOIN pg_attribute a ON a.attrelid = to_regclass(w.place) AND a.attname = w.name"
	" AND NOT a.attisdropped AND a.atttypid::regtype::text IN (SELECT unnest("
	"CASE w.kind WHEN 't' THEN ARRAY['text', 'character varying'] ELSE"
	" ARRAY['timestamp without time zone', 'timestamp with time zone'] END))),"
	" to_regclass('c1d_schema') IS NOT NULL";

static bool is_true(const PGresult *rows, int column)
{
	return *PQgetvalue(rows, 0, column) == 't';
}

enum error_code pg_schema_look(struct pg_conn *conn, struct pg_found *out, struct error *err)
{
	enum error_code code = ERROR_NONE;
	PGresult *rows = pg_conn_exec(conn, look, &code, err);

	*out = (struct pg_found){ 0 };
	if (!rows)
		return code;
	out->has_prisma = is_true(rows, 0);
	out->has_all = is_true(rows, 1);
	out->is_ours = is_true(rows, 2);
	PQclear(rows);
	if (!out->is_ours)
		return ERROR_NONE;
	if (!(rows = pg_conn_exec(conn, "SELECT max(version) FROM c1d_schema", &code, err)))
		return code;
	out->version = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
	PQclear(rows);
	return ERROR_NONE;
}

/* --- the way --- */

static bool run(struct pg_conn *conn, const char *sql, enum error_code *code, struct error *err)
{
	PGresult *rows = pg_conn_exec(conn, sql, code, err);

	PQclear(rows);
	return rows != NULL;
}

enum error_code pg_schema_check(const struct pg_found *found, bool may_adopt, struct error *err)
{
	if (found->version > VERSION)
		error_set(
			err, ERROR_CONFIG,
			"The database's tables are of version %lld, made by a newer c1d; this one "
			"knows %lld.",
			(long long)found->version, (long long)VERSION);
	else if (!found->is_ours && found->has_prisma && !found->has_all)
		error_set(err, ERROR_CONFIG,
			  "The database has a table \"Thread\" or \"Message\" that is not as the "
			  "documented schema has it; give c1d a database or a schema of its own.");
	else if (!found->is_ours && found->has_prisma && !may_adopt)
		error_set(err, ERROR_CONFIG,
			  "The database was made by Prisma and not adopted yet; run `c1d store "
			  "migrate` once. Rows stay as they are, columns of ours are added.");
	else
		return ERROR_NONE;
	return ERROR_CONFIG;
}

/* With the lock: the steps that the database lacks. */
static bool take_steps(struct pg_conn *conn, int64_t version, enum error_code *code,
		       struct error *err)
{
	char sql[64];

	for (; version < VERSION; version++)
		for (const char *const *part = steps[version]; *part; part++)
			if (!run(conn, *part, code, err))
				return false;
	snprintf(sql, sizeof sql, "UPDATE c1d_schema SET version = %lld", (long long)VERSION);
	return run(conn, sql, code, err) && run(conn, extras, code, err) &&
	       run(conn, "COMMIT", code, err);
}

/* Prisma makes the schema that its URI names; so do we. */
static const char meet[] =
	"SELECT pg_advisory_xact_lock(" LOCK_KEY "); DO $$ BEGIN"
	" IF current_schema() IS NULL THEN EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I',"
	" btrim(current_setting('search_path'), '\"')); END IF; END $$";

enum error_code pg_schema(struct pg_conn *conn, bool may_adopt, struct error *err)
{
	struct pg_found found;
	enum error_code code = pg_schema_look(conn, &found, err);

	if (code != ERROR_NONE || (found.version == VERSION && !may_adopt))
		return code;
	if (run(conn, may_adopt ? BEGIN MAY_LAST : BEGIN, &code, err) &&
	    run(conn, meet, &code, err))
		code = pg_schema_look(conn, &found, err);
	if (code == ERROR_NONE)
		code = pg_schema_check(&found, may_adopt, err);
	if (code != ERROR_NONE || !take_steps(conn, found.version, &code, err))
		run(conn, "ROLLBACK", &(enum error_code){ 0 }, NULL);
	return code;
}
