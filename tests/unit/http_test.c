/* Requests taken apart, responses that no byte of a client can split, problems as RFC 9457 has
 * them. */
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;
static struct error err;

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

static struct request request_to(const char *target)
{
	struct request request = { .target = slice_of(target), .arena = &arena };

	assert_true(request_split_target(&request, &err));
	return request;
}

static void targets_are_split_at_the_first_question_mark(void **state)
{
	struct request request = request_to("/api/threads?a=1?b&c");

	(void)state;
	assert_true(slice_is(request.path, "/api/threads"));
	assert_true(slice_is(request.query, "a=1?b&c"));
	request = request_to("/x");
	assert_int_equal(request.query.len, 0);
}

static void targets_that_are_none_are_refused(void **state)
{
	const char *const bad[] = { "", "x", "http://x/", "/a b", "/\xC3\xA4", "/a\tb", "*" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct request request = { .target = slice_of(bad[i]), .arena = &arena };

		assert_false(request_split_target(&request, &err));
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
	}
}

static void parameters_come_one_by_one_as_they_stand(void **state)
{
	struct request request = request_to("/x?a=1%20&&b&c=&=d&a=2=3&");
	static const char *const expected[][2] = {
		{ "a", "1%20" }, { "b", "" }, { "c", "" }, { "", "d" }, { "a", "2=3" }
	};
	struct slice rest = request.query, name, value;

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		assert_true(request_next_param(&rest, &name, &value));
		assert_true(slice_is(name, expected[i][0]));
		assert_true(slice_is(value, expected[i][1]));
	}
	assert_false(request_next_param(&rest, &name, &value));
}

static enum error_code decode(const char *text, const char *expected)
{
	struct slice value;

	err = (struct error){ 0 };
	if (!request_decode(&arena, slice_of(text), true, &value, &err))
		return err.code;
	assert_string_equal(value.ptr, expected);
	return ERROR_NONE;
}

static void parameters_are_decoded_or_refused(void **state)
{
	(void)state;
	assert_int_equal(decode("a%20b+c%C3%A4", "a b c\xC3\xA4"), ERROR_NONE);
	assert_int_equal(decode("", ""), ERROR_NONE);
	assert_int_equal(decode("%", ""), ERROR_BAD_REQUEST);
	assert_int_equal(decode("%2", ""), ERROR_BAD_REQUEST);
	assert_int_equal(decode("%zz", ""), ERROR_BAD_REQUEST);
	assert_int_equal(decode("%00", ""), ERROR_BAD_REQUEST);
	assert_int_equal(decode("%ff", ""), ERROR_BAD_UTF8);
}

/* What /metrics says of a family without labels. */
static bool counted(const struct shm *shm, const char *line)
{
	struct buffer out;
	bool found;

	buffer_init(&out, 1u << 20);
	assert_true(metrics_render(shm, false, &out));
	found = strstr(out.data, line);
	buffer_done(&out);
	return found;
}

static void A18_headers_take_no_control_character(void **state)
{
	struct response response;
	struct shm *shm = shm_map(NULL, NULL);

	(void)state;
	assert_non_null(shm);
	metrics_attach(&shm->supervisor);
	log_setup(LOG_ERROR - 1, LOG_JSON, false);
	response_init(&response);
	assert_false(response.header_refused);
	assert_true(response_header(&response, "X-A", SLICE("b c")));
	assert_false(response_header(&response, "X-B", SLICE("b\r\nSet-Cookie: x=1")));
	assert_false(response_header(&response, "X-C", SLICE("b\0c")));
	assert_false(response_headerf(&response, "X-D", "%s", "\x7f"));
	assert_string_equal(response.headers.data, "X-A: b c\r\n");
	assert_true(response.header_refused);
	assert_true(counted(shm, "c1d_header_injection_blocked_total 3\n"));
	response_done(&response);
	metrics_attach(NULL);
	shm_unmap(shm);
}

static void a_problem_says_what_and_where(void **state)
{
	struct response response;
	struct json *body;

	(void)state;
	response_init(&response);
	response_header(&response, "Allow", SLICE("GET, POST"));
	response_keep(&response);
	response_json(&response, 200);
	buffer_append(&response.body, SLICE("{\"half\":"));
	error_field(&err, ERROR_VALIDATION, "thread_id", "No \"%s\".", "x");
	err.retry_after_s = 3;
	problem_response(&err, "0123", &response);
	assert_int_equal(response.status, 422);
	assert_non_null(
		strstr(response.headers.data, "Content-Type: application/problem+json\r\n"));
	assert_non_null(strstr(response.headers.data, "Allow: GET, POST\r\n"));
	assert_non_null(strstr(response.headers.data, "Retry-After: 3\r\n"));
	assert_null(strstr(response.headers.data, "application/json"));
	body = json_parse(buffer_slice(&response.body), NULL);
	assert_non_null(body);
	assert_true(slice_is(json_text(json_get(body, "code")), "validation"));
	assert_true(slice_is(json_text(json_get(body, "detail")), "No \"x\"."));
	assert_true(slice_is(json_text(json_get(body, "request_id")), "0123"));
	assert_non_null(
		strstr(response.body.data,
		       "\"errors\":[{\"field\":\"thread_id\",\"reason\":\"No \\\"x\\\".\"}]"));
	json_free(body);
	response_done(&response);
}

static void every_code_has_a_word_that_leads_back(void **state)
{
	(void)state;
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		assert_int_equal(error_of_word(error_word((enum error_code)code)), code);
		assert_true(error_status((enum error_code)code) >= 200);
		assert_true(error_title((enum error_code)code)[0] != '\0');
	}
	assert_int_equal(error_of_word("no such word"), ERROR_INTERNAL);
}

/* A 503 without Retry-After leaves a client alone with its question. */
static void whatever_is_503_says_when_to_try_again(void **state)
{
	struct response response;

	(void)state;
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		if (error_status((enum error_code)code) != 503)
			continue;
		response_init(&response);
		error_set(&err, (enum error_code)code, "Something.");
		problem_response(&err, "0123", &response);
		assert_non_null(strstr(response.headers.data, "Retry-After: 1\r\n"));
		response_done(&response);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(targets_are_split_at_the_first_question_mark),
		TEST(targets_that_are_none_are_refused),
		TEST(parameters_are_decoded_or_refused),
		TEST(parameters_come_one_by_one_as_they_stand),
		TEST(A18_headers_take_no_control_character),
		TEST(a_problem_says_what_and_where),
		TEST(every_code_has_a_word_that_leads_back),
		TEST(whatever_is_503_says_when_to_try_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
