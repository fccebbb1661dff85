/* The table of a run's states says what its picture says. */
#include "../../src/stream/run_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_answer_flows_is_saved_and_is_over(void **state)
{
	(void)state;
	assert_int_equal(run_next(RUN_WAITING, RUN_TEXT), RUN_FLOWING);
	assert_int_equal(run_next(RUN_FLOWING, RUN_TEXT), RUN_FLOWING);
	assert_int_equal(run_next(RUN_FLOWING, RUN_END), RUN_SAVING);
	assert_int_equal(run_next(RUN_SAVING, RUN_SAVED), RUN_OVER);
}

static void a_run_without_text_can_end_too(void **state)
{
	(void)state;
	assert_int_equal(run_next(RUN_WAITING, RUN_END), RUN_SAVING);
}

static void an_ended_run_never_flows_again(void **state)
{
	(void)state;
	assert_int_equal(run_next(RUN_SAVING, RUN_TEXT), RUN_SAVING);
	assert_int_equal(run_next(RUN_SAVING, RUN_END), RUN_SAVING);
}

static void what_is_over_stays_over(void **state)
{
	(void)state;
	for (int event = 0; event < RUN_EVENTS; event++)
		assert_int_equal(run_next(RUN_OVER, (enum run_event)event), RUN_OVER);
}

static void nothing_is_saved_before_it_ended(void **state)
{
	(void)state;
	assert_int_equal(run_next(RUN_WAITING, RUN_SAVED), RUN_WAITING);
	assert_int_equal(run_next(RUN_FLOWING, RUN_SAVED), RUN_FLOWING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_flows_is_saved_and_is_over),
		cmocka_unit_test(a_run_without_text_can_end_too),
		cmocka_unit_test(an_ended_run_never_flows_again),
		cmocka_unit_test(what_is_over_stays_over),
		cmocka_unit_test(nothing_is_saved_before_it_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
