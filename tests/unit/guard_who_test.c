/* Who asks where nobody signs in, whom limits count, and whose user_id may be said. */
#include "guard_site.h"

#include "guard/keys.h"

static struct caller caller;

static bool say(const char *name)
{
	return guard_act_as(&arena, slice_of(name), &caller, &err);
}

static void ask(struct guard *guard, const char *address)
{
	struct request request = { .remote_addr = slice_of(address), .arena = &arena };

	assert_true(guard_who(guard, &request, ORIGIN_OURS, &response, &caller, &err));
	assert_int_equal(response.headers.len, 0);
}

static void r6_those_without_a_name_are_counted_by_their_address(void **state)
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
	struct guard *guard = site_open(AUTH_none);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask(guard, rows[i][0]);
		assert_true(say(""));
		assert_string_equal(caller.counted_as, rows[i][1]);
		assert_string_equal(caller.user_id, "anonymous");
		assert_false(caller.named);
	}
	guard_close(guard);
}

static void a_name_is_counted_wherever_it_comes_from_and_its_address_besides(void **state)
{
	struct guard *guard = site_open(AUTH_none);

	(void)state;
	ask(guard, "192.0.2.7");
	assert_null(caller.also_counted_as);
	assert_true(say("Ada L\xC3\xB6velace"));
	assert_string_equal(caller.user_id, "Ada L\xC3\xB6velace");
	assert_string_equal(caller.counted_as, caller.user_id);
	assert_string_equal(caller.also_counted_as, "anonymous@192.0.2.7");
	assert_true(caller.named && !caller.enforced);
	guard_close(guard);
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "a\nb", "\x7F", "\x01" };
	char long_name[USER_ID_MAX + 2] = "";

	(void)state;
	caller = (struct caller){ .user_id = "anonymous", .counted_as = "anonymous" };
	memset(long_name, 'x', USER_ID_MAX + 1);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(say(bad[i]));
	assert_false(say(long_name));
	assert_string_equal(err.field, "user_id");
	assert_int_equal(err.code, ERROR_VALIDATION);
	assert_true(say(long_name + 1));
}

/* F2: whoever is known says nobody else's name, unless it may. */
static void f2_only_who_may_says_anothers_name(void **state)
{
	const struct caller ada = { .kind = CALLER_USER,
				    .user_id = "ada",
				    .counted_as = "ada",
				    .enforced = true,
				    .scopes = SCOPES_ORDINARY };

	(void)state;
	caller = ada;
	assert_true(say("") && say("ada"));
	assert_false(say("bob"));
	assert_int_equal(err.code, ERROR_ACCESS_DENIED);
	assert_string_equal(err.field, "user_id");
	assert_string_equal(caller.user_id, "ada");

	caller.scopes |= SCOPE_ACT;
	assert_true(say("bob"));
	assert_string_equal(caller.user_id, "bob");
	assert_string_equal(caller.counted_as, "bob");
	assert_true(caller.enforced && !caller.named);

	caller = ada;
	caller.scopes |= SCOPE_ADMIN;
	caller.enforced = false;
	assert_true(say("bob"));
	assert_string_equal(caller.user_id, "bob");
	assert_true(caller.named);
}

static struct slice signed_in_as_ada(const struct request *request, const char *name)
{
	(void)request;
	return strcmp(name, "REMOTE_USER") == 0 ? SLICE("ada") : SLICE("");
}

/* D4: whatever the way in, who gets no memory on it is refused as one who may come again, and is
 * nobody. */
static void d4_without_memory_nobody_gets_in_by_any_way(void **state)
{
	static const struct {
		enum auth_mode mode;
		bool has_key;
		const char *user;
	} rows[] = { { AUTH_none, false, "anonymous" },
		     { AUTH_header, false, "ada" },
		     { AUTH_visitor, true, "key-ci" } };
	char name[] = "REMOTE_USER", text[KEY_TEXT_SIZE];
	const char *key;

	(void)state;
	site_config.auth_header = name;
	assert_true(keys_add(site_folder, "ci", SCOPES_ORDINARY, 0, text, &err));
	key = arena_printf(&arena, "Bearer %s", text);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guard *guard = site_open(rows[i].mode);
		struct arena none;
		struct request request = { .remote_addr = SLICE("192.0.2.7"),
					   .param = signed_in_as_ada,
					   .arena = &none };

		arena_init(&none, 0);
		if (rows[i].has_key)
			request.headers[HEADER_AUTHORIZATION] = slice_of(key);
		caller = (struct caller){ .user_id = "nobody" };
		assert_false(guard_who(guard, &request, ORIGIN_OURS, &response, &caller, &err));
		assert_int_equal(err.code, ERROR_OVERLOADED);
		assert_string_equal(caller.user_id, "nobody");
		assert_int_equal(response.headers.len, 0);
		request.arena = &arena;
		assert_true(guard_who(guard, &request, ORIGIN_OURS, &response, &caller, &err));
		assert_string_equal(caller.user_id, rows[i].user);
		arena_done(&none);
		guard_close(guard);
	}
	site_remove(KEYS_FILE);
}

/* D4 */
static void d4_without_memory_nobody_acts_as_another(void **state)
{
	struct arena none;

	(void)state;
	arena_init(&none, 0);
	caller = (struct caller){ .user_id = "anonymous", .counted_as = "anonymous@192.0.2.7" };
	assert_false(guard_act_as(&none, SLICE("bob"), &caller, &err));
	assert_int_equal(err.code, ERROR_OVERLOADED);
	assert_string_equal(caller.user_id, "anonymous");
	assert_string_equal(caller.counted_as, "anonymous@192.0.2.7");
	arena_done(&none);
}

static void a_tag_is_the_same_for_one_user_and_tells_nothing_of_it(void **state)
{
	char ada[GUARD_TAG_SIZE], again[GUARD_TAG_SIZE], bob[GUARD_TAG_SIZE];
	struct guard *guard = site_open(AUTH_none), *other = site_open(AUTH_none);

	(void)state;
	guard_tag(guard, "ada", ada);
	guard_tag(other, "ada", again);
	guard_tag(guard, "bob", bob);
	assert_string_equal(ada, again);
	assert_string_not_equal(ada, bob);
	assert_int_equal(strlen(ada), GUARD_TAG_SIZE - 1);
	guard_close(other);
	guard_close(guard);
	site_remove("secret");
	guard = site_open(AUTH_none);
	guard_tag(guard, "ada", again);
	assert_string_not_equal(ada, again);
	guard_close(guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(r6_those_without_a_name_are_counted_by_their_address),
		SITE_TEST(a_name_is_counted_wherever_it_comes_from_and_its_address_besides),
		SITE_TEST(what_is_no_name_is_refused),
		SITE_TEST(f2_only_who_may_says_anothers_name),
		SITE_TEST(d4_without_memory_nobody_gets_in_by_any_way),
		SITE_TEST(d4_without_memory_nobody_acts_as_another),
		SITE_TEST(a_tag_is_the_same_for_one_user_and_tells_nothing_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
