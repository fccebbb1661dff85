/* Who is counted for what, and what is told of it. Rates are by the day here, so that nothing is
 * paid off while a test runs. */
#include "guard/limit.h"

#include "guard_site.h"
#include <string.h>

static struct shm *shm;
static struct guard *guard;
static struct limit_taken taken;
static struct caller caller;

static int set_up(void **state)
{
	if (site_set_up(state) != 0)
		return -1;
	site_config.auth_modes[0] = AUTH_none;
	site_config.auth_mode_count = 1;
	shm = shm_map(NULL, NULL);
	guard = guard_open(&site_config, shm, &err);
	return guard ? 0 : -1;
}

static int tear_down(void **state)
{
	guard_close(guard);
	shm_unmap(shm);
	return site_tear_down(state);
}

static struct rate a_day(int64_t count)
{
	return (struct rate){ count, 86400 };
}

static struct caller user(const char *name)
{
	return (struct caller){ .kind = CALLER_USER, .user_id = name, .counted_as = name };
}

static struct caller visitor(const char *name, const char *address, const char *wider)
{
	return (struct caller){ .kind = CALLER_VISITOR,
				.user_id = name,
				.counted_as = name,
				.also_counted_as = address,
				.wider_counted_as = wider };
}

static bool take(struct caller who, enum limit_policy policy)
{
	response.kept = 0;
	response_restart(&response);
	return limit_take(guard, &who, policy, &response, &taken, &err);
}

static int take_many(struct caller who, enum limit_policy policy, int times)
{
	int ok = 0;

	for (int i = 0; i < times; i++)
		ok += take(who, policy);
	return ok;
}

/* All of them, and how long until there is more: that gets less while the test runs. */
static void headers_are(const char *wanted, int64_t more_s)
{
	struct slice headers = buffer_slice(&response.headers);
	size_t len = strlen(wanted);
	int64_t told_s;

	assert_int_equal(response.kept, headers.len);
	if (!slice_starts(headers, slice_of(wanted)))
		fail_msg("%.*s is not %s", SLICE_ARG(headers), wanted);
	told_s = strtoll(headers.ptr + len, NULL, 10);
	assert_true(more_s == 0 ? headers.len == len : told_s > more_s - 600 && told_s <= more_s);
}

static void each_user_has_its_own_and_is_told_what_is_left(void **state)
{
	(void)state;
	site_config.limit_chat = a_day(2);
	site_config.runs_per_user = 5;
	assert_true(take(user("ada"), LIMIT_CHAT));
	headers_are("RateLimit-Policy: \"chat\";q=2;w=86400, "
		    "\"runs\";q=5;qu=\"concurrent-requests\"\r\n"
		    "RateLimit: \"chat\";r=1;t=",
		    43200);
	assert_true(take(user("ada"), LIMIT_CHAT));
	assert_false(take(user("ada"), LIMIT_CHAT));
	headers_are("RateLimit-Policy: \"chat\";q=2;w=86400, "
		    "\"runs\";q=5;qu=\"concurrent-requests\"\r\n"
		    "RateLimit: \"chat\";r=0;t=",
		    43200);
	assert_int_equal(err.code, ERROR_RATE_LIMITED);
	assert_in_range(err.retry_after_s, 43200 - 600, 43200);
	assert_string_equal(err.policy, "chat");
	assert_string_equal(err.detail, "There may be 2 questions a day. Try again in 12 hours.");
	assert_true(take(user("bob"), LIMIT_CHAT));
}

static void what_is_off_is_neither_counted_nor_told(void **state)
{
	(void)state;
	assert_int_equal(take_many(user("ada"), LIMIT_READ, 1000), 1000);
	headers_are("", 0);
	assert_false(taken.any);
	limit_give_back(guard, &(struct caller){ .user_id = "ada", .counted_as = "ada" }, &taken);
}

static void reading_and_changing_are_counted_apart(void **state)
{
	(void)state;
	site_config.limit_read = a_day(3);
	site_config.limit_write = a_day(2);
	assert_int_equal(take_many(user("ada"), LIMIT_READ, 10), 3);
	assert_string_equal(err.policy, "read");
	assert_int_equal(take_many(user("ada"), LIMIT_WRITE, 10), 2);
	assert_string_equal(err.policy, "write");
	assert_int_equal(take_many(user("ada"), LIMIT_CHAT, 10), 10);
}

static void f7_throwing_the_cookie_away_buys_nothing(void **state)
{
	char name[32];
	int ok = 0;

	(void)state;
	site_config.limit_chat = a_day(10);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "visitor-%d", i);
		ok += take(visitor(name, "anonymous@192.0.2.7", NULL), LIMIT_CHAT);
	}
	assert_int_equal(ok, 10);
	assert_true(take(visitor("visitor-1", "anonymous@192.0.2.8", NULL), LIMIT_CHAT));
}

static void f7_a_48_may_ten_times_as_much(void **state)
{
	char name[32], address[64];
	int ok = 0;

	(void)state;
	site_config.limit_chat = a_day(10);
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof name, "visitor-%d", i);
		snprintf(address, sizeof address, "anonymous@2001:db8:0:%d::/64", i);
		ok += take(visitor(name, address, "anonymous@2001:db8::/48"), LIMIT_CHAT);
	}
	assert_int_equal(ok, 100);
	assert_true(take(
		visitor("visitor-x", "anonymous@2001:db8:1:1::/64", "anonymous@2001:db8:1::/48"),
		LIMIT_CHAT));
}

/* The address is spent; each of its visitors has all of its own. */
static void what_one_count_refuses_the_others_do_not_count(void **state)
{
	(void)state;
	site_config.limit_chat = a_day(10);
	site_config.limit_site = a_day(25);
	assert_int_equal(take_many(visitor("v1", "a1", NULL), LIMIT_CHAT, 30), 10);
	assert_int_equal(take_many(visitor("v2", "a1", NULL), LIMIT_CHAT, 30), 0);
	assert_int_equal(take_many(visitor("v2", "a2", NULL), LIMIT_CHAT, 30), 10);
	/* The site has five left, its refusals are nobody's. */
	assert_int_equal(take_many(visitor("v3", "a3", NULL), LIMIT_CHAT, 30), 5);
	assert_string_equal(err.policy, "site");
	assert_string_equal(
		err.detail,
		"There may be 25 questions to this site a day. Try again in 58 minutes.");
	site_config.limit_site = a_day(0);
	assert_int_equal(take_many(visitor("v3", "a3", NULL), LIMIT_CHAT, 30), 5);
}

static void f1_a_name_like_an_address_is_not_that_address(void **state)
{
	struct caller nobody = { .kind = CALLER_ANYBODY,
				 .user_id = "anonymous",
				 .counted_as = "anonymous@192.0.2.7" };

	(void)state;
	site_config.limit_chat = a_day(3);
	assert_int_equal(take_many(user("anonymous@192.0.2.7"), LIMIT_CHAT, 9), 3);
	assert_int_equal(take_many(nobody, LIMIT_CHAT, 9), 3);
	/* With a name besides, the address is spent. */
	nobody.named = true;
	nobody.also_counted_as = nobody.counted_as;
	nobody.counted_as = "ada";
	assert_int_equal(take_many(nobody, LIMIT_CHAT, 9), 0);
}

static void what_is_given_back_may_be_used(void **state)
{
	struct caller v = visitor("v", "a", NULL);

	(void)state;
	site_config.limit_chat = a_day(2);
	site_config.limit_site = a_day(2);
	assert_int_equal(take_many(v, LIMIT_CHAT, 2), 2);
	limit_give_back(guard, &v, &taken);
	assert_int_equal(take_many(v, LIMIT_CHAT, 9), 1);
	limit_give_back(guard, &v, &taken); /* it was refused: nothing to give */
	assert_int_equal(take_many(v, LIMIT_CHAT, 9), 0);
}

static void e11_bad_credentials_are_counted_by_address(void **state)
{
	struct request request = { .arena = &arena, .remote_addr = SLICE("2001:db8::1") };

	(void)state;
	site_config.limit_failed = a_day(4);
	for (int i = 0; i < 4; i++) {
		assert_true(limit_failed_allows(guard, &request, &err));
		assert_true(limit_failed_take(guard, &request, &err));
	}
	/* One that was let in before the fourth was counted. */
	assert_false(limit_failed_take(guard, &request, &err));
	request.remote_addr = SLICE("2001:db8::2"); /* the same /64 */
	assert_false(limit_failed_allows(guard, &request, &err));
	assert_int_equal(err.code, ERROR_RATE_LIMITED);
	assert_string_equal(err.policy, "failed");
	assert_true(err.retry_after_s > 0);
	request.remote_addr = SLICE("192.0.2.7");
	assert_true(limit_failed_allows(guard, &request, &err));
	site_config.limit_failed = a_day(0);
	request.remote_addr = SLICE("2001:db8::2");
	assert_true(limit_failed_allows(guard, &request, &err));
}

/* The address that guard_who finds, and the network around it. */
static void f7_who_comes_from_where(void **state)
{
	struct request request = { .arena = &arena, .remote_addr = SLICE("2001:db8:1:2:3::4") };

	(void)state;
	assert_true(guard_who(guard, &request, ORIGIN_OURS, &response, &caller, &err));
	assert_string_equal(caller.counted_as, "anonymous@2001:db8:1:2::/64");
	assert_string_equal(caller.wider_counted_as, "anonymous@2001:db8:1::/48");
	request.remote_addr = SLICE("::ffff:192.0.2.7");
	assert_true(guard_who(guard, &request, ORIGIN_OURS, &response, &caller, &err));
	assert_string_equal(caller.counted_as, "anonymous@192.0.2.7");
	assert_null(caller.wider_counted_as);
}

/* Else each start of Redis, which makes its socket anew, would be taken for a replaced file. */
static void f18_a_socket_of_redis_is_no_file_to_watch(void **state)
{
	struct config config = { .redis = { .path = "/run/redis/redis.sock" } };
	struct reach reach;

	(void)state;
	reach_init(&reach);
	limit_reach(&config, &reach);
	assert_int_equal(reach.path_count, 0);
	config.redis = (struct redis_url){ .host = "redis.example.com", .port = 6380 };
	limit_reach(&config, &reach);
	assert_int_equal(reach.path_count, 0);
	assert_int_equal(reach.port_count, 1);
	assert_int_equal(reach.ports[0], 6380);
	reach_done(&reach);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_user_has_its_own_and_is_told_what_is_left),
		TEST(what_is_off_is_neither_counted_nor_told),
		TEST(reading_and_changing_are_counted_apart),
		TEST(f7_throwing_the_cookie_away_buys_nothing),
		TEST(f7_a_48_may_ten_times_as_much),
		TEST(what_one_count_refuses_the_others_do_not_count),
		TEST(f1_a_name_like_an_address_is_not_that_address),
		TEST(what_is_given_back_may_be_used),
		TEST(e11_bad_credentials_are_counted_by_address),
		TEST(f7_who_comes_from_where),
		TEST(f18_a_socket_of_redis_is_no_file_to_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
