/* Each alias against the route that it stands for: it may do neither more nor less. */
#include "../../src/api/api_room.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* How a request or an answer looks, and nothing of what may be done. */
#define FORMS (ROUTE_PAGED | ROUTE_CURSOR | ROUTE_BARE | ROUTE_HISTORY)

static const struct route *original(const struct route *alias)
{
	char name[128];

	for (const struct route *at = routes; at != aliases; at = route_next(at)) {
		snprintf(name, sizeof name, "%s %s", at->method, at->template);
		if (strcmp(name, alias->same_as) == 0)
			return at;
	}
	fail_msg("%s %s is the same as %s, which is no route", alias->method, alias->template,
		 alias->same_as);
	return NULL;
}

static int ids_of(const char *template)
{
	int count = 0;

	for (; (template = strstr(template, "/:")); template ++)
		count++;
	return count;
}

static void o5_an_alias_is_its_route_by_another_name(void **state)
{
	int count = 0;

	(void)state;
	for (const struct route *at = aliases; at; at = route_next(at), count++) {
		const struct route *of = original(at);

		assert_ptr_equal(at->handle, of->handle);
		assert_int_equal(at->flags & ~FORMS, of->flags & ~FORMS);
		assert_true((strcmp(at->method, "GET") == 0) == (strcmp(of->method, "GET") == 0));
		assert_true((at->takes == NULL) == (of->takes == NULL));
		assert_true(at->body_max >= of->body_max);
		/* An id that is not in the address a turn finds. */
		assert_true(ids_of(at->template) == ids_of(of->template) || at->turn);
		assert_true(!at->says || strcmp(at->gives, "Said") == 0);
		assert_non_null(at->summary);
	}
	assert_true(count > 15);
}

static void o5_no_address_is_in_both_tables(void **state)
{
	(void)state;
	for (const struct route *at = aliases; at; at = route_next(at))
		for (const struct route *of = routes; of != aliases; of = route_next(of))
			assert_string_not_equal(at->template, of->template);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(o5_an_alias_is_its_route_by_another_name),
		cmocka_unit_test(o5_no_address_is_in_both_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
