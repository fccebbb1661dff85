/* store_mongo_uri: what a MongoDB URI may be, what is refused with which words, and what is set
 * where it is silent. */
#include "../../src/store/mongodb/mongo_room.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void refused(const char *text, const char *because)
{
	struct error err = { 0 };

	assert_null(mongo_uri(text, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_non_null(strstr(err.detail, because));
	assert_null(strstr(err.detail, "s3cret"));
}

static void a_password_with_an_at_sign_is_refused_and_not_repeated(void **state)
{
	(void)state;
	refused("mongodb://ada:s3cret@x@db.example/c1d", "%40");
	refused("mongodb://ada:s3cret/x@db.example/c1d", "%40");
}

static void an_unknown_option_is_named(void **state)
{
	(void)state;
	refused("mongodb://ada:s3cret@db.example/c1d?retryWrits=true", "retryWrits");
	refused("mongodb://db.example/?w=1&no", "'no'");
}

static void what_is_no_uri_is_refused(void **state)
{
	(void)state;
	refused("mongodb:db.example", "mongodb://");
	refused("mongodb://", "malformed");
}

/* R31: nothing is saved unless the server says so, and what was saved is what is read. */
static void r31_writes_without_a_word_and_reads_of_the_past_are_refused(void **state)
{
	static const char *const modes[] = { "secondary", "secondaryPreferred", "primaryPreferred",
					     "nearest" };
	char uri[96];

	(void)state;
	refused("mongodb://db.example/?w=0", "w=0");
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		snprintf(uri, sizeof uri, "mongodb://db.example/?readPreference=%s", modes[i]);
		refused(uri, "readPreference");
	}
}

/* R7: one client of the pool is the ping's. */
static void r7_a_pool_of_one_client_is_refused(void **state)
{
	(void)state;
	refused("mongodb://db.example/?maxPoolSize=1", "maxPoolSize=1");
}

static mongoc_uri_t *taken(const char *text)
{
	struct error err = { 0 };
	mongoc_uri_t *uri = mongo_uri(text, &err);

	if (!uri)
		fail_msg("%s: %s", text, err.detail);
	return uri;
}

static void a_silent_uri_gets_short_waits_and_safe_writes(void **state)
{
	mongoc_uri_t *uri = taken("mongodb://db.example");
	const mongoc_write_concern_t *concern = mongoc_uri_get_write_concern(uri);

	(void)state;
	assert_string_equal(mongoc_uri_get_database(uri), "c1d");
	assert_int_equal(mongoc_uri_get_option_as_int32(uri, "serverselectiontimeoutms", 0), 1500);
	assert_int_equal(mongoc_uri_get_option_as_int32(uri, "connecttimeoutms", 0), 1000);
	assert_int_equal(mongoc_uri_get_option_as_int32(uri, "sockettimeoutms", 0), 5000);
	assert_true(mongoc_uri_get_option_as_bool(uri, "retrywrites", false));
	assert_int_equal(mongoc_write_concern_get_w(concern), MONGOC_WRITE_CONCERN_W_MAJORITY);
	assert_true(mongoc_write_concern_get_journal(concern));
	assert_int_equal(mongoc_write_concern_get_wtimeout_int64(concern), 5000);
	mongoc_uri_destroy(uri);
}

static void what_a_uri_says_stays(void **state)
{
	mongoc_uri_t *uri =
		taken("mongodb://ada:s3%40cret@db.example/mine?w=1&journal=false&wtimeoutMS=7"
		      "&retryWrites=false&socketTimeoutMS=9&connectTimeoutMS=8"
		      "&serverSelectionTimeoutMS=6&replicaSet=rs0&tls=true");
	const mongoc_write_concern_t *concern = mongoc_uri_get_write_concern(uri);

	(void)state;
	assert_string_equal(mongoc_uri_get_database(uri), "mine");
	assert_string_equal(mongoc_uri_get_password(uri), "s3@cret");
	assert_int_equal(mongoc_uri_get_option_as_int32(uri, "serverselectiontimeoutms", 0), 6);
	assert_int_equal(mongoc_uri_get_option_as_int32(uri, "connecttimeoutms", 0), 8);
	assert_int_equal(mongoc_uri_get_option_as_int32(uri, "sockettimeoutms", 0), 9);
	assert_false(mongoc_uri_get_option_as_bool(uri, "retrywrites", true));
	assert_int_equal(mongoc_write_concern_get_w(concern), 1);
	assert_false(mongoc_write_concern_get_journal(concern));
	assert_int_equal(mongoc_write_concern_get_wtimeout_int64(concern), 7);
	mongoc_uri_destroy(uri);
	mongoc_uri_destroy(taken("mongodb://db.example/?readPreference=primary&maxPoolSize=2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_with_an_at_sign_is_refused_and_not_repeated),
		cmocka_unit_test(an_unknown_option_is_named),
		cmocka_unit_test(what_is_no_uri_is_refused),
		cmocka_unit_test(r31_writes_without_a_word_and_reads_of_the_past_are_refused),
		cmocka_unit_test(r7_a_pool_of_one_client_is_refused),
		cmocka_unit_test(a_silent_uri_gets_short_waits_and_safe_writes),
		cmocka_unit_test(what_a_uri_says_stays),
	};
	int failed;

	mongoc_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mongoc_cleanup();
	return failed;
}
