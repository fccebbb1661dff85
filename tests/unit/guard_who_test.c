/* Who asks, and whom limits count. */
#include "guard/who.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;
static struct error err;
static struct caller caller;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 1u << 20);
	err = (struct error){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static void ask(const char *address, const char *name)
{
	struct request request = { .remote_addr = slice_of(address), .arena = &arena };

	assert_true(who_is(&request, slice_of(name), &caller, &err));
}

static void r6_visitors_without_a_name_are_counted_by_their_address(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.7", "anonymous@192.0.2.7" },
		{ "192.0.2.70", "anonymous@192.0.2.70" },
		{ "::ffff:192.0.2.7", "anonymous@192.0.2.7" },
		{ "2001:db8:1:2:3:4:5:6", "anonymous@2001:db8:1:2::/64" },
		{ "2001:db8:1:2::9", "anonymous@2001:db8:1:2::/64" },
		{ "2001:db8:1:3::9", "anonymous@2001:db8:1:3::/64" },
		{ "::1", "anonymous@::/64" },
		{ "", "anonymous" },
		{ "unix:", "anonymous" },
		{ "1.2.3.4.5", "anonymous" },
		{ "2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001", "anonymous" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask(rows[i][0], "");
		assert_string_equal(caller.counted_as, rows[i][1]);
		assert_string_equal(caller.user_id, "anonymous");
		assert_false(caller.named);
	}
}

static void a_name_is_counted_as_itself_wherever_it_comes_from(void **state)
{
	(void)state;
	ask("192.0.2.7", "Ada L\xC3\xB6velace");
	assert_string_equal(caller.user_id, "Ada L\xC3\xB6velace");
	assert_string_equal(caller.counted_as, caller.user_id);
	assert_true(caller.named && !caller.enforced);
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "a\nb", "\x7F", "\x01" };
	struct request request = { .remote_addr = SLICE("192.0.2.7"), .arena = &arena };
	char long_name[USER_ID_MAX + 1];

	(void)state;
	memset(long_name, 'x', sizeof long_name);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(who_is(&request, slice_of(bad[i]), &caller, &err));
	assert_false(
		who_is(&request, (struct slice){ long_name, sizeof long_name }, &caller, &err));
	assert_string_equal(err.field, "user_id");
	assert_true(who_is(&request, (struct slice){ long_name, USER_ID_MAX }, &caller, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			r6_visitors_without_a_name_are_counted_by_their_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_is_counted_as_itself_wherever_it_comes_from,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_name_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
