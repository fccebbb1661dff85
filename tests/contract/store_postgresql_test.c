/* What PostgreSQL alone has to show: each statement finds its rows by an index, and what its text
 * cannot hold is kept beside it. */
#include "contract.h"

#include "../../src/store/postgresql/pg_room.h"

extern const struct store_maker store_postgresql;

static const struct store_ops *ops;
static struct pg_pool *pool; /* NULL: the store is another */
static struct pg_conn *conn;

static int open_pg(void **state)
{
	const char *uri = getenv("C1D_TEST_STORE_URI");
	const struct store_options options = { .uri = uri, .callers = 4, .limit_ms = 4000 };
	enum error_code code;

	(void)state;
	if (!uri || strncmp(uri, "postgres", 8) != 0)
		return uri ? 0 : -1;
	if (!(pool = store_postgresql.open(&options, &ops, &error)) ||
	    ops->ping(pool, &error) != ERROR_NONE)
		return -1;
	conn = pg_pool_connect(pool, clock_mono_ms() + 60000, &code, &error);
	return conn ? 0 : -1;
}

static int close_pg(void **state)
{
	(void)state;
	pg_conn_close(conn);
	pg_pool_free(pool);
	return 0;
}

static void only_postgresql(void)
{
	if (!pool)
		skip();
}

/* The rows of some SQL, of which there has to be a result. */
static PGresult *exec(const char *sql)
{
	enum error_code code;
	PGresult *rows = pg_conn_exec(conn, sql, &code, &error);

	if (!rows)
		fail_msg("%s: %s", sql, error.detail);
	return rows;
}

/* --- indexes --- */

/* These read all there is, or a table of one row, or none. */
static bool needs_none(enum sql_id id)
{
	static const enum sql_id without[] = {
		SQL_BEGIN,    SQL_COMMIT,   SQL_ROLLBACK, SQL_PING,          SQL_COUNT_THREADS,
		SQL_KEY_LOCK, SQL_MAY_LAST, SQL_OWN,      SQL_COUNT_MESSAGES
	};

	for (size_t i = 0; i < sizeof without / sizeof *without; i++)
		if (without[i] == id)
			return true;
	return false;
}

static int parameters_of(const char *sql)
{
	int most = 0;

	for (; (sql = strchr(sql, '$')); sql++)
		if (atoi(sql + 1) > most)
			most = atoi(sql + 1);
	return most;
}

/* A scan of a table goes by a condition of an index; marked threads have one that holds no others.
 */
static bool is_by_index(const PGresult *plan, int line)
{
	const char *text = PQgetvalue(plan, line, 0);

	if (strstr(text, "Seq Scan"))
		return false;
	if (!strstr(text, "Index Scan") && !strstr(text, "Index Only Scan"))
		return true;
	if (strstr(text, "c1d_thread_deleted") || strstr(text, "c1d_thread_node"))
		return true;
	while (++line < PQntuples(plan) && !strstr(PQgetvalue(plan, line, 0), "->"))
		if (strstr(PQgetvalue(plan, line, 0), "Index Cond"))
			return true;
	return false;
}

static void every_statement_finds_its_rows_by_an_index(void **state)
{
	(void)state;
	only_postgresql();
	PQclear(exec("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
		     " SET enable_hashjoin = off; SET enable_mergejoin = off"));
	for (enum sql_id id = 0; id < SQL_COUNT; id++) {
		int count = parameters_of(pg_sql[id]);
		char values[256] = "";
		PGresult *plan;

		if (needs_none(id))
			continue;
		for (int i = 0; i < count; i++)
			strcat(values, i ? ", NULL" : "(NULL");
		PQclear(exec(arena_printf(&arena, "PREPARE e AS %s", pg_sql[id])));
		plan = exec(arena_printf(&arena, "EXPLAIN (COSTS OFF) EXECUTE e%s%s", values,
					 count ? ")" : ""));
		for (int i = 0; i < PQntuples(plan); i++)
			if (!is_by_index(plan, i))
				fail_msg("%s\nhas no index for\n%s", pg_sql[id],
					 PQgetvalue(plan, i, 0));
		PQclear(plan);
		PQclear(exec("DEALLOCATE e"));
	}
}

/* --- U+0000 --- */

static void f22_a_nul_is_kept_and_others_read_a_sign_for_it(void **state)
{
	struct thread thread = thread_of(fresh("thread"), "ada"), back;
	const struct message_patch patch = { .has_content = true,
					     .content = SLICE("plain again"),
					     .now_ms = 3000 };
	struct message message = message_of(thread.id, "m"), out;
	PGresult *rows;

	(void)state;
	only_postgresql();
	thread.metadata = "{\"a\":\"\\u0000\"}";
	message.content = SLICE("a\0b");
	message.metadata = "{\"b\":\"\\u0000\"}";
	assert_int_equal(ops->thread_insert(pool, &thread), ERROR_NONE);
	assert_int_equal(ops->messages_add(pool, NULL, thread.id, &message, 1), ERROR_NONE);
	assert_int_equal(ops->thread_get(pool, NULL, thread.id, &arena, &back), ERROR_NONE);
	assert_int_equal(ops->message_get(pool, NULL, thread.id, "m", &arena, &out), ERROR_NONE);
	assert_string_equal(back.metadata, thread.metadata);
	assert_string_equal(out.metadata, message.metadata);
	assert_content(&out, message.content);
	rows = exec(arena_printf(&arena,
				 "SELECT content, metadata->>'b' FROM \"Message\" WHERE"
				 " \"threadId\" = '%s'",
				 thread.id));
	assert_string_equal(PQgetvalue(rows, 0, 0), "a\xEF\xBF\xBD"
						    "b");
	assert_string_equal(PQgetvalue(rows, 0, 1), "\xEF\xBF\xBD");
	PQclear(rows);
	assert_int_equal(ops->message_update(pool, NULL, thread.id, "m", &patch, &arena, &out),
			 ERROR_NONE);
	assert_content(&out, patch.content);
}

/* What another program writes over it counts, and not the bytes that we had. */
static void f22_what_others_write_over_a_nul_is_what_is_read(void **state)
{
	struct thread thread = thread_of(fresh("thread"), "ada");
	struct message message = message_of(thread.id, "m"), out;

	(void)state;
	only_postgresql();
	message.content = SLICE("a\0b");
	message.metadata = "{\"mine\":1}";
	assert_int_equal(ops->thread_insert(pool, &thread), ERROR_NONE);
	assert_int_equal(ops->messages_add(pool, NULL, thread.id, &message, 1), ERROR_NONE);
	PQclear(exec(arena_printf(&arena,
				  "UPDATE \"Message\" SET content = 'theirs', metadata ="
				  " '{\"x\":1}' WHERE \"threadId\" = '%s'",
				  thread.id)));
	assert_int_equal(ops->message_get(pool, NULL, thread.id, "m", &arena, &out), ERROR_NONE);
	assert_content(&out, SLICE("theirs"));
	assert_string_equal(out.metadata, "{\"x\": 1}");
}

/* --- a sweep beside others --- */

static void *sweep_once(void *arg)
{
	bool more;

	(void)arg;
	ops->sweep(pool, 1 << 30, 1 << 30, 1000, &more);
	return NULL;
}

static bool waits_for(int holder)
{
	PGresult *rows = exec(arena_printf(&arena,
					   "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE"
					   " NOT granted AND %d = ANY (pg_blocking_pids(pid)))",
					   holder));
	bool ok = *PQgetvalue(rows, 0, 0) == 't';

	PQclear(rows);
	return ok;
}

/* A deleted thread, put back in a transaction that is still open. */
static void put_back(const char *id)
{
	const char *make = arena_printf(&arena,
					"INSERT INTO \"Thread\" (id, \"userId\", \"updatedAt\","
					" c1d_deleted) VALUES ('%s', 'ada', now(), true)",
					id);
	const char *take = arena_printf(
		&arena, "UPDATE \"Thread\" SET c1d_deleted = false WHERE id = '%s'", id);
	bool ok = false;

	while (!ok) { /* until no other suite's sweep came between */
		PGresult *rows;

		PQclear(exec(make));
		PQclear(exec("BEGIN"));
		rows = exec(take);
		ok = strcmp(PQcmdTuples(rows), "1") == 0;
		PQclear(rows);
		if (!ok)
			PQclear(exec("ROLLBACK"));
	}
}

static void a_sweep_leaves_what_is_put_back_meanwhile(void **state)
{
	const char *id = fresh("thread");
	struct thread thread;
	pthread_t sweeper;
	int64_t end_ms;

	(void)state;
	only_postgresql();
	put_back(id);
	end_ms = clock_mono_ms() + 2000; /* before it gives up */
	assert_int_equal(pthread_create(&sweeper, NULL, sweep_once, NULL), 0);
	while (!waits_for(PQbackendPID(conn->pg)) && clock_mono_ms() < end_ms)
		usleep(1000);
	PQclear(exec("COMMIT"));
	pthread_join(sweeper, NULL);
	assert_int_equal(ops->thread_get(pool, NULL, id, &arena, &thread), ERROR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_statement_finds_its_rows_by_an_index),
		TEST(f22_a_nul_is_kept_and_others_read_a_sign_for_it),
		TEST(f22_what_others_write_over_a_nul_is_what_is_read),
		TEST(a_sweep_leaves_what_is_put_back_meanwhile),
	};

	return cmocka_run_group_tests_name("store: PostgreSQL", tests, open_pg, close_pg);
}
