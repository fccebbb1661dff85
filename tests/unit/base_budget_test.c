/* Memory lent to large things: what is held is drawn, and what is let go is there for others. */
#include "base/arena.h"
#include "base/budget.h"
#include "base/buffer.h"

#include <pthread.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MIB (1u << 20)

static struct budget *budget;
static _Atomic int64_t lent;
static _Atomic uint64_t refusals;

static int set_up(void **state)
{
	(void)state;
	lent = 0;
	refusals = 0;
	budget = budget_open(MIB, &lent, &refusals, NULL);
	return budget ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(lent, 0);
	budget_free(budget);
	return 0;
}

static struct loan hasty(void)
{
	struct loan loan = loan_of(budget);

	loan.wait_left_ms = 0;
	return loan;
}

static void r11_what_is_large_is_drawn_and_given_back(void **state)
{
	struct loan loan = hasty();

	(void)state;
	assert_true(loan_resize(&loan, LOAN_FREE));
	assert_int_equal(lent, 0);
	assert_true(loan_resize(&loan, LOAN_FREE + 1));
	assert_int_equal(lent, LOAN_FREE + 1);
	assert_true(loan_resize(&loan, MIB));
	assert_int_equal(lent, MIB);
	assert_true(loan_resize(&loan, 100000));
	assert_int_equal(lent, 100000);
	assert_true(loan_resize(&loan, 0));
}

static void r11_the_sum_is_bounded_and_small_things_are_not_refused_for_it(void **state)
{
	struct loan first = hasty(), second = hasty(), small = hasty();

	(void)state;
	assert_true(loan_resize(&first, MIB - 100000));
	assert_false(loan_resize(&second, 100001));
	assert_int_equal(refusals, 1);
	assert_true(loan_resize(&second, 100000));
	assert_true(loan_resize(&small, LOAN_FREE));
	assert_false(loan_resize(&first, MIB));
	assert_int_equal(lent, MIB);
	assert_true(loan_resize(&first, 0));
	assert_true(loan_resize(&second, 0));
}

static void r11_more_than_there_is_at_all_is_refused_at_once(void **state)
{
	struct loan loan = loan_of(budget);

	(void)state;
	loan.wait_left_ms = 600000; /* more than any test has */
	assert_false(loan_resize(&loan, MIB + 1));
	assert_true(loan.wait_left_ms > 0);
}

static void *give_back(void *arg)
{
	loan_resize(arg, 0);
	return NULL;
}

static void r11_growth_waits_for_others_to_give_back(void **state)
{
	struct loan holder = hasty(), waiter = loan_of(budget);
	pthread_t thread;

	(void)state;
	waiter.wait_left_ms = 60000;
	assert_true(loan_resize(&holder, MIB));
	assert_int_equal(pthread_create(&thread, NULL, give_back, &holder), 0);
	assert_true(loan_resize(&waiter, MIB));
	pthread_join(thread, NULL);
	assert_true(loan_resize(&waiter, 0));
	assert_int_equal(refusals, 0);
}

static void r11_a_buffer_holds_what_it_drew_wherever_it_is_moved(void **state)
{
	struct buffer first, second;

	(void)state;
	buffer_init(&first, 2 * MIB);
	first.loan = hasty();
	assert_non_null(buffer_reserve(&first, MIB / 2));
	assert_in_range(lent, MIB / 2, MIB / 2 + 1);
	second = first;
	assert_null(buffer_reserve(&second, MIB));
	assert_true(second.failed);
	assert_in_range(lent, MIB / 2, MIB / 2 + 1);
	buffer_done(&second);
	assert_int_equal(lent, 0);
}

static void r11_a_buffer_that_shrinks_gives_back(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, MIB);
	buffer.loan = hasty();
	assert_non_null(buffer_reserve(&buffer, MIB / 2));
	buffer_shrink(&buffer, 1024);
	assert_int_equal(lent, 0);
	buffer_done(&buffer);
}

static void r11_an_arena_draws_the_sum_of_its_blocks(void **state)
{
	struct arena arena;
	int count = 0;

	(void)state;
	arena_init(&arena, 16 * MIB);
	arena.loan = hasty();
	assert_non_null(arena_alloc(&arena, 1000));
	assert_int_equal(lent, 0);
	while (arena_alloc(&arena, 30000))
		count++;
	assert_in_range(count, 20, 35);
	assert_true(arena.failed);
	assert_in_range(lent, MIB - 2 * 65536, MIB);
	arena_done(&arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(r11_what_is_large_is_drawn_and_given_back),
		TEST(r11_the_sum_is_bounded_and_small_things_are_not_refused_for_it),
		TEST(r11_more_than_there_is_at_all_is_refused_at_once),
		TEST(r11_growth_waits_for_others_to_give_back),
		TEST(r11_a_buffer_holds_what_it_drew_wherever_it_is_moved),
		TEST(r11_a_buffer_that_shrinks_gives_back),
		TEST(r11_an_arena_draws_the_sum_of_its_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
