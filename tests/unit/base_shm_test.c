/* The shared memory: who may write what, and a reason that is read whole. */
#include "base/shm.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REFUSED 42

static struct shm *shm;

static int set_up(void **state)
{
	(void)state;
	shm = shm_map(NULL, NULL);
	return shm ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	shm_unmap(shm);
	return 0;
}

static void refuse(int number)
{
	(void)number;
	_exit(REFUSED);
}

/* Exit code of a confined process that does it. */
static int try_it(void (*write_it)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, refuse);
		shm_confine(shm, &shm->slots[1]);
		write_it();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void own_slot(void)
{
	struct shm_slot *slot = &shm->slots[1];

	atomic_fetch_add(&slot->counters[0], 1);
	atomic_fetch_add(&slot->counters[SHM_COUNTERS - 1], 1);
	atomic_store(&slot->state, SHM_SLOT_READY);
}

static void slot_before(void)
{
	atomic_fetch_add(&shm->slots[0].counters[SHM_COUNTERS - 1], 1);
}

static void slot_behind(void)
{
	atomic_store(&shm->slots[2].pid, 1);
}

static void words_of_the_supervisor(void)
{
	atomic_fetch_add(&shm->pool.respawns, 1);
}

static void marks(void)
{
	atomic_store(&shm->store_down_since_ms, 1);
	atomic_fetch_add(&shm->inboxes[0].waiting, 1);
	shm->board[SHM_BOARD_SIZE - 1] = 1;
}

static void h9_a_worker_writes_its_own_slot_and_no_other(void **state)
{
	(void)state;
	assert_int_equal(try_it(own_slot), 0);
	assert_int_equal(try_it(marks), 0);
	assert_int_equal(try_it(slot_before), REFUSED);
	assert_int_equal(try_it(slot_behind), REFUSED);
	assert_int_equal(try_it(words_of_the_supervisor), REFUSED);
	assert_int_equal(atomic_load(&shm->slots[1].counters[0]), 1);
}

static atomic_bool over;

static void *change(void *unused)
{
	(void)unused;
	while (!atomic_load(&over)) {
		shm_set_reason(shm, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		shm_set_reason(shm, "bbbbbbbbbbbbbbbbbbbbbbbb");
	}
	return NULL;
}

static void r2_a_reason_is_read_whole_while_it_changes(void **state)
{
	char text[SHM_REASON];
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, change, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		shm_reason(shm, text);
		assert_int_equal(strspn(text, text[0] == 'a' ? "a" : "b"), strlen(text));
		assert_true(strlen(text) == 0 || strlen(text) == (text[0] == 'a' ? 44 : 24));
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
}

static void r2_a_long_reason_is_cut_between_characters(void **state)
{
	char text[SHM_REASON], long_one[SHM_REASON + 8];

	(void)state;
	memset(long_one, 'x', sizeof long_one);
	memcpy(long_one + SHM_REASON - 2, "\xc3\xa4", 3);
	shm_set_reason(shm, long_one);
	shm_reason(shm, text);
	assert_int_equal(strlen(text), SHM_REASON - 2);
	shm_set_reason(shm, "");
	shm_reason(shm, text);
	assert_string_equal(text, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(h9_a_worker_writes_its_own_slot_and_no_other),
		TEST(r2_a_reason_is_read_whole_while_it_changes),
		TEST(r2_a_long_reason_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
