/*
 * The board of runs: what was added is found by every name until it is removed, whoever dies in
 * between; and of a follower and a superseder that meet exactly one wins.
 */
#include "board_site.h"

#include "base/clock.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct board_entry entry_of(const char *run, const char *thread, const char *user)
{
	struct board_entry entry = { .created_ms = 1000 };

	snprintf(entry.run_id, sizeof entry.run_id, "%s", run);
	snprintf(entry.thread_id, sizeof entry.thread_id, "%s", thread);
	snprintf(entry.message_id, sizeof entry.message_id, "answer-of-%s", run);
	snprintf(entry.user_key, sizeof entry.user_key, "%s", user);
	return entry;
}

static void add(int slot, const char *run, const char *thread, const char *user)
{
	struct board_entry entry = entry_of(run, thread, user);

	assert_true(board_add(board, slot, &entry, NULL));
}

/* A run that its first reader has left. */
static void add_deserted(const char *run, const char *user, int64_t created_ms)
{
	struct board_entry entry = entry_of(run, "t", user);

	entry.created_ms = created_ms;
	assert_true(board_add(board, 1, &entry, NULL));
	assert_true(board_follow(board, run, 1, true));
	board_set_state(board, run, BOARD_RUNNING);
	assert_true(board_follow(board, run, 1, false));
}

static void what_is_added_is_found_by_each_of_its_names(void **state)
{
	struct board_entry found, two[2];

	(void)state;
	add(3, "run-1", "thread-1", "ada");
	add(4, "run-2", "thread-1", "bob");
	assert_false(board_find(board, "run-3", &found));
	assert_true(board_find(board, "run-2", &found));
	assert_string_equal(found.message_id, "answer-of-run-2");
	assert_int_equal(found.slot, 4);
	assert_int_equal(found.state, BOARD_STARTING);
	assert_true(found.followed); /* its reader is on the way */
	assert_int_equal(board_of_thread(board, "thread-1", two, 2), 2);
	assert_int_equal(board_of_thread(board, "thread-2", two, 2), 0);
	board_remove(board, "run-1");
	assert_false(board_find(board, "run-1", &found));
	assert_int_equal(board_of_thread(board, "thread-1", two, 1), 1);
	assert_string_equal(two[0].run_id, "run-2");
}

static void followers_of_any_worker_count(void **state)
{
	struct board_entry found;

	(void)state;
	add(0, "run", "t", "u");
	assert_true(board_follow(board, "run", 0, true));
	assert_true(board_follow(board, "run", 127, true));
	board_set_state(board, "run", BOARD_RUNNING);
	assert_true(board_follow(board, "run", 0, false));
	assert_true(board_find(board, "run", &found) && found.followed);
	assert_int_equal(found.unfollowed_ms, 0);
	assert_false(board_supersede(board, "run"));
	assert_true(board_follow(board, "run", 127, false));
	assert_true(board_find(board, "run", &found) && !found.followed);
	assert_true(found.unfollowed_ms > 0 && found.unfollowed_ms <= clock_mono_ms());
	assert_true(board_supersede(board, "run"));
	assert_false(board_follow(board, "run", 5, true)); /* too late */
	assert_true(board_supersede(board, "run"));        /* said twice is the same */
}

static void one_that_starts_is_not_superseded(void **state)
{
	(void)state;
	add(0, "run", "t", "u");
	assert_false(board_supersede(board, "run"));
}

static void the_oldest_unattended_ones_of_a_user_are_told(void **state)
{
	struct board_entry two[2];
	int64_t now_ms;

	(void)state;
	add_deserted("young", "ada", 30);
	add_deserted("old", "ada", 10);
	add_deserted("middle", "ada", 20);
	add_deserted("other", "bob", 1);
	add(1, "starting", "t", "ada");
	now_ms = clock_mono_ms();
	assert_int_equal(board_unattended(board, "ada", now_ms, two, 2), 3);
	assert_string_equal(two[0].run_id, "old");
	assert_string_equal(two[1].run_id, "middle");
	assert_int_equal(board_unattended(board, "ada", now_ms - 60000, two, 2), 0);
}

static void a_dead_worker_leaves_orphans_and_follows_nobody(void **state)
{
	char ids[4][ID_MAX + 1];
	struct board_entry found;

	(void)state;
	add(7, "its-own", "t", "u");
	add(8, "another", "t", "u");
	assert_true(board_follow(board, "another", 7, true));
	board_set_state(board, "another", BOARD_RUNNING);
	board_forget_slot(board, 7);
	assert_true(board_find(board, "its-own", &found));
	assert_int_equal(found.state, BOARD_ORPHAN);
	assert_int_equal(found.slot, BOARD_NOBODY);
	assert_true(board_find(board, "another", &found) && !found.followed);
	assert_int_equal(board_orphans(board, ids, 4), 1);
	assert_string_equal(ids[0], "its-own");
	board_adopt(board, "its-own", 8);
	assert_int_equal(board_orphans(board, ids, 4), 0);
	board_forget_slot(board, 8); /* the adopter dies too */
	assert_int_equal(board_orphans(board, ids, 4), 2);
}

static void a_full_board_refuses_and_forgets_nothing(void **state)
{
	struct board_entry entry = entry_of("one-more", "t", "u"), found;
	struct error err = { 0 };
	char run[32];

	(void)state;
	for (int i = 0; i < BOARD_ENTRIES; i++) {
		snprintf(run, sizeof run, "run-%d", i);
		entry = entry_of(run, "t", "u");
		if (!board_add(board, 0, &entry, NULL))
			fail();
	}
	assert_false(board_add(board, 0, &entry, &err));
	assert_int_equal(err.code, ERROR_OVERLOADED);
	assert_true(board_find(board, "run-65535", &found));
	board_remove(board, "run-17");
	assert_true(board_add(board, 0, &entry, NULL));
}

static void without_shared_memory_nothing_stands_in_the_way(void **state)
{
	struct board_entry entry = entry_of("run", "t", "u");

	(void)state;
	assert_true(board_add(NULL, 0, &entry, NULL));
	assert_false(board_find(NULL, "run", &entry));
	assert_true(board_follow(NULL, "run", 0, true));
	board_set_state(NULL, "run", BOARD_ENDED);
	board_forget_slot(NULL, 0);
}

/* --- two at once --- */

struct meeting {
	pthread_barrier_t begin, end;
	bool superseded[2], followed[2];
	int rounds;
};

static struct meeting meeting;

static void *superseder(void *number)
{
	bool *out = &meeting.superseded[(intptr_t)number];

	for (int i = 0; i < meeting.rounds; i++) {
		pthread_barrier_wait(&meeting.begin);
		*out = board_supersede(board, "run");
		pthread_barrier_wait(&meeting.end);
	}
	return NULL;
}

static void *follower(void *number)
{
	bool *out = &meeting.followed[(intptr_t)number];

	for (int i = 0; i < meeting.rounds; i++) {
		pthread_barrier_wait(&meeting.begin);
		*out = board_follow(board, "run", 10 + (int)(intptr_t)number, true);
		pthread_barrier_wait(&meeting.end);
	}
	return NULL;
}

/* R30: a follower that was let in is never cut by the thread's next question. */
static void r30_of_a_follower_and_a_superseder_one_wins(void **state)
{
	struct board_entry entry = entry_of("run", "t", "u");
	pthread_t threads[4];
	int won[2] = { 0 };

	(void)state;
	meeting.rounds = 3000;
	pthread_barrier_init(&meeting.begin, NULL, 5);
	pthread_barrier_init(&meeting.end, NULL, 5);
	for (intptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? superseder : follower,
						(void *)(i % 2)),
				 0);
	for (int i = 0; i < meeting.rounds; i++) {
		bool superseded, followed;

		assert_true(board_add(board, 0, &entry, NULL));
		board_set_state(board, "run", BOARD_RUNNING);
		pthread_barrier_wait(&meeting.begin);
		pthread_barrier_wait(&meeting.end);
		superseded = meeting.superseded[0] || meeting.superseded[1];
		followed = meeting.followed[0] || meeting.followed[1];
		assert_int_not_equal(superseded, followed);
		won[superseded]++;
		board_remove(board, "run");
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	print_message("superseded %d, followed %d\n", won[1], won[0]);
}

static void *churn(void *number)
{
	int slot = (int)(intptr_t)number;
	struct board_entry found, few[4];
	char run[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(run, sizeof run, "run-%d-%d", slot, i % 7);
		add(slot, run, "thread", "user");
		board_follow(board, run, slot, true);
		board_set_state(board, run, BOARD_RUNNING);
		if (!board_find(board, run, &found) || strcmp(found.run_id, run) != 0 ||
		    found.slot != slot)
			abort();
		board_of_thread(board, "thread", few, 4);
		board_unattended(board, "user", clock_mono_ms(), few, 4);
		board_remove(board, run);
	}
	return NULL;
}

static void many_at_once_lose_nothing(void **state)
{
	pthread_t threads[4];
	struct board_entry found;

	(void)state;
	for (intptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(board_of_thread(board, "thread", &found, 1), 0);
}

/* --- processes that die in it --- */

static void work_until_killed(int slot)
{
	char run[32];

	for (unsigned i = 0;; i++) {
		struct board_entry entry;

		snprintf(run, sizeof run, "run-%d-%u", slot, i % 8);
		entry = entry_of(run, "thread", "user");
		board_add(board, slot, &entry, NULL);
		board_follow(board, run, slot, true);
		board_follow(board, "steady", slot, i % 2);
		board_set_state(board, run, BOARD_RUNNING);
		board_supersede(board, "steady");
		board_remove(board, run);
		atomic_fetch_add(board_spool_bytes(board), 1);
	}
}

static void processes_that_die_in_it_leave_it_sound(void **state)
{
	static char ids[BOARD_ENTRIES][ID_MAX + 1];
	struct board_entry found;
	size_t orphans;

	(void)state;
	add(0, "steady", "t", "u");
	assert_true(board_follow(board, "steady", 0, true));
	for (int trial = 0; trial < 100; trial++) {
		int64_t done = atomic_load(board_spool_bytes(board));
		pid_t child = fork();

		if (child == 0)
			work_until_killed(1);
		while (atomic_load(board_spool_bytes(board)) < done + trial % 10)
			; /* it is at work */
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		board_forget_slot(board, 1);
		orphans = board_orphans(board, ids, BOARD_ENTRIES);
		assert_true(orphans <= 1);
		for (size_t i = 0; i < orphans; i++)
			board_remove(board, ids[i]);
		assert_true(board_find(board, "steady", &found) && found.followed);
		/* What the dead one tried stands in nobody's way. */
		assert_true(board_follow(board, "steady", 2, true));
		assert_true(board_follow(board, "steady", 2, false));
	}
	assert_int_equal(board_of_thread(board, "thread", &found, 1), 0);
	add(0, "next", "thread", "user");
	assert_true(board_find(board, "next", &found));
}

static void one_rebuilds_it_and_a_dead_one_is_replaced(void **state)
{
	(void)state;
	assert_true(board_begin_rebuild(board, 3));
	assert_false(board_begin_rebuild(board, 4));
	board_forget_slot(board, 3);
	assert_true(board_begin_rebuild(board, 4));
	board_rebuilt(board);
	board_forget_slot(board, 4);
	assert_false(board_begin_rebuild(board, 5));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_is_added_is_found_by_each_of_its_names),
		T(followers_of_any_worker_count),
		T(one_that_starts_is_not_superseded),
		T(the_oldest_unattended_ones_of_a_user_are_told),
		T(a_dead_worker_leaves_orphans_and_follows_nobody),
		T(a_full_board_refuses_and_forgets_nothing),
		T(without_shared_memory_nothing_stands_in_the_way),
		T(r30_of_a_follower_and_a_superseder_one_wins),
		T(many_at_once_lose_nothing),
		T(processes_that_die_in_it_leave_it_sound),
		T(one_rebuilds_it_and_a_dead_one_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
