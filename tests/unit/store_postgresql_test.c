/* What PostgreSQL's store makes of addresses, of the server's codes, and of what its text cannot
 * hold. No server is asked. */
#include "../../src/store/postgresql/pg_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- addresses --- */

static struct pg_uri uri;

static void read_uri(const char *text)
{
	struct error err = { 0 };

	if (!pg_uri_read(text, &uri, &err))
		fail_msg("%s: %s", text, err.detail);
}

/* What libpq is given under that name for a host; NULL: nothing. */
static const char *given(size_t host, const char *name)
{
	static struct pg_keywords keywords;

	pg_uri_keywords(&uri, host, &keywords);
	for (size_t i = 0; keywords.names[i]; i++)
		if (strcmp(keywords.names[i], name) == 0)
			return keywords.values[i];
	return NULL;
}

static void libpq_is_told_all_that_it_would_look_for_elsewhere(void **state)
{
	(void)state;
	read_uri("postgresql://ada:s%2Fcret@db/x");
	assert_string_equal(given(0, "host"), "db");
	assert_string_equal(given(0, "password"), "s/cret");
	assert_string_equal(given(0, "gssencmode"), "disable");
	assert_string_equal(given(0, "client_encoding"), "UTF8");
	assert_string_equal(given(0, "application_name"), "c1d");
	assert_string_equal(given(0, "passfile"), "/dev/null/none");
	assert_string_equal(given(0, "sslrootcert"), "/dev/null/none");
	assert_int_equal(uri.connections, PG_CONNECTIONS);
	assert_false(uri.is_pooled);
	pg_uri_done(&uri);
}

static void who_verifies_and_names_no_authority_has_the_systems(void **state)
{
	(void)state;
	read_uri("postgres://db/x?sslmode=verify-full");
	assert_string_equal(given(0, "sslrootcert"), "/etc/ssl/certs/ca-certificates.crt");
	pg_uri_done(&uri);
	read_uri("postgres://db/x?sslmode=verify-full&sslrootcert=/ca.pem");
	assert_string_equal(given(0, "sslrootcert"), "/ca.pem");
	pg_uri_done(&uri);
}

static void each_host_has_its_own_port(void **state)
{
	(void)state;
	read_uri("postgresql://one:5001,two,three:5003/x?application_name=mine&connect_timeout=3");
	assert_int_equal(uri.hosts, 3);
	assert_string_equal(given(0, "host"), "one");
	assert_string_equal(given(0, "port"), "5001");
	assert_string_equal(given(1, "host"), "two");
	assert_null(given(1, "port"));
	assert_string_equal(given(2, "port"), "5003");
	assert_string_equal(given(2, "application_name"), "mine");
	assert_null(given(2, "connect_timeout")); /* ours */
	pg_uri_done(&uri);
	read_uri("postgresql:///x?host=/run/postgresql,other&port=5433");
	assert_string_equal(given(0, "host"), "/run/postgresql");
	assert_string_equal(given(1, "host"), "other");
	assert_string_equal(given(1, "port"), "5433");
	pg_uri_done(&uri);
}

static void prismas_options_are_ours_or_passed_over(void **state)
{
	(void)state;
	read_uri("postgresql://db/"
		 "x?schema=tenant_7&connection_limit=5&pool_timeout=2&sslmode=require"
		 "&pgbouncer=false&statement_cache_size=0");
	assert_string_equal(uri.schema, "tenant_7");
	assert_int_equal(uri.connections, 5);
	assert_false(uri.is_pooled);
	assert_string_equal(given(0, "sslmode"), "require");
	assert_null(given(0, "schema"));
	pg_uri_done(&uri);
	read_uri("postgresql://db/x?schema=public&pgbouncer=true");
	assert_true(uri.is_pooled);
	pg_uri_done(&uri);
}

static void an_address_that_is_wrong_is_refused(void **state)
{
	static const char *const wrong[] = {
		"postgresql:x",
		"postgresql://a:hunter2@b@c/x",
		"postgresql://a:hun/ter2@c/x",
		"postgresql://db/x?schema=a;b",
		"postgresql://db/x?schema=",
		"postgresql://db/x?connection_limit=1",
		"postgresql://db/x?connection_limit=5x",
		"postgresql://db/x?pgbouncer=yes",
		"postgresql://db/x?pgbouncer=true&schema=mine",
		"postgresql://db/x?service=s",
		"postgresql://db/x?nonsense=hunter2",
		"postgresql://db/x?sslmode=maybe",
		"postgresql://db:70000/x",
		"postgresql://db:5432x/x",
		"postgresql://a,b/x?port=1,2,3",
		"postgresql://1,2,3,4,5,6,7,8,9/x",
		"postgresql://db/%zz",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct error err = { 0 };

		if (pg_uri_read(wrong[i], &uri, &err))
			fail_msg("%s is taken", wrong[i]);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_null(strstr(err.detail, "hunter2"));
		assert_null(strstr(err.detail, "ter2"));
		pg_uri_done(&uri);
	}
}

/* --- the server's codes --- */

static void codes_of_the_server_mean_one_of_ours(void **state)
{
	static const struct {
		const char *sqlstate;
		enum error_code code;
	} rows[] = {
		{ "23505", ERROR_CONFLICT },      { "53100", ERROR_STORE_FULL },
		{ "57P01", ERROR_STORE_DOWN },    { "57P03", ERROR_STORE_DOWN },
		{ "08006", ERROR_STORE_DOWN },    { "28P01", ERROR_STORE_DOWN },
		{ "3D000", ERROR_STORE_DOWN },    { "25006", ERROR_STORE_DOWN },
		{ "57014", ERROR_STORE_TIMEOUT }, { "55P03", ERROR_STORE_TIMEOUT },
		{ "40001", ERROR_STORE_TIMEOUT }, { "40P01", ERROR_STORE_TIMEOUT },
		{ "42501", ERROR_STORE },         { "22021", ERROR_STORE },
		{ "XX001", ERROR_CORRUPT },       { "XX000", ERROR_STORE },
		{ NULL, ERROR_STORE_DOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(pg_code_of(rows[i].sqlstate), rows[i].code);
}

/* --- U+0000 --- */

static void content_with_a_nul_has_two_columns(void **state)
{
	struct pg_content content;

	(void)state;
	assert_true(pg_content_of(SLICE("plain"), &content));
	assert_true(slice_is(content.text.text, "plain"));
	assert_int_equal(content.bytes.kind, SQL_NULL);
	pg_content_done(&content);
	assert_true(pg_content_of(SLICE("a\0b\0"), &content));
	assert_true(slice_is(content.text.text, "a\xEF\xBF\xBD"
						"b\xEF\xBF\xBD"));
	assert_int_equal(content.bytes.kind, SQL_BYTES);
	assert_true(slice_equal(content.bytes.text, SLICE("a\0b\0")));
	pg_content_done(&content);
}

static void json_loses_the_escape_alone_that_jsonb_does_not_take(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ufffd\"}" },
		{ "{\"a\":\"\\\\u0000\"}", "{\"a\":\"\\\\u0000\"}" },
		{ "{\"a\":\"\\\\\\u0000\\u0000\"}", "{\"a\":\"\\\\\\ufffd\\ufffd\"}" },
		{ "{\"a\":\"\\u00001\"}", "{\"a\":\"\\ufffd1\"}" },
		{ "{}", "{}" },
	};
	char *made;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sql_value value = pg_json_of(rows[i][0], &made);

		assert_string_equal(value.text.ptr, rows[i][1]);
		free(made);
	}
	assert_int_equal(pg_json_of(NULL, &made).kind, SQL_NULL);
	assert_null(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libpq_is_told_all_that_it_would_look_for_elsewhere),
		cmocka_unit_test(who_verifies_and_names_no_authority_has_the_systems),
		cmocka_unit_test(each_host_has_its_own_port),
		cmocka_unit_test(prismas_options_are_ours_or_passed_over),
		cmocka_unit_test(an_address_that_is_wrong_is_refused),
		cmocka_unit_test(codes_of_the_server_mean_one_of_ours),
		cmocka_unit_test(content_with_a_nul_has_two_columns),
		cmocka_unit_test(json_loses_the_escape_alone_that_jsonb_does_not_take),
	};

	return cmocka_run_group_tests_name("postgresql", tests, NULL, NULL);
}
