/*
 * pg_pipe: statements go to the server one behind the other, without a wait between them; their
 * answers come back in the same order. A statement is prepared on its connection with its first
 * use, in the same go. After one that fails the server does no more until the end of the batch.
 */
#include "pg_room.h"

#include "base/clock.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUES_MAX 26
#define BINARY     1

const char *const pg_sql[SQL_COUNT] = {
#define X(name, text) [SQL_##name] = (text),
	SQL_STATEMENTS(X)
#undef X
};

/* What the server calls them, in its log and its views. */
static const char *const names[SQL_COUNT] = {
#define X(name, text) [SQL_##name] = "c1d_" #name,
	SQL_STATEMENTS(X)
#undef X
};

/* These are planned for their values each time: which index is good hangs on what is looked for. */
static bool is_planned_anew(enum sql_id id)
{
	return id == SQL_FOUND_OF_USER || id == SQL_FOUND_OF_ALL;
}

/* The connection is lost while sending. Once the commit was among it, nobody knows what became of
 * it; before that, it is done again on another one. */
static void lost(struct pg_call *call)
{
	bool is_late = clock_mono_ms() >= call->conn->until_ms;

	call->conn->is_broken = true;
	if (call->code != ERROR_NONE)
		return;
	call->code = is_late || call->is_committing ? ERROR_STORE_TIMEOUT : ERROR_STORE_DOWN;
	call->is_again = call->code == ERROR_STORE_DOWN;
}

/* --- sending --- */

static void note(struct pg_call *call, enum sql_id id, bool is_prepare)
{
	struct pg_conn *conn = call->conn;
	size_t at = (conn->first + conn->count++) % PG_ASKED;

	conn->asked[at].id = id;
	conn->asked[at].is_prepare = is_prepare;
}

struct bound {
	const char *values[VALUES_MAX];
	int lengths[VALUES_MAX], formats[VALUES_MAX];
	char numbers[VALUES_MAX][CLOCK_TEXT_SIZE];
};

static void bind(struct bound *bound, size_t at, const struct sql_value *value)
{
	bound->formats[at] = value->kind == SQL_TEXT || value->kind == SQL_BYTES ? BINARY : 0;
	bound->lengths[at] = (int)value->text.len;
	bound->values[at] = value->text.ptr ? value->text.ptr : "";
	if (value->kind == SQL_NULL)
		bound->values[at] = NULL;
	if (value->kind == SQL_INT || value->kind == SQL_TIME)
		bound->values[at] = bound->numbers[at];
	if (value->kind == SQL_INT)
		snprintf(bound->numbers[at], sizeof bound->numbers[at], "%lld",
			 (long long)value->number);
	if (value->kind == SQL_TIME)
		clock_format(value->number, bound->numbers[at]);
}

static bool send(struct pg_call *call, enum sql_id id, int count, const struct bound *b)
{
	struct pg_conn *conn = call->conn;
	const char *name = names[id];

	if (!conn->is_named || is_planned_anew(id))
		return PQsendQueryParams(conn->pg, pg_sql[id], count, NULL, b->values, b->lengths,
					 b->formats, BINARY);
	if (!conn->is_prepared[id]) {
		if (!PQsendPrepare(conn->pg, name, pg_sql[id], count, NULL))
			return false;
		note(call, id, true);
		conn->is_prepared[id] = true;
	}
	return PQsendQueryPrepared(conn->pg, name, count, b->values, b->lengths, b->formats,
				   BINARY);
}

void pg_ask(struct pg_call *call, enum sql_id id, const struct sql_value *values, size_t count)
{
	struct bound bound;

	if (call->code != ERROR_NONE)
		return;
	for (size_t i = 0; i < count; i++)
		bind(&bound, i, &values[i]);
	if (call->conn->count + 4 > PG_ASKED)
		call->code = ERROR_OVERLOADED;
	else if (send(call, id, (int)count, &bound))
		note(call, id, false);
	else
		lost(call);
}

void pg_commit(struct pg_call *call)
{
	if (!call->is_committing)
		pg_ask(call, SQL_COMMIT, NULL, 0);
	call->is_committing = true;
}

/* Is the end of the last batch asked for? */
static bool is_sent(const struct pg_conn *conn)
{
	return conn->count > 0 &&
	       conn->asked[(conn->first + conn->count - 1) % PG_ASKED].id == SQL_COUNT;
}

/* Reads while it writes: a server that waits for us to read would not read either. */
static void send_all(struct pg_call *call)
{
	PGconn *pg = call->conn->pg;
	bool ok = PQpipelineSync(pg);

	if (ok)
		note(call, SQL_COUNT, false);
	while (ok && PQflush(pg) == 1)
		ok = pg_conn_wait(call->conn, POLLIN | POLLOUT) && PQconsumeInput(pg);
	if (!ok)
		lost(call);
}

/* --- answers --- */

/* What comes next, the NULLs between answers apart. NULL: nothing will. */
static PGresult *read_one(struct pg_call *call)
{
	PGconn *pg = call->conn->pg;
	PGresult *result = NULL;

	for (int nulls = 0; !result && nulls < 3; nulls++) {
		while (PQisBusy(pg))
			if (!pg_conn_wait(call->conn, POLLIN) || !PQconsumeInput(pg))
				return NULL;
		result = PQgetResult(pg);
	}
	return result;
}

/* Once the commit may have reached the server and its answer does not come, nobody knows. What was
 * lost before that, or undone by the server, is done again, and so not worth a word. */
static enum error_code meaning_of(struct pg_call *call, const PGresult *result, enum sql_id id)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	enum error_code code;

	if (!result || PQstatus(call->conn->pg) == CONNECTION_BAD)
		call->conn->is_broken = true;
	if (call->is_committing && (!state || (id == SQL_COMMIT && call->conn->is_broken))) {
		pg_failed(call->conn, NULL);
		return ERROR_STORE_TIMEOUT;
	}
	call->is_again = state ? pg_is_undone(result) : clock_mono_ms() < call->conn->until_ms;
	if (call->is_again && call->tries < PG_TRIES)
		return pg_code_of(state);
	code = pg_failed(call->conn, result);
	if (code == ERROR_STORE_DOWN)
		call->conn->is_broken = true; /* the next one may find another server */
	return code;
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* One entry of what was asked: of a batch's end, or of a prepare, it is read and forgotten. */
static void settle(struct pg_call *call)
{
	struct pg_conn *conn = call->conn;
	enum sql_id id = conn->asked[conn->first].id;
	bool is_prepare = conn->asked[conn->first].is_prepare;
	PGresult *result = read_one(call);

	conn->first = (conn->first + 1) % PG_ASKED;
	conn->count--;
	PQclear(call->rows);
	call->rows = result;
	if (id == SQL_COUNT && PQresultStatus(result) == PGRES_PIPELINE_SYNC)
		return;
	if (is_good(result)) {
		if (id == SQL_COMMIT && !is_prepare)
			call->is_committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
		return;
	}
	if (call->is_committed) { /* it stays so, whatever ends the connection behind it */
		conn->is_broken = true;
		return;
	}
	if (is_prepare)
		conn->is_prepared[id] = false;
	/* What was skipped has its reason before it. */
	if (PQresultStatus(result) != PGRES_PIPELINE_ABORTED) {
		enum error_code code = meaning_of(call, result, id);

		if (call->code == ERROR_NONE)
			call->code = code;
	}
}

enum error_code pg_answer(struct pg_call *call, const PGresult **rows)
{
	struct pg_conn *conn = call->conn;
	bool is_one = false;

	if (call->code == ERROR_NONE && !is_sent(conn))
		send_all(call);
	while (call->code == ERROR_NONE && !is_one && conn->count > 0) {
		enum sql_id id = conn->asked[conn->first].id;

		is_one = id != SQL_COUNT && id != SQL_BEGIN && !conn->asked[conn->first].is_prepare;
		settle(call);
	}
	if (rows)
		*rows = call->rows;
	return call->code;
}

enum error_code pg_answer_rest(struct pg_call *call)
{
	struct pg_conn *conn = call->conn;

	if (conn->count > 0 && !is_sent(conn) && !conn->is_broken)
		send_all(call);
	while (conn->count > 0 && !conn->is_broken)
		settle(call);
	PQclear(call->rows);
	call->rows = NULL;
	return call->code;
}

size_t pg_changed(const struct pg_call *call)
{
	return (size_t)strtoull(PQcmdTuples(call->rows), NULL, 10);
}

void pg_undo(struct pg_call *call)
{
	enum error_code code = pg_answer_rest(call);

	call->is_undone = true;
	if (call->conn->is_broken || PQtransactionStatus(call->conn->pg) == PQTRANS_IDLE)
		return;
	call->code = ERROR_NONE;
	pg_ask(call, SQL_ROLLBACK, NULL, 0);
	pg_answer_rest(call);
	if (call->code != ERROR_NONE)
		call->conn->is_broken = true;
	call->code = code;
}
