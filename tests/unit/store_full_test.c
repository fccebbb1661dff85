/* SQLite on a disk that is full: each write says so, whichever it is, nothing of it stays, and what
 * is there is read. The size that a file may have stands for the disk. */
#include "../../src/store/sqlite/sqlite_room.h"
#include "folder.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char uri[112];
static struct config config;
static struct store *store;
static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("full"))
		return -1;
	snprintf(uri, sizeof uri, "sqlite:%s/store.db", folder);
	config = (struct config){ .store_uri = uri };
	arena_init(&arena, 16 << 20);
	signal(SIGXFSZ, SIG_IGN);
	store = store_open(&config, NULL, NULL);
	return store ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	store_free(store);
	arena_done(&arena);
	return folder_remove();
}

static void set_size_max(rlim_t size)
{
	const struct rlimit limit = { size, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static struct message message_of(const char *id, int64_t seq)
{
	return (struct message){ .thread_id = "t",
				 .id = id,
				 .seq = seq,
				 .status = STATUS_COMPLETE,
				 .content = SLICE("What is the weather like?") };
}

static struct turn_open turn_of(const char *question, const char *answer)
{
	struct turn_open open = { .thread_id = "t",
				  .run = { answer, answer, "node" },
				  .question = message_of(question, 0),
				  .answer = message_of(answer, 0),
				  .history_bytes = 1000,
				  .history_max = 10 };

	open.answer.role = ROLE_ASSISTANT;
	return open;
}

static struct error err;

#define FULL(call)                                                                                 \
	do {                                                                                       \
		err = (struct error){ 0 };                                                         \
		assert_false(call);                                                                \
		if (err.code != ERROR_STORE_FULL)                                                  \
			fail_msg("%s: %s", #call, err.detail);                                     \
		assert_true(store_is_full(store));                                                 \
		assert_false(store_is_down(store));                                                \
	} while (0)

static void each_write_is_refused_and_reading_goes_on(void **state)
{
	const struct thread thread = { .id = "t", .user_id = "ada", .title = "t" },
			    new = { .id = "new", .user_id = "ada", .title = "t" };
	const struct thread_patch patch = { "x", -1, NULL, -1, 1 };
	const struct message_patch edit = { true, SLICE("edited"), NULL, 1 };
	const struct turn_open held = turn_of("q1", "a1"), open = turn_of("q2", "a2");
	const struct finish end = { "t",  "a1", "a1",          STATUS_COMPLETE, SLICE("Sunny."),
				    NULL, NULL, USAGE_UNKNOWN, false,           false };
	const struct message_filter page = { .thread_id = "t", .limit = 10 };
	struct message message = message_of("m", 1), late = message_of("late", 9), out;
	const char *ids[] = { "m" };
	struct thread_deleted deleted;
	struct turn_opened opened;
	struct message_list list;
	struct thread got;
	size_t taken;
	bool more;

	(void)state;
	assert_true(store_thread_insert(store, &thread, NULL));
	assert_true(store_messages_put(store, &message, 1, NULL));
	assert_true(store_turn_open(store, &held, &arena, &opened, NULL));
	set_size_max(4096); /* neither the file nor its log gets a page more */
	FULL(store_thread_insert(store, &new, &err));
	FULL(store_thread_update(store, NULL, "t", &patch, &arena, &got, &err));
	FULL(store_messages_add(store, NULL, "t", &late, 1, &err));
	FULL(store_message_update(store, NULL, "t", "m", &edit, &arena, &out, &err));
	FULL(store_finish(store, &end, NULL, &err));
	FULL(store_threads_take(store, "ada", "bob", 10, &taken, &more, &err));
	FULL(store_stop_ask(store, NULL, "a1", &err));
	FULL(store_node_beat(store, "node", NULL, &err));
	FULL(store_threads_put(store, &new, 1, &err));
	FULL(store_messages_put(store, &late, 1, &err));
	FULL(store_messages_drop(store, "t", ids, 1, &err));
	FULL(store_thread_delete(store, NULL, "t", &arena, &deleted, &err));
	FULL(store_ping(store, &err));
	assert_true(store_message_list(store, &page, &arena, &list, NULL));
	assert_int_equal(list.count, 3);
	assert_true(store_thread_get(store, "ada", "t", &arena, &got, NULL));
	assert_string_equal(got.title, "t");
	set_size_max(RLIM_INFINITY);
	assert_true(store_finish(store, &end, NULL, NULL));
	assert_true(store_turn_open(store, &open, &arena, &opened, NULL));
	assert_int_equal(opened.kind, TURN_OPENED);
	assert_false(store_is_full(store));
}

/* A file system that met an error becomes read-only; the driver says so in a word of its own. */
static void c9_a_store_that_became_read_only_is_full(void **state)
{
	sqlite3 *db = NULL;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "PRAGMA query_only = 1; CREATE TABLE t (x)", NULL, NULL, NULL),
		SQLITE_READONLY);
	assert_int_equal(sqlite_failed(db), ERROR_STORE_FULL);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_write_is_refused_and_reading_goes_on, set_up,
						tear_down),
		cmocka_unit_test(c9_a_store_that_became_read_only_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
