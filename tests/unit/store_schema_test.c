/* The tables of the SQLite store: each statement finds its rows by an index, and a file of an older
 * version is brought up to date, whoever else is at it. */
#include "../../src/store/sqlite/sqlite_room.h"
#include "folder.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WORKERS 6

static char path[96], uri[112];
static struct config config;

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("schema"))
		return -1;
	snprintf(path, sizeof path, "%s/store.db", folder);
	snprintf(uri, sizeof uri, "sqlite:%s", path);
	config = (struct config){ .store_uri = uri };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return folder_remove();
}

/* --- every statement on an index --- */

static void check_plan(sqlite3 *db, const char *sql)
{
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *plan = NULL;

	assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(plan, 3);

		/* A match, words in a range; what is counted so far and no further. */
		if (strstr(step, "VIRTUAL TABLE INDEX 0:M") || strstr(step, "INDEX 6:") ||
		    strstr(step, "(subquery-"))
			continue;
		if (strncmp(step, "SCAN", 4) == 0 || strstr(step, "TEMP B-TREE"))
			fail_msg("%s\n%s", sql, step);
	}
	sqlite3_finalize(plan);
	sqlite3_free(explain);
}

static void every_statement_finds_its_rows_by_an_index(void **state)
{
	enum error_code code;
	struct sqlite_conn *conn = sqlite_file_open(path, 4000, false, &code, NULL);

	(void)state;
	assert_non_null(conn);
	for (int i = SQL_COMMIT + 1; i < SQL_COUNT; i++)
		if (i != SQL_COUNT_OF_ALL) /* an administrator's, and all is what it counts */
			check_plan(conn->db, sqlite_sql[i]);
	sqlite_file_close(conn);
}

/* What is taken into the index of search is read alone: in a thread of 100,000 messages the sweep
 * held the writers' turn for 5 ms a message while it looked through all of it. */
static void a_message_is_taken_into_the_index_without_a_look_at_the_others(void **state)
{
	static const char fill[] =
		"INSERT INTO threads (id, user_id, title, created_ms, updated_ms, rev, archived)"
		" VALUES ('t', 'ada', '', 1, 1, 1, 0);"
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
		" INSERT INTO messages (thread_id, id, seq, role, status, size, unasked, "
		"created_ms,"
		" updated_ms, content) SELECT 't', i, i, 'user', 'complete', 2, 0, 1, 1, 'hi' FROM "
		"n;"
		"INSERT INTO search_threads (thread_id) VALUES ('t')";
	enum error_code code;
	struct sqlite_conn *conn = sqlite_file_open(path, 4000, false, &code, NULL);
	sqlite3_stmt *query;

	(void)state;
	assert_non_null(conn);
	assert_int_equal(sqlite3_exec(conn->db, fill, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sql_start(conn, SQL_FILL_TAKE_IN,
				   SQL_VALUES(sql_text("t"), sql_int(499), sql_int(500)), &query),
			 ERROR_NONE);
	assert_int_equal(sql_step(query), ERROR_NOT_FOUND);
	assert_int_equal(sqlite3_changes(conn->db), 1);
	assert_in_range(sqlite3_stmt_status(query, SQLITE_STMTSTATUS_VM_STEP, false), 1, 500);
	sql_done(query);
	sqlite_file_close(conn);
}

/* --- from version to version --- */

/* As the first version made it, with a thread, two messages, a mark and a claim. */
static void make_first_version(void)
{
	static const char sql[] =
		"CREATE TABLE threads (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL,"
		" title TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
		" seq INTEGER NOT NULL, rev INTEGER NOT NULL, archived INTEGER NOT NULL,"
		" deleted_ms INTEGER, run_id TEXT, run_message_id TEXT, run_node TEXT,"
		" metadata TEXT) STRICT;"
		"CREATE INDEX threads_by_user ON threads (user_id, updated_ms, id)"
		" WHERE deleted_ms IS NULL;"
		"CREATE INDEX threads_by_time ON threads (updated_ms, id)"
		" WHERE deleted_ms IS NULL;"
		"CREATE INDEX threads_deleted ON threads (deleted_ms)"
		" WHERE deleted_ms IS NOT NULL;"
		"CREATE TABLE messages (thread_id TEXT NOT NULL REFERENCES threads (id)"
		" ON DELETE CASCADE, id TEXT NOT NULL, seq INTEGER NOT NULL, role TEXT NOT NULL,"
		" status TEXT NOT NULL, content TEXT NOT NULL, run_id TEXT, parent_id TEXT,"
		" key TEXT, finish_reason TEXT, usage TEXT, feedback TEXT, metadata TEXT,"
		" created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
		" PRIMARY KEY (thread_id, id)) STRICT;"
		"CREATE INDEX messages_by_seq ON messages (thread_id, seq, id);"
		"CREATE INDEX messages_by_run ON messages (run_id) WHERE run_id IS NOT NULL;"
		"CREATE INDEX messages_by_key ON messages (thread_id, key) WHERE key IS NOT NULL;"
		"CREATE INDEX threads_by_node ON threads (run_node) WHERE run_node IS NOT NULL;"
		"CREATE TABLE nodes (node TEXT NOT NULL PRIMARY KEY, seen_ms INTEGER NOT NULL)"
		" STRICT;"
		"INSERT INTO threads VALUES ('t', 'ada', 'A title', 1, 2, 2, 3, 0, NULL, 'run',"
		" 'answer', 'node', NULL);"
		"INSERT INTO threads VALUES ('gone', 'ada', '', 1, 2, 2, 3, 0, 5, NULL, NULL,"
		" NULL, NULL);"
		"INSERT INTO messages VALUES ('t', 'q', 1, 'user', 'complete', 'caf\xC3\xA9', NULL,"
		" NULL, NULL, NULL, NULL, NULL, '{}', 1, 1);"
		"INSERT INTO messages VALUES ('t', 'answer', 2, 'assistant', 'complete', 'Yes.',"
		" 'run', 'q', 'key', 'stop', '{\"input_tokens\":5,\"output_tokens\":7,"
		"\"total_tokens\":12}', NULL, NULL, 1, 1);"
		"PRAGMA user_version = 1;";
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void check_first_version(void)
{
	struct store *store = store_open(&config, NULL, NULL);
	struct message_list list;
	struct arena arena;
	bool more;

	assert_non_null(store);
	arena_init(&arena, 1 << 20);
	assert_true(store_message_list(store, &(struct message_filter){ "ada", "t", .limit = 9 },
				       &arena, &list, NULL));
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].content.len, 5);
	assert_string_equal(list.items[0].metadata, "{}");
	assert_int_equal(list.items[0].usage.total, -1);
	assert_int_equal(list.items[1].usage.input, 5);
	assert_int_equal(list.items[1].usage.output, 7);
	assert_int_equal(list.items[1].usage.total, 12);
	assert_string_equal(list.items[1].run_id, "run");
	assert_true(store_stop_ask(store, "ada", "run", NULL));
	assert_true(store_thread_purge(store, "gone", 10, &more, NULL));
	arena_done(&arena);
	store_free(store);
}

static void a_file_of_the_first_version_is_brought_up_to_date(void **state)
{
	(void)state;
	make_first_version();
	check_first_version();
	check_first_version();
}

static void workers_that_start_at_once_bring_it_up_to_date_once(void **state)
{
	pid_t pids[WORKERS];
	int gate[2], status;

	(void)state;
	make_first_version();
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			char byte;
			struct store *store;

			close(gate[1]);
			if (read(gate[0], &byte, 1) != 0) /* all go at its end */
				_exit(3);
			store = store_open(&config, NULL, NULL);
			status = store && !store_is_down(store) ? 0 : 1;
			store_free(store);
			_exit(status);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < WORKERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	check_first_version();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_statement_finds_its_rows_by_an_index),
		TEST(a_message_is_taken_into_the_index_without_a_look_at_the_others),
		TEST(a_file_of_the_first_version_is_brought_up_to_date),
		TEST(workers_that_start_at_once_bring_it_up_to_date_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
