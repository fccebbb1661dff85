/* What a node does about others that are silent: with a store of their own, an SQLite file, in
 * which another node's sign of life is an hour old. */
#include "service_site.h"

#include <sqlite3.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OTHER   "0ff11e00"
#define ANSWERS 64
#define LONG_MS 3600000

static int begun;

static int set_up(void **state)
{
	(void)state;
	begun = 0;
	return folder_make("nodes") && service_begin() ? 0 : -1;
}

static void sql(const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* An answer that the other node writes, each on a thread of its own. */
static void begin_elsewhere(void)
{
	const char *thread_id = arena_printf(&arena, "t%d", begun);
	struct thread made = { .id = thread_id, .user_id = "ada", .title = "t" };
	const struct turn_open open = {
		.thread_id = thread_id,
		.make = &made,
		.run = { arena_printf(&arena, "r%d-" OTHER, begun), "a", OTHER },
		.question = { .id = "q", .role = ROLE_USER, .status = STATUS_COMPLETE },
		.answer = { .id = "a", .role = ROLE_ASSISTANT },
	};
	struct turn_opened opened;

	assert_true(store_turn_open(service->store, &open, &arena, &opened, NULL));
	begun++;
}

static void fall_silent(void)
{
	assert_true(store_node_beat(service->store, OTHER, NULL, NULL));
	sql("UPDATE nodes SET seen_ms = seen_ms - 3600000 WHERE node = '" OTHER "'");
}

static int ended(void)
{
	int count = 0;

	for (int i = 0; i < begun; i++) {
		struct message answer;

		assert_true(store_message_get(service->store, NULL, arena_printf(&arena, "t%d", i),
					      "a", &arena, &answer, NULL));
		count += answer.status == STATUS_INTERRUPTED;
	}
	return count;
}

/* Behind an outage of the store all look silent, and a worker that was born behind it has not seen
 * one. */
static void c5_who_has_just_begun_ends_no_answer_of_a_node_that_looks_silent(void **state)
{
	(void)state;
	begin_elsewhere();
	fall_silent();
	nodes_beat(service);
	assert_int_equal(ended(), 0);
	service->store_seen_down_ms -= LONG_MS; /* it has been at work for long */
	nodes_beat(service);
	assert_int_equal(ended(), 1);
}

/* Else its own sign of life would come too late, and others would end what it writes itself. */
static void c4_where_the_store_is_slow_a_look_ends_some_of_many_answers(void **state)
{
	(void)state;
	while (begun < ANSWERS)
		begin_elsewhere();
	fall_silent();
	service->store_seen_down_ms -= LONG_MS;
	sql("CREATE TRIGGER slow AFTER UPDATE ON messages BEGIN SELECT (WITH RECURSIVE c(x) AS"
	    " (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT max(x) FROM c); "
	    "END");
	nodes_beat(service);
	assert_in_range(ended(), 1, ANSWERS - 1);
	sql("DROP TRIGGER slow");
	for (int looks = 0; looks < ANSWERS && ended() < ANSWERS; looks++)
		nodes_beat(service);
	assert_int_equal(ended(), ANSWERS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(c5_who_has_just_begun_ends_no_answer_of_a_node_that_looks_silent),
		T(c4_where_the_store_is_slow_a_look_ends_some_of_many_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
