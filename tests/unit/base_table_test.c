/* The table of pointers: what was added is found, however it grew and whatever was removed. */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool is_same(const void *what, const void *key)
{
	return what == key;
}

/* Few hashes for many items: runs of them push each other on and move back again. */
static void many_are_added_found_and_removed(void **state)
{
	static char items[5000], present[5000];
	struct table table = { 0 };

	(void)state;
	srand(4711); /* NOLINT(cert-msc51-cpp): the same each time */
	for (int i = 0; i < 60000; i++) {
		int at = rand() % 5000; /* NOLINT(cert-msc50-cpp) */
		uint64_t hash = (uint64_t)at % 97;

		if (present[at])
			table_remove(&table, hash, &items[at]);
		else
			assert_true(table_add(&table, hash, &items[at]));
		present[at] ^= 1;
		if (i % 1000 > 0)
			continue;
		for (int j = 0; j < 5000; j++)
			assert_ptr_equal(table_find(&table, (uint64_t)j % 97, is_same, &items[j]),
					 present[j] ? &items[j] : NULL);
	}
	table_done(&table);
}

static void an_empty_one_has_nothing(void **state)
{
	struct table table = { 0 };
	int item = 0;

	(void)state;
	assert_null(table_find(&table, 1, is_same, &item));
	table_remove(&table, 1, &item);
	table_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_are_added_found_and_removed),
		cmocka_unit_test(an_empty_one_has_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
