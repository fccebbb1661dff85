/* Which page asks: what browsers say, read as they mean it. */
#include "guard/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char listed[] = "https://app.example, http://localhost:5173\thttps://a.b:8443";

struct row {
	const char *site, *origin, *host; /* NULL: the header did not come */
	bool is_https;
	enum origin wanted;
};

static void check(const struct row *rows, size_t count)
{
	const struct config config = { .origins = listed };

	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		struct request request = { .is_https = row->is_https };

		request.headers[HEADER_SEC_FETCH_SITE] = slice_of(row->site);
		request.headers[HEADER_ORIGIN] = slice_of(row->origin);
		request.headers[HEADER_HOST] = slice_of(row->host);
		if (origin_of(&config, &request) != row->wanted)
			fail_msg("%s, Origin %s, Host %s", row->site, row->origin, row->host);
	}
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void r12_a_program_says_nothing_and_is_served(void **state)
{
	static const struct row rows[] = {
		{ NULL, NULL, "h", false, ORIGIN_OURS },
		{ NULL, NULL, NULL, true, ORIGIN_OURS },
	};

	(void)state;
	CHECK(rows);
}

static void r12_what_the_browser_says_of_the_site_goes_first(void **state)
{
	static const struct row rows[] = {
		{ "same-origin", "http://h:1", "other", false, ORIGIN_OURS }, /* a dev server */
		{ "none", NULL, "h", false, ORIGIN_OURS },
		{ "cross-site", "http://h", "h", false, ORIGIN_FOREIGN },
		{ "same-site", "https://sub.h", "h", true, ORIGIN_FOREIGN },
		{ "cross-site", NULL, "h", false, ORIGIN_FOREIGN },
		{ "cross-site", "https://app.example", "h", true, ORIGIN_LISTED },
		{ "same-site", "https://a.b:8443", "a.b", true, ORIGIN_LISTED },
		{ "cross-site", "null", "h", true, ORIGIN_FOREIGN },
		{ "new-word", NULL, "h", true, ORIGIN_FOREIGN },
	};

	(void)state;
	CHECK(rows);
}

static void r12_without_it_the_origin_has_to_be_the_host_that_was_asked(void **state)
{
	static const struct row rows[] = {
		{ NULL, "http://h", "h", false, ORIGIN_OURS },
		{ NULL, "http://H.Example", "h.eXample", false, ORIGIN_OURS },
		{ NULL, "https://h", "h", true, ORIGIN_OURS },
		{ NULL, "https://h", "h", false, ORIGIN_OURS }, /* TLS ended before us */
		{ NULL, "http://h", "h", true, ORIGIN_FOREIGN },
		{ NULL, "http://h:8080", "h:8080", false, ORIGIN_OURS },
		{ NULL, "http://h:8080", "h", false, ORIGIN_OURS }, /* the port was not passed */
		{ NULL, "http://h:8080", "h:8081", false, ORIGIN_FOREIGN },
		{ NULL, "http://h", "h:80", false, ORIGIN_OURS },
		{ NULL, "https://h", "h:443", true, ORIGIN_OURS },
		{ NULL, "https://h", "h:80", true, ORIGIN_FOREIGN },
		{ NULL, "http://[2001:db8::1]:8080", "[2001:db8::1]:8080", false, ORIGIN_OURS },
		{ NULL, "http://[2001:db8::1]", "[2001:db8::1]", false, ORIGIN_OURS },
		{ NULL, "http://[2001:db8::2]", "[2001:db8::1]", false, ORIGIN_FOREIGN },
		{ NULL, "http://h.evil", "h", false, ORIGIN_FOREIGN },
		{ NULL, "http://sub.h", "h", false, ORIGIN_FOREIGN },
		{ NULL, "http://h", NULL, false, ORIGIN_FOREIGN },
		{ NULL, "http://", NULL, false, ORIGIN_FOREIGN },
		{ NULL, "http://", "", false, ORIGIN_FOREIGN },
		{ NULL, "null", "null", false, ORIGIN_FOREIGN },
		{ NULL, "file://", "h", false, ORIGIN_FOREIGN },
		{ NULL, "h", "h", false, ORIGIN_FOREIGN },
		{ NULL, "http://h@evil", "h", false, ORIGIN_FOREIGN },
	};

	(void)state;
	CHECK(rows);
}

static void r12_a_listed_origin_is_meant_exactly(void **state)
{
	static const struct row rows[] = {
		{ NULL, "https://app.example", "h", true, ORIGIN_LISTED },
		{ NULL, "http://localhost:5173", "h", false, ORIGIN_LISTED },
		{ NULL, "http://localhost", "h", false, ORIGIN_FOREIGN },
		{ NULL, "http://app.example", "h", false, ORIGIN_FOREIGN },
		{ NULL, "https://app.example:8443", "h", false, ORIGIN_FOREIGN },
		{ NULL, "https://app.example.evil", "h", false, ORIGIN_FOREIGN },
		{ NULL, "https://app.example,", "h", false, ORIGIN_FOREIGN },
	};

	(void)state;
	CHECK(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r12_a_program_says_nothing_and_is_served),
		cmocka_unit_test(r12_what_the_browser_says_of_the_site_goes_first),
		cmocka_unit_test(r12_without_it_the_origin_has_to_be_the_host_that_was_asked),
		cmocka_unit_test(r12_a_listed_origin_is_meant_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
