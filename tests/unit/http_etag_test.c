/* If-Match and If-None-Match: which versions a client means. */
#include "http/etag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAX 3

static void expect(const char *header, int count, int64_t first, int64_t last)
{
	int64_t found[MAX] = { -7, -7, -7 };

	assert_int_equal(etag_versions(slice_of(header), found, MAX), count);
	if (count > 0) {
		assert_int_equal(found[0], first);
		assert_int_equal(found[count - 1], last);
	}
}

static void r23_a_version_is_known_in_a_list_and_made_weak(void **state)
{
	(void)state;
	expect("\"7\"", 1, 7, 7);
	expect("W/\"7\"", 1, 7, 7);
	expect("\"0\"", 1, 0, 0);
	expect("\"7\", \"8\"", 2, 7, 8);
	expect("\"7\",W/\"8\"", 2, 7, 8);
	expect(" \"other\" ,\t\"a,b\",, \"9\",", 1, 9, 9);
	expect("\"1\",\"2\",\"3\",\"4\"", MAX, 1, 3);
	expect("\"999999999999999999\"", 1, 999999999999999999, 999999999999999999);
	expect("*", ETAG_ANY, 0, 0);
}

static void r23_what_we_never_wrote_is_no_version(void **state)
{
	static const char *const none[] = { "",           "\"-1\"",   "\"+0\"",
					    "\"00\"",     "\" 0\"",   "\"0 \"",
					    "\"07\"",     "\"0x1\"",  "\"1.0\"",
					    "\"\"",       "\"x\"",    "\"9999999999999999999\"",
					    "7",          "\"7",      "7\"",
					    "w/\"7\"",    "W/7",      "\"7\" \"8\"",
					    "\"7\"x",     "\"7\",x",  "**",
					    "* ",         "\"7\",*",  "\"\xC2\xB2\"",
					    "\"7\"\"8\"", "'7'",      "nonsense",
					    "\"7\n\"",    "W/ \"7\"", "\"1\t\"" };

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		expect(none[i], 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r23_a_version_is_known_in_a_list_and_made_weak),
		cmocka_unit_test(r23_what_we_never_wrote_is_no_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
