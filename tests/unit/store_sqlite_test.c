/* What is SQLite's alone: the file, workers that start at once, a version to come, files that are
 * no store. */
#include "base/id.h"
#include "folder.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WORKERS 6
#define NUMBERS 10

static char path[96], uri[112];
static struct config config;

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("sqlite"))
		return -1;
	snprintf(path, sizeof path, "%s/data/store.db", folder);
	snprintf(uri, sizeof uri, "sqlite:%s", path);
	config = (struct config){ .store_uri = uri };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return folder_remove();
}

static void make_file(const char *bytes)
{
	char data[96];
	FILE *file;

	snprintf(data, sizeof data, "%s/data", folder);
	assert_int_equal(mkdir(data, 0700), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(bytes, file);
	fclose(file);
}

static void run_sql(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static bool insert_thread(struct store *store, const char *id)
{
	const struct thread thread = { .id = id, .user_id = "ada", .title = "A title" };
	struct error err = { 0 };

	return store_thread_insert(store, &thread, &err) || err.code == ERROR_CONFLICT;
}

static bool add_message(struct store *store, const char *thread_id)
{
	char id[ID_UUID_SIZE];
	struct message message = { .id = id, .role = ROLE_USER, .content = SLICE("Hello") };

	id_uuid7(id);
	return store_messages_add(store, NULL, thread_id, &message, 1, NULL);
}

static void the_folder_and_the_file_are_made_for_their_owner_only(void **state)
{
	struct store *store = store_open(&config, NULL, NULL);
	char log[112];
	struct stat file, wal;

	(void)state;
	assert_non_null(store);
	assert_false(store_is_down(store));
	snprintf(log, sizeof log, "%s-wal", path);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(stat(log, &wal), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	assert_int_equal(wal.st_mode & 0777, 0600);
	store_free(store);
}

/* A worker's life: opens the store, makes the thread unless another has, draws numbers. Its exit
 * code is how it went. */
static int work(void)
{
	struct store *store = store_open(&config, NULL, NULL);
	int code = store && !store_is_down(store) && insert_thread(store, "shared") ? 0 : 1;

	for (int i = 0; i < NUMBERS && code == 0; i++)
		code = add_message(store, "shared") ? 0 : 2;
	store_free(store);
	return code;
}

static void workers_that_start_at_once_share_one_new_file(void **state)
{
	const struct message_filter page = { .thread_id = "shared", .limit = 1000 };
	struct message_list list;
	struct store *store;
	struct arena arena;
	pid_t pids[WORKERS];
	int gate[2], status;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			char byte;

			close(gate[1]);
			_exit(read(gate[0], &byte, 1) == 0 ? work() : 3); /* all go at its end */
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < WORKERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	store = store_open(&config, NULL, NULL);
	arena_init(&arena, 1 << 20);
	assert_true(store_message_list(store, &page, &arena, &list, NULL));
	assert_int_equal(list.count, WORKERS * NUMBERS);
	assert_int_equal(list.items[list.count - 1].seq, WORKERS * NUMBERS);
	arena_done(&arena);
	store_free(store);
}

static void what_is_in_the_store_is_there_when_it_is_opened_again(void **state)
{
	struct store *store = store_open(&config, NULL, NULL);
	struct thread thread;
	struct arena arena;

	(void)state;
	assert_true(insert_thread(store, "kept"));
	store_free(store);
	store = store_open(&config, NULL, NULL);
	arena_init(&arena, 1 << 20);
	assert_true(store_thread_get(store, NULL, "kept", &arena, &thread, NULL));
	assert_string_equal(thread.title, "A title");
	arena_done(&arena);
	store_free(store);
}

static void a_file_of_a_newer_version_is_refused(void **state)
{
	struct error err = { 0 };

	(void)state;
	store_free(store_open(&config, NULL, NULL));
	run_sql("PRAGMA user_version = 99");
	assert_null(store_open(&config, NULL, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_non_null(strstr(err.detail, "newer"));
	assert_null(strstr(err.detail, folder));
}

static void a_file_that_is_no_database_is_refused_and_not_touched(void **state)
{
	static const char words[] =
		"These are words, and quite a lot of them, not a database at all.\n"
		"A header of SQLite would have one hundred bytes; so have these.\n";
	struct error err = { 0 };
	char bytes[256] = { 0 };
	FILE *file;

	(void)state;
	make_file(words);
	assert_null(store_open(&config, NULL, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, sizeof bytes - 1, file), sizeof words - 1);
	fclose(file);
	assert_string_equal(bytes, words);
}

static void what_the_driver_says_stays_in_the_log(void **state)
{
	struct store *store = store_open(&config, NULL, NULL);
	struct error err = { 0 };
	const struct thread thread = { .id = "t", .user_id = "ada", .title = "A title" };

	(void)state;
	run_sql("DROP TABLE threads");
	assert_false(store_thread_insert(store, &thread, &err));
	assert_int_equal(err.code, ERROR_STORE);
	assert_null(strstr(err.detail, "table"));
	assert_false(store_is_down(store));
	store_free(store);
}

/* Another process in the middle of a write, for longer than anybody waits. */
static void a_file_that_another_holds_is_a_timeout_and_not_an_outage(void **state)
{
	struct store *store = store_open(&config, NULL, NULL);
	const struct thread thread = { .id = "t", .user_id = "ada", .title = "A title" };
	struct error err = { 0 };
	sqlite3 *other = NULL;

	(void)state;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_false(store_thread_insert(store, &thread, &err));
	assert_int_equal(err.code, ERROR_STORE_TIMEOUT);
	assert_false(store_is_down(store));
	sqlite3_close(other);
	assert_true(insert_thread(store, "t"));
	store_free(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_folder_and_the_file_are_made_for_their_owner_only),
		TEST(workers_that_start_at_once_share_one_new_file),
		TEST(what_is_in_the_store_is_there_when_it_is_opened_again),
		TEST(a_file_of_a_newer_version_is_refused),
		TEST(a_file_that_is_no_database_is_refused_and_not_touched),
		TEST(what_the_driver_says_stays_in_the_log),
		TEST(a_file_that_another_holds_is_a_timeout_and_not_an_outage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
