/* A visitor is known by a cookie of ours on this host, and by nothing else. */
#include "guard_site.h"

#include "../../src/guard/cookie.h"
#include "base/base64url.h"
#include "base/clock.h"
#include "guard/secret.h"

#define NAME "c1d_visitor"
#define HOST "__Host-c1d_visitor"
#define SITE "chat.example.org"

static struct guard *guard;
static struct caller caller;

static int open_site(void **state)
{
	int failed = site_set_up(state);

	if (!failed)
		guard = site_open(AUTH_visitor);
	return failed;
}

static int close_site(void **state)
{
	guard_close(guard);
	return site_tear_down(state);
}

#define VISITOR_TEST(f) cmocka_unit_test_setup_teardown(f, open_site, close_site)

static struct request request_of(const char *host, const char *cookie, bool is_https)
{
	struct request request = { .arena = &arena,
				   .remote_addr = SLICE("192.0.2.7"),
				   .is_https = is_https };

	request.headers[HEADER_HOST] = slice_of(host);
	request.headers[HEADER_COOKIE] = slice_of(cookie);
	return request;
}

static void ask_request(const struct request *request)
{
	buffer_reset(&response.headers);
	if (!guard_who(guard, request, ORIGIN_OURS, &response, &caller, &err))
		fail_msg("%s", err.detail);
	assert_int_equal(caller.kind, CALLER_VISITOR);
	assert_true(caller.enforced);
}

static const char *user_for(const char *host, const char *cookie, bool is_https)
{
	struct request request = request_of(host, cookie, is_https);

	ask_request(&request);
	return caller.user_id;
}

static const char *set_cookie(void)
{
	return strstr(response.headers.len ? response.headers.data : "", "Set-Cookie: ");
}

/* "name=value" of the cookie that the answer sets. */
static const char *given_cookie(void)
{
	const char *at = set_cookie();

	assert_non_null(at);
	at += strlen("Set-Cookie: ");
	return arena_copy(&arena, (struct slice){ at, strcspn(at, ";") });
}

static const char *new_cookie(const char **user)
{
	*user = user_for(SITE, "", false);
	return given_cookie();
}

/* --- a good one --- */

static void a_new_visitor_gets_a_cookie_and_is_known_by_it(void **state)
{
	const char *first, *second, *cookie = new_cookie(&first);

	(void)state;
	assert_non_null(
		strstr(set_cookie(), "; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax\r\n"));
	assert_null(strstr(set_cookie(), "Secure"));
	assert_int_equal(strlen(first), strlen("visitor-") + 22);
	assert_string_equal(user_for(SITE, cookie, false), first);
	assert_null(set_cookie());
	assert_string_equal(caller.counted_as, first);
	assert_string_equal(caller.also_counted_as, "anonymous@192.0.2.7");
	second = user_for(SITE, "", false);
	assert_string_not_equal(second, first);
}

static void the_host_is_the_same_in_any_case_and_on_any_port(void **state)
{
	const char *user, *cookie = new_cookie(&user);

	(void)state;
	assert_string_equal(user_for("Chat.Example.ORG:8443", cookie, false), user);
	user = user_for("[2001:db8::1]:80", "", false);
	assert_string_equal(user_for("[2001:DB8::1]", given_cookie(), false), user);
	user = user_for("", "", false);
	assert_string_equal(user_for("", given_cookie(), false), user);
}

static void behind_tls_the_name_says_that_no_other_host_has_set_it(void **state)
{
	const char *user = user_for(SITE, "", true), *cookie = given_cookie();
	const char *value = strchr(cookie, '=');

	(void)state;
	assert_true(slice_starts(slice_of(cookie), SLICE(HOST "=")));
	assert_non_null(strstr(set_cookie(), "; SameSite=Lax; Secure\r\n"));
	assert_string_equal(user_for(SITE, cookie, true), user);
	/* The plain name, which another host of the domain can set, is no substitute, nor the other
	 * way round. */
	assert_string_not_equal(user_for(SITE, arena_printf(&arena, NAME "%s", value), true), user);
	assert_string_not_equal(user_for(SITE, cookie, false), user);
}

static void it_is_found_among_others(void **state)
{
	static const char *const around[] = { "a=b; %s; c=d", "%s; " NAME "2=x", "a=\"; %s",
					      "%s;",          ";;; %s",          "=; %s",
					      "a; %s ; b",    NAME "x=1; %s" };
	const char *user, *cookie = new_cookie(&user);

	(void)state;
	for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
		char text[512];
		const char *at = strstr(around[i], "%s");

		snprintf(text, sizeof text, "%.*s%s%s", (int)(at - around[i]), around[i], cookie,
			 at + 2);
		assert_string_equal(user_for(SITE, text, false), user);
	}
}

/* --- a bad one --- */

/* It gives access to nothing: its sender is a new visitor. */
static void is_refused(const char *host, const char *cookie, const char *user)
{
	const char *other = user_for(host, cookie, false);

	if (strcmp(other, user) == 0)
		fail_msg("taken: %s", cookie);
	assert_non_null(set_cookie());
}

static void any_other_letter_makes_it_none_of_ours(void **state)
{
	const char *user, *cookie = new_cookie(&user);
	size_t len = strlen(cookie);

	(void)state;
	for (size_t i = sizeof NAME; i < len; i++) {
		char *forged = arena_text(&arena, cookie);

		forged[i] = cookie[i] == 'A' ? 'B' : 'A';
		is_refused(SITE, forged, user);
		forged[i] = '\0'; /* cut */
		is_refused(SITE, forged, user);
		if (i % 16 == 0) {
			arena_done(&arena);
			arena_init(&arena, 1u << 20);
			cookie = new_cookie(&user);
			len = strlen(cookie);
		}
	}
}

static void another_hosts_is_none_of_ours(void **state)
{
	const char *user, *cookie = new_cookie(&user);

	(void)state;
	is_refused("other.example.org", cookie, user);
	is_refused("chat.example.org.", cookie, user);
	is_refused("", cookie, user);
}

static void what_is_like_it_is_none_of_ours(void **state)
{
	const char *user, *cookie = new_cookie(&user), *value = cookie + sizeof NAME;
	const char *mac = strrchr(value, '.') + 1, *other_user;
	const char *other = arena_text(&arena, new_cookie(&other_user));
	char *long_one = arena_alloc(&arena, 8192 + 64);
	const char *const bad[] = {
		"",
		NAME,
		NAME "=",
		NAME "=v1.",
		NAME "=v1...",
		NAME "=v1.AAAAAAAAAAAAAAAAAAAAAA.1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		arena_printf(&arena, "%s=", cookie),
		arena_printf(&arena, "%s.", cookie),
		arena_printf(&arena, NAME "=\"%s\"", value),
		arena_printf(&arena, NAME "=v2%s", value + 2),
		arena_printf(&arena, NAME "= v1.%.22s.0%s", value + 3, value + 26),
		arena_printf(&arena, NAME "=v1.%.22s.+%s", value + 3, value + 26),
		/* another's name with one's own signature, and the other way round */
		arena_printf(&arena, NAME "=v1.%.22s%s", other + sizeof NAME + 3, value + 25),
		arena_printf(&arena, "%.*s%s", (int)(mac - cookie), cookie,
			     strrchr(other, '.') + 1),
		/* the same bytes, written otherwise */
		arena_printf(&arena, "%.*s%s=", (int)(mac - cookie), cookie, mac),
		arena_printf(&arena, "C1D_VISITOR=%s", value),
		long_one,
	};

	(void)state;
	snprintf(long_one, 64, NAME "=%.26s", value);
	memset(long_one + strlen(long_one), '1', 8192);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		is_refused(SITE, bad[i], user);
}

static void a_nul_ends_nothing(void **state)
{
	const char *user, *cookie = new_cookie(&user);
	struct request request = request_of(SITE, "", false);
	char text[256];
	int n = snprintf(text, sizeof text, "%s%cx", cookie, '\0');

	(void)state;
	request.headers[HEADER_COOKIE] = (struct slice){ text, (size_t)n };
	ask_request(&request);
	assert_string_not_equal(caller.user_id, user);
}

/* The last letter of a signature has two bits, that of an id four bits, that mean nothing. */
static void the_same_bytes_have_one_form_only(void **state)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *user, *cookie = new_cookie(&user);
	size_t last = strlen(cookie) - 1;

	(void)state;
	for (int i = 0; letters[i]; i++) {
		char *other = arena_text(&arena, cookie);

		other[last] = letters[i];
		if (letters[i] != cookie[last])
			is_refused(SITE, other, user);
	}
}

static void two_that_differ_are_nobodys(void **state)
{
	const char *one, *two, *first = arena_text(&arena, new_cookie(&one));
	const char *second = arena_text(&arena, new_cookie(&two)), *both, *user;

	(void)state;
	both = arena_printf(&arena, "%s; %s", first, second);
	user = user_for(SITE, both, false);
	assert_string_not_equal(user, one);
	assert_string_not_equal(user, two);
	/* The same twice, or one beside rubbish, is that one's. */
	assert_string_equal(user_for(SITE, arena_printf(&arena, "%s; %s", first, first), false),
			    one);
	assert_string_equal(user_for(SITE, arena_printf(&arena, NAME "=x; %s", second), false),
			    two);
}

static void of_many_only_the_first_few_are_looked_at(void **state)
{
	const char *user, *cookie = arena_text(&arena, new_cookie(&user));
	const char *junk = NAME "=x; " NAME "=x; " NAME "=x; " NAME "=x; ";

	(void)state;
	assert_string_equal(user_for(SITE, arena_printf(&arena, "%s%s", junk, cookie), false),
			    user);
	assert_string_not_equal(
		user_for(SITE, arena_printf(&arena, "%s%s%s", junk, junk, cookie), false), user);
	assert_null(set_cookie()); /* its own stays where it is */
}

/* --- age --- */

/* As if it had been made so long ago. */
static const char *aged(const char *id, int64_t age_s)
{
	long long made_s = (long long)(clock_wall_ms() / 1000 - age_s);
	const char *text = arena_printf(&arena, "v1.|%s|%lld|" SITE, id, made_s);
	unsigned char mac[SECRET_MAC_SIZE];
	char letters[64];

	assert_true(secret_mac(guard_secrets(guard), "visitor", slice_of(text), mac));
	base64url_write(mac, sizeof mac, letters);
	return arena_printf(&arena, NAME "=v1.%s.%lld.%s", id, made_s, letters);
}

static void who_comes_back_after_a_month_gets_a_new_one_and_stays_the_same(void **state)
{
	const char *user, *id = (new_cookie(&user), user + strlen("visitor-"));

	(void)state;
	assert_string_equal(user_for(SITE, aged(id, 29 * 86400), false), user);
	assert_null(set_cookie());
	assert_string_equal(user_for(SITE, aged(id, 31 * 86400), false), user);
	assert_string_equal(user_for(SITE, given_cookie(), false), user);
	assert_null(set_cookie());
	is_refused(SITE, aged(id, 401 * 86400), user);
}

static void behind_a_rotation_everybody_stays_and_gets_a_new_one(void **state)
{
	const char *user, *cookie = new_cookie(&user);

	(void)state;
	assert_true(secret_rotate(&site_config, &err));
	guard_close(guard); /* as at a restart */
	guard = site_open(AUTH_visitor);
	assert_string_equal(user_for(SITE, cookie, false), user);
	assert_string_not_equal(given_cookie(), cookie);
	assert_string_equal(user_for(SITE, given_cookie(), false), user);
	assert_null(set_cookie());
}

/* --- from elsewhere --- */

static void a_page_elsewhere_is_no_visitor_whatever_it_sends(void **state)
{
	const char *user, *cookie = new_cookie(&user);
	struct request request = request_of(SITE, cookie, false);

	(void)state;
	for (int with = 0; with < 2; with++) {
		request.headers[HEADER_COOKIE] = slice_of(with ? cookie : "");
		request.headers[HEADER_SEC_FETCH_SITE] = SLICE("");
		buffer_reset(&response.headers);
		assert_false(guard_who(guard, &request, ORIGIN_FOREIGN, &response, &caller, &err));
		assert_int_equal(err.code, ERROR_FOREIGN_ORIGIN);
		/* A listed page of another site gets no cookie from its browser, ever. */
		request.headers[HEADER_SEC_FETCH_SITE] = SLICE("cross-site");
		assert_false(guard_who(guard, &request, ORIGIN_LISTED, &response, &caller, &err));
		assert_int_equal(err.code, ERROR_FOREIGN_ORIGIN);
		assert_int_equal(response.headers.len, 0);
	}
	request.headers[HEADER_SEC_FETCH_SITE] = SLICE("same-site");
	assert_true(guard_who(guard, &request, ORIGIN_LISTED, &response, &caller, &err));
	assert_string_equal(caller.user_id, user);
}

/* D4: a request that gets no memory anywhere on the way is refused, and is nobody else's. */
static void d4_without_memory_nobody_is_taken_for_another(void **state)
{
	const char *user, *cookie = new_cookie(&user);
	int refused = 0, served = 0;

	(void)state;
	for (size_t max = 0; max < 16384; max += 64) {
		struct request request = request_of(SITE, cookie, false);
		struct arena small;

		arena_init(&small, max);
		request.arena = &small;
		buffer_reset(&response.headers);
		if (guard_who(guard, &request, ORIGIN_OURS, &response, &caller, &err)) {
			assert_string_equal(caller.user_id, user);
			served++;
		} else {
			assert_int_equal(err.code, ERROR_OVERLOADED);
			assert_null(set_cookie()); /* its own stays where it is */
			refused++;
		}
		arena_done(&small);
	}
	assert_true(refused > 0 && served > 0);
}

/* --- the header --- */

static void cookies_are_told_apart(void **state)
{
	static const struct {
		const char *header, *values[3];
	} rows[] = {
		{ "", { NULL } },
		{ "n", { "" } },
		{ "n=1", { "1" } },
		{ "n=1; n=2", { "1", "2" } },
		{ "n=a=b", { "a=b" } },
		{ "m=n=1; nn=2; N=3; xn=4", { NULL } },
		{ " \tn = 1 ;n=2\t", { "1", "2" } },
		{ ";;n=;", { "" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice rest = slice_of(rows[i].header), value;
		int n = 0;

		while (cookie_next(&rest, "n", &value))
			assert_true(rows[i].values[n] && slice_is(value, rows[i].values[n++]));
		assert_null(rows[i].values[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VISITOR_TEST(a_new_visitor_gets_a_cookie_and_is_known_by_it),
		VISITOR_TEST(the_host_is_the_same_in_any_case_and_on_any_port),
		VISITOR_TEST(behind_tls_the_name_says_that_no_other_host_has_set_it),
		VISITOR_TEST(it_is_found_among_others),
		VISITOR_TEST(any_other_letter_makes_it_none_of_ours),
		VISITOR_TEST(another_hosts_is_none_of_ours),
		VISITOR_TEST(what_is_like_it_is_none_of_ours),
		VISITOR_TEST(a_nul_ends_nothing),
		VISITOR_TEST(the_same_bytes_have_one_form_only),
		VISITOR_TEST(two_that_differ_are_nobodys),
		VISITOR_TEST(of_many_only_the_first_few_are_looked_at),
		VISITOR_TEST(who_comes_back_after_a_month_gets_a_new_one_and_stays_the_same),
		VISITOR_TEST(behind_a_rotation_everybody_stays_and_gets_a_new_one),
		VISITOR_TEST(a_page_elsewhere_is_no_visitor_whatever_it_sends),
		VISITOR_TEST(d4_without_memory_nobody_is_taken_for_another),
		VISITOR_TEST(cookies_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
