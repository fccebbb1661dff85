/*
 * pg_conn: one connection. libpq never waits by itself here: it is asked what it waits for, and the
 * waiting is ours, with a deadline. (Only names of hosts are looked up by the C library, with its
 * own.)
 */
#include "pg_room.h"

#include "base/clock.h"
#include "base/log.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PER_HOST_MS 2000 /* while there are others to be tried */
#define REASON_SIZE 200

/* --- errors --- */

/* Of an SQLSTATE, or of its class where the rest is not written. What is not here is a refusal:
 * ERROR_STORE. */
static const struct meaning {
	const char *state;
	enum error_code code;
} meanings[] = {
	{ "23505", ERROR_CONFLICT },      /* unique_violation */
	{ "23503", ERROR_NOT_FOUND },     /* foreign_key_violation: the thread went meanwhile */
	{ "53100", ERROR_STORE_FULL },    /* disk_full */
	{ "53300", ERROR_STORE_DOWN },    /* too_many_connections */
	{ "53400", ERROR_STORE_DOWN },    /* configuration_limit_exceeded */
	{ "57014", ERROR_STORE_TIMEOUT }, /* query_canceled: by statement_timeout */
	{ "55P03", ERROR_STORE_TIMEOUT }, /* lock_not_available: by lock_timeout */
	{ "40", ERROR_STORE_TIMEOUT },    /* transaction_rollback, after some tries */
	{ "25006", ERROR_STORE_DOWN },    /* read_only_sql_transaction: a standby */
	{ "25P03", ERROR_STORE_TIMEOUT }, /* idle_in_transaction_session_timeout */
	{ "57P", ERROR_STORE_DOWN },      /* admin_shutdown, crash_shutdown, cannot_connect_now */
	{ "08", ERROR_STORE_DOWN },       /* connection_exception */
	{ "28", ERROR_STORE_DOWN },       /* invalid_authorization_specification */
	{ "3D000", ERROR_STORE_DOWN },    /* invalid_catalog_name: no such database */
	{ "58", ERROR_STORE_DOWN },       /* system_error: input and output */
	{ "XX001", ERROR_CORRUPT },       /* data_corrupted */
	{ "XX002", ERROR_CORRUPT },       /* index_corrupted */
};

enum error_code pg_code_of(const char *sqlstate)
{
	for (size_t i = 0; sqlstate && i < sizeof meanings / sizeof *meanings; i++)
		if (strncmp(sqlstate, meanings[i].state, strlen(meanings[i].state)) == 0)
			return meanings[i].code;
	return sqlstate ? ERROR_STORE : ERROR_STORE_DOWN; /* without one it is libpq's: no server */
}

bool pg_is_undone(const PGresult *result)
{
	static const char *const states[] = { "40001", "40P01", "57P01", "57P02", "57P03" };
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);

	for (size_t i = 0; state && i < sizeof states / sizeof *states; i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	/* Another thread took the plain id in the same moment. */
	return state && constraint && strcmp(state, "23505") == 0 &&
	       strcmp(constraint, "Message_pkey") == 0;
}

/* The first line, up to where it quotes what it was given. */
static struct slice reason_of(const char *words)
{
	const char *quote = words ? strstr(words, ": \"") : NULL;
	size_t len = words ? strcspn(words, "\n") : 0;

	return (struct slice){ words, quote && (size_t)(quote - words) < len
					      ? (size_t)(quote - words)
					      : len };
}

/* An outage is met again and again, and its reason said once. */
static atomic_bool is_away;

void pg_note_away(const char *sqlstate, const char *words)
{
	if (!atomic_exchange(&is_away, true))
		log_error("PostgreSQL cannot be used",
			  LOG_T("sqlstate", sqlstate ? sqlstate : "none"),
			  LOG_S("reason", reason_of(words)));
}

void pg_note_back(void)
{
	atomic_store(&is_away, false);
}

enum error_code pg_failed(const struct pg_conn *conn, const PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *words = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	enum error_code code = pg_code_of(state);

	if (!state && clock_mono_ms() >= conn->until_ms)
		code = ERROR_STORE_TIMEOUT;
	if (!words)
		words = code == ERROR_STORE_TIMEOUT ? "no answer in time"
						    : "the connection is lost";
	if (code == ERROR_STORE_DOWN || code == ERROR_STORE_FULL)
		pg_note_away(state, words);
	else if (code == ERROR_STORE || code == ERROR_CORRUPT || code == ERROR_STORE_TIMEOUT)
		log_error("PostgreSQL failed", LOG_T("sqlstate", state ? state : "none"),
			  LOG_S("reason", reason_of(words)));
	return code;
}

/* In the server's words: they hold no password. */
static void say(struct error *err, enum error_code code, const char *words)
{
	struct slice reason = reason_of(words);

	error_set(err, code, "%.*s.", reason.len < REASON_SIZE ? (int)reason.len : REASON_SIZE,
		  reason.ptr);
}

/* --- waiting --- */

bool pg_conn_wait(struct pg_conn *conn, short events)
{
	struct pollfd fd = { .fd = PQsocket(conn->pg), .events = events };
	int64_t left;
	int ready;

	do {
		left = conn->until_ms - clock_mono_ms();
		ready = left > 0 ? poll(&fd, 1, left < INT32_MAX ? (int)left : INT32_MAX) : 0;
	} while (ready < 0 || (ready == 0 && left > INT32_MAX));
	return ready > 0;
}

bool pg_conn_is_good(struct pg_conn *conn)
{
	struct pollfd fd = { .fd = PQsocket(conn->pg), .events = POLLIN };

	/* What comes unasked is a farewell, or a notice before one. */
	if (poll(&fd, 1, 0) > 0)
		PQconsumeInput(conn->pg);
	return PQstatus(conn->pg) == CONNECTION_OK && poll(&fd, 1, 0) == 0;
}

/* --- outside of pipelines --- */

/* All results of what was sent; the last with rows, or the one that failed. */
static PGresult *last_of(struct pg_conn *conn)
{
	PGresult *last = NULL, *next;

	for (;;) {
		while (PQisBusy(conn->pg))
			if (!pg_conn_wait(conn, POLLIN) || !PQconsumeInput(conn->pg))
				goto lost;
		if (!(next = PQgetResult(conn->pg)))
			return last;
		PQclear(last);
		last = next;
	}
lost:
	PQclear(last);
	conn->is_broken = true;
	return NULL;
}

PGresult *pg_conn_exec(struct pg_conn *conn, const char *sql, enum error_code *code,
		       struct error *err)
{
	bool sent = PQsendQuery(conn->pg, sql);
	PGresult *result = NULL;
	ExecStatusType status;

	while (sent && PQflush(conn->pg) == 1)
		sent = pg_conn_wait(conn, POLLIN | POLLOUT) && PQconsumeInput(conn->pg);
	result = sent ? last_of(conn) : NULL;
	status = PQresultStatus(result);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return result;
	*code = pg_failed(conn, result);
	say(err, *code,
	    result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
		   : PQerrorMessage(conn->pg));
	PQclear(result);
	return NULL;
}

/* --- connecting --- */

static void be_quiet(void *self, const PGresult *notice)
{
	(void)self;
	(void)notice;
}

static bool connect_to(struct pg_conn *conn, const struct pg_uri *uri, size_t host)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	struct pg_keywords keywords;

	pg_uri_keywords(uri, host, &keywords);
	conn->pg = PQconnectStartParams(keywords.names, keywords.values, 0);
	if (!conn->pg || PQstatus(conn->pg) == CONNECTION_BAD)
		return false;
	PQsetNoticeReceiver(conn->pg, be_quiet, NULL);
	while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
		if (!pg_conn_wait(conn, state == PGRES_POLLING_READING ? POLLIN : POLLOUT))
			return false;
		state = PQconnectPoll(conn->pg);
	}
	return state == PGRES_POLLING_OK && PQsetnonblocking(conn->pg, 1) == 0;
}

/* What has to be known of it, in one go with its settings. A statement ends before we lose
 * patience, so that the server, too, knows that it did not happen. Each has an index; where one
 * thread has most of all messages the planner thinks that reading the whole table were cheaper for
 * any, and for the check of the foreign key, too. A pooler's connection is not ours to set. */
static void greeting(const struct pg_uri *uri, int64_t limit_ms, char *sql, size_t size)
{
	char path[sizeof uri->schema + 64] = "", limits[320] = "";

	if (uri->schema[0] && !uri->is_pooled)
		snprintf(path, sizeof path, "set_config('search_path', '\"%s\"', false), ",
			 uri->schema);
	if (!uri->is_pooled)
		snprintf(limits, sizeof limits,
			 "set_config('statement_timeout', '%lld', false),"
			 " set_config('lock_timeout', '%lld', false),"
			 " set_config('idle_in_transaction_session_timeout', '%lld', false),"
			 " set_config('enable_seqscan', 'off', false), ",
			 (long long)limit_ms * 7 / 8, (long long)limit_ms * 3 / 4,
			 (long long)limit_ms * 2);
	snprintf(sql, size,
		 "SELECT %s%sset_config('TimeZone', 'UTC', false),"
		 " current_setting('server_encoding'), pg_is_in_recovery()",
		 path, limits);
}

static bool greet(struct pg_conn *conn, const struct pg_uri *uri, int64_t limit_ms,
		  enum error_code *code, struct error *err)
{
	char sql[768];
	PGresult *rows;
	bool ok = false;

	greeting(uri, limit_ms, sql, sizeof sql);
	if (!(rows = pg_conn_exec(conn, sql, code, err)))
		return false;
	if (strcmp(PQgetvalue(rows, 0, PQnfields(rows) - 2), "UTF8") != 0)
		*code = ERROR_CONFIG,
		error_set(err, *code, "The database's encoding is %s; it has to be UTF8.",
			  PQgetvalue(rows, 0, PQnfields(rows) - 2));
	else if (*PQgetvalue(rows, 0, PQnfields(rows) - 1) == 't')
		*code = ERROR_STORE_DOWN, error_set(err, *code,
						    "The server is a standby: it cannot "
						    "be written.");
	else
		ok = true;
	PQclear(rows);
	return ok;
}

/* One of the URI's hosts. What keeps us out is told in words when it is asked for. */
static bool open_host(struct pg_conn *conn, const struct pg_uri *uri, size_t host, int64_t limit_ms,
		      enum error_code *code, struct error *err)
{
	if (!connect_to(conn, uri, host)) {
		*code = ERROR_STORE_DOWN;
		say(err, *code,
		    clock_mono_ms() >= conn->until_ms ? "no answer in time"
						      : PQerrorMessage(conn->pg));
	} else if (greet(conn, uri, limit_ms, code, err)) {
		return true;
	}
	PQfinish(conn->pg);
	conn->pg = NULL;
	return false;
}

struct pg_conn *pg_conn_open(const struct pg_uri *uri, int64_t limit_ms, int64_t until_ms,
			     enum error_code *code, struct error *err)
{
	struct pg_conn *conn = calloc(1, sizeof *conn);
	bool ok = false;

	*code = ERROR_OVERLOADED;
	for (size_t host = 0; conn && !ok && host < uri->hosts; host++) {
		bool is_last = host + 1 == uri->hosts;
		int64_t soon_ms = clock_mono_ms() + PER_HOST_MS;

		conn->until_ms = is_last || soon_ms > until_ms ? until_ms : soon_ms;
		ok = open_host(conn, uri, host, limit_ms, code, err);
	}
	if (ok) {
		*code = ERROR_NONE;
		conn->until_ms = until_ms;
		conn->is_named = !uri->is_pooled;
		return conn;
	}
	pg_conn_close(conn);
	return NULL;
}

void pg_conn_close(struct pg_conn *conn)
{
	if (conn)
		PQfinish(conn->pg);
	free(conn);
}
