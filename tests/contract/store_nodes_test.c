/* Every store keeps nodes that beat, what the dead hold, and sweeps, as store/store.h promises.
 * Ages are by the store's clock: a negative one is that of everything there is. */
#include "contract.h"

#define ANY_AGE  (-3600000)
#define LONG_AGO (1000LL * 86400000)

/* Is the claim among those of nodes that have been silent for so long? */
static bool is_of_dead(int64_t silent_ms, const char *run_id)
{
	struct claim_list list = { 0 };

	OK(store_claims_of_dead(store, silent_ms, 10000, &arena, &list, &error));
	for (size_t i = 0; i < list.count; i++)
		if (strcmp(list.items[i].run.id, run_id) == 0)
			return true;
	return false;
}

static struct turn_open hold(const char *node)
{
	struct turn_open open = turn_of(new_thread("ada"));

	open.run.node = node;
	assert_int_equal(open_turn(&open).kind, TURN_OPENED);
	return open;
}

static void sweep_all(int64_t silent_ms, int64_t deleted_ms)
{
	bool more = true;

	while (more)
		OK(store_sweep(store, silent_ms, deleted_ms, 1000, &more, &error));
}

static void claims_of_silent_nodes_are_found(void **state)
{
	const char *node = fresh("node");
	struct turn_open open = hold(node);
	const struct finish end = finish_of(&open);
	int64_t now_ms = 0;

	(void)state;
	assert_false(is_of_dead(ANY_AGE, open.run.id)); /* it never beat: it is still starting */
	OK(store_node_beat(store, node, &now_ms, &error));
	assert_true(now_ms > 1600000000000);
	assert_true(is_of_dead(ANY_AGE, open.run.id));
	assert_false(is_of_dead(3600000, open.run.id));
	finish(&end);
	assert_false(is_of_dead(ANY_AGE, open.run.id));
	OK(store_node_beat(store, node, NULL, &error));
}

static void a_sweep_keeps_a_silent_node_that_holds_a_claim(void **state)
{
	const char *node = fresh("node");
	struct turn_open open = hold(node), later;
	const struct finish end = finish_of(&open);

	(void)state;
	OK(store_node_beat(store, node, NULL, &error));
	sweep_all(ANY_AGE, LONG_AGO);
	assert_true(is_of_dead(ANY_AGE, open.run.id));
	finish(&end);
	sweep_all(ANY_AGE, LONG_AGO);
	later = hold(node);
	assert_false(is_of_dead(ANY_AGE, later.run.id)); /* its entry is gone */
}

/* R18: what a deletion left is removed step by step, and the mark last. */
static void r18_a_sweep_empties_marked_threads_and_forgets_old_marks(void **state)
{
	const char *gone = new_thread("ada"), *alive = new_thread("ada");
	struct thread twin = thread_of(gone, "ada");
	struct message messages[5];
	bool more = true;
	int steps = 0;

	(void)state;
	sweep_all(LONG_AGO, LONG_AGO);
	for (int i = 0; i < 5; i++)
		messages[i] = message_of(gone, arena_printf(&arena, "m%d", i));
	OK(store_messages_add(store, NULL, gone, messages, 5, &error));
	insert(message_of(alive, "m"));
	delete_thread(gone);
	for (; more; steps++)
		OK(store_sweep(store, LONG_AGO, LONG_AGO, 2, &more, &error));
	assert_int_equal(steps, 3);
	OK(store_thread_purge(store, gone, 100, &more, &error));
	assert_false(more);
	FAILS(ERROR_CONFLICT, store_thread_insert(store, &twin, &error)); /* the mark is young */
	sweep_all(LONG_AGO, ANY_AGE);
	OK(store_thread_insert(store, &twin, &error));
	get_message(alive, "m");
}

/* R18: many deleted threads that nothing was said in: a step of the sweep takes no more of them
 * than it is told to, for who beats in between must not be late. */
static void r18_a_step_of_a_sweep_ends_however_many_threads_are_marked(void **state)
{
	bool more = true;

	(void)state;
	sweep_all(LONG_AGO, LONG_AGO);
	for (int i = 0; i < 7; i++)
		delete_thread(new_thread("ada"));
	OK(store_sweep(store, LONG_AGO, LONG_AGO, 3, &more, &error));
	assert_true(more);
	for (int steps = 1; more; steps++) {
		assert_true(steps < 5);
		OK(store_sweep(store, LONG_AGO, LONG_AGO, 3, &more, &error));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(claims_of_silent_nodes_are_found),
		TEST(a_sweep_keeps_a_silent_node_that_holds_a_claim),
		TEST(r18_a_sweep_empties_marked_threads_and_forgets_old_marks),
		TEST(r18_a_step_of_a_sweep_ends_however_many_threads_are_marked),
	};

	return cmocka_run_group_tests_name("store: nodes", tests, open_store, close_store);
}
