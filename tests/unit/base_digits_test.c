/* Numbers as others write them: digits, so many at most, and nothing else. */
#include "base/digits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void decimal_digits_and_nothing_else(void **state)
{
	static const char *const bad[] = { "",   " 1",   "1 ", "+1", "-1", "0x1",
					   "1.", "1234", "a",  "/",  ":" };
	int64_t n = 7;

	(void)state;
	assert_true(digits_read(SLICE("007"), 3, &n) && n == 7);
	assert_true(digits_read(SLICE("0"), 3, &n) && n == 0);
	assert_true(digits_read(SLICE("999999999999999999"), DIGITS_MAX, &n));
	assert_true(n == INT64_C(999999999999999999));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(digits_read(slice_of(bad[i]), 3, &n));
	assert_false(digits_read((struct slice){ "1\0", 2 }, 3, &n));
	assert_true(n == INT64_C(999999999999999999));
}

static void hexadecimal_digits_of_either_case(void **state)
{
	static const char four[] = "00fFg";

	(void)state;
	for (int c = -128; c < 128; c++) {
		bool is_one = c > 0 && strchr("0123456789abcdefABCDEF", c);

		assert_int_equal(hex_value((char)c) >= 0, is_one);
	}
	assert_int_equal(hex_value('9'), 9);
	assert_int_equal(hex_value('a'), 10);
	assert_int_equal(hex_value('F'), 15);
	assert_int_equal(hex_four(four, four + 5), 0xFF);
	assert_int_equal(hex_four(four + 1, four + 5), -1);
	assert_int_equal(hex_four(four, four + 3), -1);
}

static void bytes_in_the_case_that_we_write(void **state)
{
	unsigned char bytes[2] = { 0 };

	(void)state;
	assert_true(hex_read(SLICE("0aff"), bytes, 2));
	assert_int_equal(bytes[0], 0x0A);
	assert_int_equal(bytes[1], 0xFF);
	assert_false(hex_read(SLICE("0Aff"), bytes, 2));
	assert_false(hex_read(SLICE("0af"), bytes, 2));
	assert_false(hex_read(SLICE("0aff0"), bytes, 2));
	assert_false(hex_read(SLICE("0afg"), bytes, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimal_digits_and_nothing_else),
		cmocka_unit_test(hexadecimal_digits_of_either_case),
		cmocka_unit_test(bytes_in_the_case_that_we_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
