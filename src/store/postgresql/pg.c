/*
 * pg: PostgreSQL by libpq, a pool of connections a worker, made after the fork and when they are
 * needed. postgresql://USER:PASSWORD@HOST/DATABASE, as Prisma writes it.
 */
#include "pg_room.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/net.h"
#include <stdlib.h>

#define USUAL_PORT 5432

/* --- the maker --- */

static bool check(const char *uri, const struct config *config, struct error *err)
{
	struct pg_uri read;
	bool ok;

	(void)config;
	pg_wake();
	ok = pg_uri_read(uri, &read, err);
	pg_uri_done(&read);
	return ok;
}

static void reach_file(const struct pg_uri *uri, const char *keyword, struct reach *reach)
{
	const char *path = pg_uri_get(uri, keyword);

	if (path && *path == '/')
		reach_read(reach, path);
}

/* Sockets' folders need no rule: to connect is no access to files. */
static void reach(const char *text, const struct config *config, struct reach *reach)
{
	static const char *const files[] = { "sslrootcert", "sslcert",   "sslkey",
					     "sslcrl",      "sslcrldir", "passfile" };
	struct pg_uri uri;
	struct pg_keywords keywords;

	(void)config;
	net_reach(NULL, NULL, reach);
	if (pg_uri_read(text, &uri, NULL)) {
		for (size_t i = 0; i < sizeof files / sizeof *files; i++)
			reach_file(&uri, files[i], reach);
		for (size_t i = 0; i < uri.hosts; i++) {
			keywords.port[0] = '\0';
			pg_uri_keywords(&uri, i, &keywords);
			reach_port(reach,
				   keywords.port[0] ? (uint16_t)atoi(keywords.port) : USUAL_PORT);
		}
	}
	pg_uri_done(&uri);
}

/* --- the table --- */

/* Tables of its version, made where there are none. On a connection of its own: it is done once. */
static enum error_code set_up(struct pg_pool *pool, bool may_adopt, int64_t limit_ms,
			      struct error *err)
{
	enum error_code code;
	struct pg_conn *conn = pg_pool_connect(pool, clock_mono_ms() + limit_ms, &code, err);

	if (conn)
		code = pg_schema(conn, may_adopt, err);
	pg_conn_close(conn);
	return code;
}

/* A real write, synced: the mark of a store that is down or full may only go when answers can be
 * saved again. Without its tables it is of no use. */
static enum error_code ping(void *self, struct error *err)
{
	struct pg_call call = { .pool = self, .is_write = true };
	enum error_code code = ERROR_NONE;

	if (!pg_pool_is_set_up(self)) {
		code = set_up(self, false, pg_pool_limit(self), err);
		if (code != ERROR_NONE)
			return code;
		pg_pool_note_set_up(self);
	}
	while (pg_begin(&call)) {
		pg_ask(&call, SQL_PING, NULL, 0);
		pg_end(&call, ERROR_NONE);
	}
	if (call.code == ERROR_NONE)
		pg_note_back();
	return call.code;
}

static size_t room(void *self)
{
	return pg_pool_size(self) - 1; /* one is for the ping */
}

static void close_pool(void *self)
{
	pg_pool_free(self);
}

static const struct store_ops pg_ops = { .kind = "postgresql",
					 .searches_text = true,
					 .room = room,
					 .ping = ping,
					 .free = close_pool,
#define X(name, ...) .name = pg_##name,
					 STORE_OPS(X)
#undef X
};

static void *open_pool(const struct store_options *options, const struct store_ops **ops,
		       struct error *err)
{
	struct pg_pool *pool;

	pg_wake();
	if (!(pool = pg_pool_open(options, err)))
		return NULL;
	log_redact(pg_uri_get(pg_pool_uri(pool), "password"));
	*ops = &pg_ops;
	return pool;
}

static const char *const schemes[] = { "postgresql", "postgres", NULL };

const struct store_maker store_postgresql = { .name = "PostgreSQL",
					      .address = "postgresql://...",
					      .schemes = schemes,
					      .open = open_pool,
					      .check = check,
					      .try_write = pg_try_write,
					      .reach = reach,
					      .wake = pg_wake };

/* --- the schema, for administrators --- */

#define MIGRATE_MS (24LL * 3600 * 1000)

enum error_code pg_migrate(void *self, struct error *err)
{
	enum error_code code = set_up(self, true, MIGRATE_MS, err);

	if (code == ERROR_NONE)
		pg_pool_note_set_up(self);
	return code;
}

enum error_code pg_version(void *self, struct store_version *out)
{
	enum error_code code;
	struct pg_found found = { 0 };
	struct pg_conn *conn = pg_conn_open(pg_pool_uri(self), pg_pool_limit(self),
					    clock_mono_ms() + pg_pool_limit(self), &code, NULL);

	if (conn)
		code = pg_schema_look(conn, &found, NULL);
	pg_conn_close(conn);
	if (code == ERROR_NONE)
		*out = (struct store_version){
			.there = found.version,
			.here = pg_schema_version,
			.note = found.is_ours      ? NULL
				: found.has_prisma ? "tables that Prisma made will be adopted"
						   : "the tables will be made",
		};
	return code;
}
