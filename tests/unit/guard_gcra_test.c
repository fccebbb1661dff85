/*
 * Counting over many processes: never more than the rate allows, whoever comes at the same time,
 * is killed or stands still, and whatever keys others flood the table with. Time is a number here,
 * so nothing waits for it.
 */
#include "../../src/guard/gcra.h"
#include "base/shm.h"
#include "base/slice.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW  INT64_C(1000000000)
#define HOUR INT64_C(3600000000)

static struct shm *shm;
static struct gcra *table;

/* What children count in. */
static struct tally {
	_Atomic int64_t let_in, asked, gate;
} * tally;

static int set_up(void **state)
{
	(void)state;
	tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	shm = shm_map(NULL, NULL);
	table = gcra_of(shm);
	return table && tally != MAP_FAILED ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	shm_unmap(shm);
	munmap(tally, sizeof *tally);
	return 0;
}

static struct siphash key(const char *text)
{
	return siphash(shm->limits_key, slice_of(text));
}

/* All of them in one bucket. */
static struct siphash neighbour(uint64_t number)
{
	return (struct siphash){ 7, (number + 1) << 20 };
}

static const struct gcra_rate ten_a_minute = { 10, 6000000 };

static void a_burst_goes_through_then_one_each_period(void **state)
{
	struct gcra_use use;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(gcra_take(table, key("ada"), ten_a_minute, NOW, &use));
		assert_int_equal(use.left, 9 - i);
		assert_int_equal(use.more_us, 6000000);
	}
	assert_false(gcra_take(table, key("ada"), ten_a_minute, NOW, &use));
	assert_int_equal(use.left, 0);
	assert_int_equal(use.more_us, 6000000);
	assert_false(gcra_take(table, key("ada"), ten_a_minute, NOW + 5999999, &use));
	assert_int_equal(use.more_us, 1);
	assert_true(gcra_take(table, key("ada"), ten_a_minute, NOW + 6000000, &use));
	assert_false(gcra_take(table, key("ada"), ten_a_minute, NOW + 6000000, &use));
	assert_true(gcra_take(table, key("bob"), ten_a_minute, NOW, &use));
	assert_int_equal(use.left, 9);
}

/* F8: with windows one could do twice as much at the edge of one. */
static void f8_no_moment_is_the_edge_of_a_window(void **state)
{
	struct gcra_use use;
	int64_t now = NOW, let_in = 0;

	(void)state;
	for (; now < NOW + HOUR; now += 100000)
		let_in += gcra_take(table, key("ada"), ten_a_minute, now, &use);
	assert_int_equal(let_in, 10 + 60 * 10 - 1); /* the last one is due at the hour's end */
	for (int i = 0; i < 20; i++)
		let_in += gcra_take(table, key("ada"), ten_a_minute, now, &use);
	assert_int_equal(let_in, 10 + 60 * 10);
}

static void who_waits_long_has_one_burst_again(void **state)
{
	struct gcra_use use;
	int let_in = 0;

	(void)state;
	assert_true(gcra_take(table, key("ada"), ten_a_minute, NOW, &use));
	assert_true(gcra_may(table, key("ada"), ten_a_minute, NOW + HOUR, &use));
	assert_int_equal(use.left, 10);
	assert_int_equal(use.more_us, 0);
	for (int i = 0; i < 30; i++)
		let_in += gcra_take(table, key("ada"), ten_a_minute, NOW + HOUR, &use);
	assert_int_equal(let_in, 10);
	assert_false(gcra_may(table, key("ada"), ten_a_minute, NOW + HOUR, &use));
}

static void what_is_given_back_was_not_used(void **state)
{
	struct gcra_use use;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(gcra_take(table, key("ada"), ten_a_minute, NOW, &use));
	gcra_give_back(table, key("ada"), ten_a_minute, NOW, NOW + 10);
	assert_true(gcra_take(table, key("ada"), ten_a_minute, NOW + 20, &use));
	assert_false(gcra_take(table, key("ada"), ten_a_minute, NOW + 20, &use));
	/* Paid off by now: there is nothing to give back. */
	gcra_give_back(table, key("ada"), ten_a_minute, NOW, NOW + 6000000);
	assert_true(gcra_take(table, key("ada"), ten_a_minute, NOW + 6000000, &use));
	assert_false(gcra_take(table, key("ada"), ten_a_minute, NOW + 6000000, &use));
	gcra_give_back(table, key("nobody"), ten_a_minute, NOW, NOW);
}

static void a_flood_of_keys_resets_nobody(void **state)
{
	const struct gcra_rate once = { 1, HOUR };
	struct gcra_use use;
	int let_in = 0;

	(void)state;
	for (uint64_t i = 0; i < GCRA_CELLS; i++)
		assert_true(gcra_take(table, neighbour(i), once, NOW + (int64_t)i, &use));
	assert_false(use.crowded);
	/* No room: counted with the first, whose hour is over first. */
	for (uint64_t i = 100; i < 1100; i++) {
		let_in += gcra_take(table, neighbour(i), once, NOW + 10, &use);
		assert_true(use.crowded);
	}
	assert_int_equal(let_in, 0);
	for (uint64_t i = 0; i < GCRA_CELLS; i++)
		assert_false(gcra_take(table, neighbour(i), once, NOW + 20, &use));
	/* What is paid off gives room. */
	assert_true(gcra_take(table, neighbour(100), once, NOW + HOUR, &use));
	assert_false(use.crowded);
	assert_false(gcra_take(table, neighbour(100), once, NOW + HOUR, &use));
	assert_false(gcra_take(table, neighbour(1), once, NOW + HOUR, &use));
}

/* --- at the same time --- */

struct crowd {
	struct gcra_rate rate;
	struct siphash key;
	int64_t each;
};

static void *ask(void *arg)
{
	const struct crowd *crowd = arg;
	struct gcra_use use;

	for (int64_t i = 0; i < crowd->each; i++)
		if (gcra_take(table, crowd->key, crowd->rate, NOW, &use))
			atomic_fetch_add(&tally->let_in, 1);
	return NULL;
}

static void ask_in_threads(struct crowd *crowd, int count)
{
	pthread_t threads[8];

	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, ask, crowd) != 0)
			abort();
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void f8_a_hundred_thousand_at_once_are_let_in_to_the_last_one(void **state)
{
	struct crowd crowd = { { 60000, HOUR }, key("ada"), 100000 / 16 };
	pid_t children[4];
	int status;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 4; i++)
			if ((children[i] = fork()) == 0) {
				ask_in_threads(&crowd, 4);
				_exit(0);
			}
		for (int i = 0; i < 4; i++) {
			assert_int_equal(waitpid(children[i], &status, 0), children[i]);
			assert_int_equal(status, 0);
		}
		assert_int_equal(atomic_load(&tally->let_in), 60000);
	}
}

/* Each round three come with the same new key, and two with three of their own each, which takes
 * all of the bucket's cells from the round before. */
static struct rounds {
	pthread_barrier_t begin, end;
	_Atomic int64_t let_in;
} rounds;

#define ROUNDS 4000

static void *come(void *number)
{
	const struct gcra_rate once = { 1, 500 };
	uint64_t me = (uint64_t)(uintptr_t)number;
	struct gcra_use use;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		int64_t now = NOW + (int64_t)i * 1000;

		pthread_barrier_wait(&rounds.begin);
		if (me >= 3)
			for (uint64_t n = 0; n < 3; n++)
				gcra_take(table, neighbour(1000000 * me + 3 * i + n), once, now,
					  &use);
		else if (gcra_take(table, neighbour(i), once, now, &use))
			atomic_fetch_add(&rounds.let_in, 1);
		pthread_barrier_wait(&rounds.end);
	}
	return NULL;
}

static void f8_a_key_that_many_bring_at_first_is_counted_once(void **state)
{
	pthread_t threads[5];

	(void)state;
	pthread_barrier_init(&rounds.begin, NULL, 6);
	pthread_barrier_init(&rounds.end, NULL, 6);
	for (uintptr_t i = 0; i < 5; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come, (void *)i), 0);
	for (int i = 0; i < ROUNDS; i++) {
		atomic_store(&rounds.let_in, 0);
		pthread_barrier_wait(&rounds.begin);
		pthread_barrier_wait(&rounds.end);
		assert_int_equal(atomic_load(&rounds.let_in), 1);
	}
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&rounds.begin);
	pthread_barrier_destroy(&rounds.end);
}

/* --- deaths --- */

static void ask_until_killed(struct siphash whom)
{
	const struct gcra_rate rate = { INT64_C(1) << 40, 1 };
	struct gcra_use use;

	for (uint64_t i = 0;; i++) {
		gcra_take(table, whom, rate, NOW, &use);
		gcra_take(table, neighbour(i % 50), (struct gcra_rate){ 1, 1 }, NOW - 5, &use);
		atomic_fetch_add(&tally->asked, 1);
	}
}

static void who_is_killed_or_stands_still_holds_up_nobody(void **state)
{
	const struct gcra_rate once = { 1, HOUR };
	struct gcra_use use;

	(void)state;
	for (int round = 0; round < 60; round++) {
		int64_t before = atomic_load(&tally->asked);
		pid_t child = fork();

		if (child == 0)
			ask_until_killed(neighbour(100));
		while (atomic_load(&tally->asked) < before + 200 + round * 7)
			;
		kill(child, round % 2 ? SIGSTOP : SIGKILL);
		/* Every cell of the bucket may be used, whatever it was at. */
		for (uint64_t i = 0; i < 3; i++) {
			assert_true(gcra_take(table, neighbour(1000 + i), once,
					      NOW + (round + 1) * 2 * HOUR, &use));
			assert_false(use.crowded);
			assert_false(gcra_take(table, neighbour(1000 + i), once,
					       NOW + (round + 1) * 2 * HOUR, &use));
		}
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
}

/* --- the hash --- */

static void the_hash_is_siphash_of_its_authors(void **state)
{
	/* vectors_sip128 of the reference implementation: the key 00 01 ... 0f, the texts "",
	 * 00, ..., 00 ... 0e; as two words, the first byte lowest. */
	static const struct {
		struct siphash hash;
		size_t len;
	} wanted[] = {
		{ { 0xe6a825ba047f81a3, 0x930255c71472f66d }, 0 },
		{ { 0x44af996bd8c187da, 0x45fc229b11597634 }, 1 },
		{ { 0x11a8b03399e99354, 0xd9c3cf970fec087e }, 15 },
	};
	static const char texts[] = "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16";
	const uint64_t sequence[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct siphash hash = siphash(sequence, (struct slice){ texts, wanted[i].len });

		assert_int_equal(hash.a, wanted[i].hash.a);
		assert_int_equal(hash.b, wanted[i].hash.b);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_burst_goes_through_then_one_each_period),
		TEST(f8_no_moment_is_the_edge_of_a_window),
		TEST(who_waits_long_has_one_burst_again),
		TEST(what_is_given_back_was_not_used),
		TEST(a_flood_of_keys_resets_nobody),
		TEST(f8_a_hundred_thousand_at_once_are_let_in_to_the_last_one),
		TEST(f8_a_key_that_many_bring_at_first_is_counted_once),
		TEST(who_is_killed_or_stands_still_holds_up_nobody),
		TEST(the_hash_is_siphash_of_its_authors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
