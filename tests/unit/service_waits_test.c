/* How many request threads may wait for others: while all of them do, nobody is served. */
#include "../../src/service/service_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LONG_MS 600000

static struct config config;
static struct service service;

static int set_up(void **state)
{
	(void)state;
	config = (struct config){ .threads = 4 };
	service = (struct service){ .config = &config };
	return 0;
}

/* It waits on for as long as it likes. */
static void wait_long(struct wait *wait)
{
	wait_begin(wait, &service, LONG_MS);
	while (!wait->has_place)
		assert_true(wait_more(wait, 1));
}

/* It is sent on its way long before its time is over. */
static void be_refused(struct wait *wait)
{
	wait_begin(wait, &service, LONG_MS);
	assert_true(wait_more(wait, 1)); /* a moment is everybody's */
	while (wait_more(wait, 1))
		assert_false(wait->has_place);
	wait_end(wait);
}

static void r13_half_of_the_threads_may_wait_for_long_and_no_more(void **state)
{
	struct wait one, two, three;

	(void)state;
	wait_long(&one);
	wait_long(&two);
	be_refused(&three);
	assert_true(wait_more(&one, 1));
	wait_end(&one);
	wait_long(&three);
	wait_end(&two);
	wait_end(&three);
	assert_int_equal(atomic_load(&service.waiting), 0);
}

static void r13_where_there_is_one_thread_it_may_wait(void **state)
{
	struct wait one, two;

	(void)state;
	config.threads = 1;
	wait_long(&one);
	be_refused(&two);
	wait_end(&one);
	assert_int_equal(atomic_load(&service.waiting), 0);
}

static void a_wait_ends_with_its_time(void **state)
{
	struct wait wait;

	(void)state;
	wait_begin(&wait, &service, 0);
	assert_false(wait_more(&wait, 1));
	wait_end(&wait);
	assert_int_equal(atomic_load(&service.waiting), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(r13_half_of_the_threads_may_wait_for_long_and_no_more),
		T(r13_where_there_is_one_thread_it_may_wait),
		T(a_wait_ends_with_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
