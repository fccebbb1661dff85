/* What the calls of the C1 API come to, and what /health makes of it. */
#include "../../src/llm/llm_ending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct shm *shm;

static int open_shm(void **state)
{
	(void)state;
	return (shm = shm_map(NULL, NULL)) ? 0 : -1;
}

static int close_shm(void **state)
{
	(void)state;
	shm_unmap(shm);
	return 0;
}

static void end_as(enum llm_ending ending)
{
	struct llm_end end = { 0 };

	llm_ending_tell(ending, -1, &end);
	llm_health_note(shm, end.verdict);
}

static void r34_one_failure_is_no_outage_three_in_a_row_are(void **state)
{
	(void)state;
	assert_false(llm_health(shm).known);
	for (int i = 0; i < 2; i++) {
		end_as(llm_ending_of_status(500));
		end_as(ENDING_TIMEOUT);
		assert_true(llm_health(shm).up);
		assert_true(llm_health(shm).last_error_ms > 0);
		end_as(ENDING_COMPLETE);
	}
	end_as(ENDING_CONNECT);
	end_as(ENDING_CUT_TEXT);
	end_as(llm_ending_of_status(401));
	assert_true(llm_health(shm).known);
	assert_false(llm_health(shm).up);
	end_as(ENDING_LENGTH);
	assert_true(llm_health(shm).up);
}

static void r34_what_a_client_asked_for_says_nothing_of_the_api(void **state)
{
	(void)state;
	end_as(ENDING_COMPLETE);
	for (int i = 0; i < 9; i++) {
		end_as(llm_ending_of_status(400));
		end_as(llm_ending_of_status(413));
		end_as(llm_ending_of_status(422));
		end_as(ENDING_FILTERED);
		end_as(ENDING_NO_MEMORY);
	}
	assert_true(llm_health(shm).up);
	assert_int_equal(llm_health(shm).last_error_ms, 0);
}

static void connections_tell_until_a_call_does(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		llm_health_note_probe(shm, false);
	assert_false(llm_health(shm).up);
	llm_health_note_probe(shm, true);
	assert_true(llm_health(shm).up);
	assert_true(llm_health_wants_probe(shm));
	end_as(ENDING_COMPLETE);
	assert_false(llm_health_wants_probe(shm));
	for (int i = 0; i < 3; i++)
		llm_health_note_probe(shm, false);
	assert_true(llm_health(shm).up);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shm, close_shm)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(r34_one_failure_is_no_outage_three_in_a_row_are),
		TEST(r34_what_a_client_asked_for_says_nothing_of_the_api),
		TEST(connections_tell_until_a_call_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
