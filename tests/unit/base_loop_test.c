/* Timers fire once, in the order of their due time, whatever else is set, moved or cleared
 * meanwhile, and never keep descriptors from their turn. */
#include "base/loop.h"

#include "base/clock.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY 2000

static struct loop *loop;
static struct loop_timer timers[MANY];
static int64_t due[MANY]; /* what the heap should know; 0: not set */
static int64_t last_due;
static int fired, expected;

static int open_loop(void **state)
{
	(void)state;
	loop = loop_open(NULL);
	fired = expected = 0;
	last_due = 0;
	return loop ? 0 : -1;
}

static int close_loop(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void stop(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(loop);
}

/* --- order --- */

/* Each takes another with it: an owner may clear any timer, also one that is due in this round. */
static void fire_and_clear_another(struct loop_timer *timer)
{
	size_t i = (size_t)(timer - timers), other = (i * 7 + 3) % MANY;

	assert_true(due[i] > 0);
	assert_true(due[i] >= last_due);
	assert_int_equal(timer->due_ms, 0);
	last_due = due[i];
	due[i] = 0;
	fired++;
	if (i % 5 == 0 && due[other]) {
		loop_clear_timer(loop, &timers[other]);
		due[other] = 0;
		expected--;
	}
}

static void c4_timers_fire_once_in_the_order_of_their_due_time(void **state)
{
	struct loop_timer last = { .fire = stop };

	(void)state;
	srandom(4);
	for (int i = 0; i < MANY; i++)
		timers[i] = (struct loop_timer){ .fire = fire_and_clear_another };
	for (int i = 0; i < 20 * MANY; i++) { /* set, move and clear at random */
		size_t at = (size_t)random() % MANY;

		due[at] = random() % 3 ? 1 + random() % (2 * MANY) : 0;
		if (due[at])
			loop_set_timer(loop, &timers[at], due[at]);
		else
			loop_clear_timer(loop, &timers[at]);
	}
	for (int i = 0; i < MANY; i++)
		expected += due[i] != 0;
	assert_true(expected > MANY / 3);
	loop_set_timer(loop, &last, clock_mono_ms());
	loop_run(loop);
	assert_int_equal(fired, expected);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(due[i], 0);
}

static void a_timer_that_is_not_due_stays(void **state)
{
	struct loop_timer later = { .fire = fire_and_clear_another }, now = { .fire = stop };

	(void)state;
	loop_set_timer(loop, &later, clock_mono_ms() + 3600000);
	loop_set_timer(loop, &now, 1);
	loop_run(loop);
	assert_true(later.due_ms > 0);
	loop_clear_timer(loop, &later);
	loop_clear_timer(loop, &later); /* again is fine */
	assert_int_equal(later.due_ms, 0);
}

/* --- fairness --- */

static void set_again_for_now(struct loop_timer *timer)
{
	loop_set_timer(loop, timer, loop_now_ms(loop));
	if (++fired == 3)
		loop_notify(loop);
}

static void stop_for_the_descriptor(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void c4_a_timer_that_is_always_due_lets_descriptors_have_their_turn(void **state)
{
	struct loop_timer eager = { .fire = set_again_for_now };

	(void)state;
	loop_wake(loop, stop_for_the_descriptor, NULL);
	loop_set_timer(loop, &eager, 1);
	loop_run(loop); /* returns at all */
	assert_int_equal(fired, 3);
	loop_clear_timer(loop, &eager);
}

/* Stopped between two that are due: the second fires when the loop runs again. */
static void a_stop_between_two_due_timers_loses_none(void **state)
{
	struct loop_timer first = { .fire = stop }, second = { .fire = stop };

	(void)state;
	loop_set_timer(loop, &first, 1);
	loop_set_timer(loop, &second, 2);
	loop_run(loop);
	assert_int_equal(first.due_ms, 0);
	assert_int_equal(second.due_ms, 2);
	loop_run(loop);
	assert_int_equal(second.due_ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(c4_timers_fire_once_in_the_order_of_their_due_time),
		TEST(a_timer_that_is_not_due_stays),
		TEST(c4_a_timer_that_is_always_due_lets_descriptors_have_their_turn),
		TEST(a_stop_between_two_due_timers_loses_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
