/* F9: how many runs a user may have at once, to the last one, whoever asks at the same time. */
#include "board_site.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each on a thread of its own, unless told. */
static bool ask(const char *run, const char *user, const char *address, const char *thread,
		size_t cap)
{
	struct board_entry entry = { .created_ms = 1 };

	snprintf(entry.run_id, sizeof entry.run_id, "%s", run);
	snprintf(entry.thread_id, sizeof entry.thread_id, "%s", thread ? thread : run);
	snprintf(entry.user_key, sizeof entry.user_key, "%s", user);
	snprintf(entry.address_key, sizeof entry.address_key, "%s", address);
	if (!board_add(board, 0, &entry, NULL))
		abort();
	if (board_admit(board, run, cap))
		return true;
	board_remove(board, run);
	return false;
}

static void f9_a_user_has_so_many_and_another_as_many(void **state)
{
	(void)state;
	assert_true(ask("r1", "ada", "", NULL, 2));
	assert_true(ask("r2", "ada", "", NULL, 2));
	assert_false(ask("r3", "ada", "", NULL, 2));
	assert_true(ask("r4", "bob", "", NULL, 2));
	board_set_state(board, "r1", BOARD_RUNNING);
	assert_false(ask("r3", "ada", "", NULL, 2));
	/* Ended, or its worker is dead: the model writes it no more. */
	board_set_state(board, "r1", BOARD_ENDED);
	assert_true(ask("r3", "ada", "", NULL, 2));
	assert_false(ask("r5", "ada", "", NULL, 2));
	board_forget_slot(board, 0);
	assert_true(ask("r5", "ada", "", NULL, 2));
}

static void f9_an_address_has_so_many_too(void **state)
{
	(void)state;
	assert_true(ask("r1", "visitor-1", "home", NULL, 2));
	assert_true(ask("r2", "visitor-2", "home", NULL, 2));
	assert_false(ask("r3", "visitor-3", "home", NULL, 2));
	assert_true(ask("r3", "visitor-3", "office", NULL, 2));
	assert_true(ask("r4", "visitor-3", "train", NULL, 2));
	assert_false(ask("r5", "visitor-3", "ship", NULL, 2));
	/* Who has no name is counted by the address alone. */
	assert_false(ask("r6", "home", "", NULL, 2));
	assert_true(ask("r6", "office", "", NULL, 2));
	assert_false(ask("r7", "visitor-7", "office", NULL, 2));
}

/* One of a thread is written at a time: what is there is about to be superseded, or stays and the
 * new one is refused for that. */
static void others_of_its_thread_do_not_count(void **state)
{
	(void)state;
	assert_true(ask("r1", "ada", "", "t1", 1));
	assert_false(ask("r2", "ada", "", "t2", 1));
	assert_true(ask("r2", "ada", "", "t1", 1));
}

static void what_is_not_there_stands_in_nobodys_way(void **state)
{
	(void)state;
	assert_true(board_admit(NULL, "r1", 1));
	assert_true(board_admit(board, "r1", 1));
}

/* --- at the same time --- */

#define TOGETHER 6
#define CAP      3
#define ROUNDS   1500

static struct {
	pthread_barrier_t begin, end;
	_Atomic int let_in;
} round_;

static void *come(void *number)
{
	char run[32];

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(run, sizeof run, "run-%d-%d", i, (int)(intptr_t)number);
		pthread_barrier_wait(&round_.begin);
		if (ask(run, "ada", "home", NULL, CAP))
			atomic_fetch_add(&round_.let_in, 1);
		pthread_barrier_wait(&round_.end);
		board_remove(board, run);
	}
	return NULL;
}

/* No more than the cap, and no less: nobody is refused for one who is refused, too. */
static void f9_of_those_that_come_together_as_many_are_let_in_as_there_is_room(void **state)
{
	pthread_t threads[TOGETHER];

	(void)state;
	pthread_barrier_init(&round_.begin, NULL, TOGETHER + 1);
	pthread_barrier_init(&round_.end, NULL, TOGETHER + 1);
	for (intptr_t i = 0; i < TOGETHER; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come, (void *)i), 0);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&round_.begin);
		pthread_barrier_wait(&round_.end);
		assert_int_equal(atomic_exchange(&round_.let_in, 0), CAP);
	}
	for (int i = 0; i < TOGETHER; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&round_.begin);
	pthread_barrier_destroy(&round_.end);
}

/* A process that dies or stands still while it asks. */
static void f9_who_stands_still_holds_up_nobody(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		pid_t child = fork();

		if (child == 0)
			for (;;) {
				ask("mine", "ada", "home", NULL, CAP);
				board_remove(board, "mine");
			}
		assert_true(child > 0);
		while (usleep(100 * (unsigned)(i % 7)) != 0)
			;
		kill(child, i % 2 ? SIGSTOP : SIGKILL);
		assert_true(ask("r1", "ada", "home", NULL, CAP));
		assert_true(ask("r2", "ada", "home", NULL, CAP));
		board_remove(board, "r1");
		board_remove(board, "r2");
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		board_forget_slot(board, 0);
		board_remove(board, "mine");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(f9_a_user_has_so_many_and_another_as_many),
		TEST(f9_an_address_has_so_many_too),
		TEST(others_of_its_thread_do_not_count),
		TEST(what_is_not_there_stands_in_nobodys_way),
		TEST(f9_of_those_that_come_together_as_many_are_let_in_as_there_is_room),
		TEST(f9_who_stands_still_holds_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
