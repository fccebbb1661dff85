/* Which workers the supervisor takes for hung. */
#include "../../src/server/pool.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BEAT_MS 1000 /* when the worker beat last */

static struct pool pool;
static struct shm *shm;
static struct shm_slot *slot;

/* One worker that does nothing. */
static int set_up(void **state)
{
	int fd = -1;

	(void)state;
	if (!(shm = shm_map(&fd, NULL)))
		return -1;
	close(fd);
	slot = &shm->slots[0];
	pool = (struct pool){ .shm = shm, .count = 1 };
	pool.places[0] = (struct place){ .pid = fork(), .slot = slot };
	if (pool.places[0].pid == 0)
		for (;;)
			pause();
	atomic_store(&shm->pool.slots_used, 1);
	atomic_store(&slot->pid, pool.places[0].pid);
	atomic_store(&slot->state, SHM_SLOT_READY);
	atomic_store(&slot->beat_ms, BEAT_MS);
	pool_check_beats(&pool, BEAT_MS);
	return pool.places[0].pid > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (pool.places[0].pid > 0) { /* its test has failed */
		kill(pool.places[0].pid, SIGKILL);
		waitpid(pool.places[0].pid, NULL, 0);
	}
	shm_unmap(shm);
	return 0;
}

/* What ends it: the first signal that it got. */
static int end_of_worker(void)
{
	int status;

	kill(pool.places[0].pid, SIGTERM);
	assert_int_equal(waitpid(pool.places[0].pid, &status, 0), pool.places[0].pid);
	pool.places[0].pid = 0;
	assert_true(WIFSIGNALED(status));
	return WTERMSIG(status);
}

static void d8_a_worker_that_does_not_beat_is_killed(void **state)
{
	(void)state;
	for (int64_t now_ms = BEAT_MS; now_ms <= BEAT_MS + 10000; now_ms += 100)
		pool_check_beats(&pool, now_ms);
	assert_int_equal(end_of_worker(), SIGKILL);
}

static void d8_a_worker_that_saves_its_last_answers_has_the_time_for_it(void **state)
{
	int64_t now_ms = BEAT_MS;

	(void)state;
	atomic_store(&slot->state, SHM_SLOT_DRAINING);
	for (; now_ms < BEAT_MS + 16000; now_ms += 100)
		pool_check_beats(&pool, now_ms);
	assert_int_equal(waitpid(pool.places[0].pid, NULL, WNOHANG), 0);
	pool_check_beats(&pool, now_ms);
	assert_int_equal(end_of_worker(), SIGKILL);
}

static void d8_none_is_killed_for_what_the_whole_machine_stood_still(void **state)
{
	int64_t now_ms = BEAT_MS + 35000;

	(void)state;
	pool_check_beats(&pool, now_ms);
	for (int i = 0; i < 99; i++)
		pool_check_beats(&pool, now_ms += 100);
	assert_int_equal(end_of_worker(), SIGTERM);
}

static void d8_one_that_does_not_beat_behind_a_standstill_is_killed(void **state)
{
	int64_t now_ms = BEAT_MS + 35000;

	(void)state;
	pool_check_beats(&pool, now_ms);
	for (int i = 0; i < 100; i++)
		pool_check_beats(&pool, now_ms += 100);
	assert_int_equal(end_of_worker(), SIGKILL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(d8_a_worker_that_does_not_beat_is_killed),
		TEST(d8_a_worker_that_saves_its_last_answers_has_the_time_for_it),
		TEST(d8_none_is_killed_for_what_the_whole_machine_stood_still),
		TEST(d8_one_that_does_not_beat_behind_a_standstill_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
