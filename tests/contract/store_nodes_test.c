/* store_nodes: what every store promises of nodes that beat, of what the dead hold, and of
 * sweeping. */
#include "contract.h"

#define LONG_AGO 1000 /* ms since 1970: no other entry of the database is that old */

static struct claim_list claims_of_dead(int64_t seen_before_ms)
{
	struct claim_list list = { 0 };

	OK(store_claims_of_dead(store, seen_before_ms, 100, &arena, &list, &error));
	return list;
}

static void hold(const char *thread_id, const char *node, const char *run_id)
{
	const struct claim claim = { .thread_id = thread_id,
				     .run = { run_id, "answer", node },
				     .now_ms = clock_wall_ms() };
	struct claim_result result;

	OK(store_claim(store, &claim, &arena, &result, &error));
	assert_true(result.won);
}

static void claims_of_a_silent_node_are_found_until_it_beats_again(void **state)
{
	const char *id = new_thread("ada"), *node = fresh("node"), *run = fresh("run");
	struct claim_list list;

	(void)state;
	hold(id, node, run);
	assert_int_equal(claims_of_dead(LONG_AGO).count, 0);
	OK(store_node_beat(store, node, LONG_AGO - 1, &error));
	list = claims_of_dead(LONG_AGO);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].thread_id, id);
	assert_string_equal(list.items[0].run.id, run);
	assert_string_equal(list.items[0].run.message_id, "answer");
	assert_string_equal(list.items[0].run.node, node);
	OK(store_node_beat(store, node, clock_wall_ms(), &error));
	assert_int_equal(claims_of_dead(LONG_AGO).count, 0);
	OK(store_claim_release(store, id, run, &error));
}

static void a_sweep_keeps_a_silent_node_that_holds_a_claim(void **state)
{
	const char *id = new_thread("ada"), *node = fresh("node"), *run = fresh("run");

	(void)state;
	hold(id, node, run);
	OK(store_node_beat(store, node, LONG_AGO - 1, &error));
	OK(store_sweep(store, LONG_AGO, LONG_AGO, &error));
	assert_int_equal(claims_of_dead(LONG_AGO).count, 1);
	OK(store_claim_release(store, id, run, &error));
	OK(store_sweep(store, LONG_AGO, LONG_AGO, &error));
	hold(id, node, run);
	assert_int_equal(claims_of_dead(LONG_AGO).count, 0); /* its entry is gone */
	OK(store_claim_release(store, id, run, &error));
}

static void a_sweep_removes_old_marks_and_nothing_else(void **state)
{
	const char *old = new_thread("ada"), *young = new_thread("ada"), *alive = new_thread("ada");
	struct thread thread;

	(void)state;
	OK(store_thread_delete(store, old, LONG_AGO - 1, &error));
	OK(store_thread_delete(store, young, clock_wall_ms(), &error));
	OK(store_sweep(store, LONG_AGO, LONG_AGO, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, old, &arena, &thread, &error));
	OK(store_thread_get(store, young, &arena, &thread, &error));
	assert_true(thread.deleted);
	OK(store_thread_get(store, alive, &arena, &thread, &error));
	assert_false(thread.deleted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(claims_of_a_silent_node_are_found_until_it_beats_again),
		TEST(a_sweep_keeps_a_silent_node_that_holds_a_claim),
		TEST(a_sweep_removes_old_marks_and_nothing_else),
	};

	return cmocka_run_group_tests_name("store: nodes", tests, open_store, close_store);
}
