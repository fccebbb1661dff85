/*
 * delta: what is read of a chunk, and what is refused.
 */
#include "../../src/llm/delta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buffer scratch;

static bool read_whole(struct slice frame, struct delta *delta)
{
	/* in memory of just its size: a sanitizer sees a look behind the end */
	static char *copy;

	free(copy);
	copy = malloc(frame.len ? frame.len : 1);
	assert_non_null(copy);
	memcpy(copy, frame.ptr, frame.len);
	return delta_read((struct slice){ copy, frame.len }, &scratch, delta);
}

#define READ(text, delta) assert_true(read_whole(SLICE(text), (delta)))
#define REFUSE(text)      assert_false(read_whole(SLICE(text), &(struct delta){ 0 }))

static void expect_content(const char *escaped, struct slice expected)
{
	char frame[512];
	struct delta delta;

	snprintf(frame, sizeof frame, "{\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}", escaped);
	assert_true(read_whole(slice_of(frame), &delta));
	assert_true(slice_equal(delta.content, expected));
}

static void the_usual_chunk_is_read(void **state)
{
	struct delta delta;

	(void)state;
	READ("{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":17e2,\"model\":\"m\","
	     "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},"
	     "\"logprobs\":null,\"finish_reason\":null}]}",
	     &delta);
	assert_true(slice_is(delta.content, "Hi"));
	assert_null(delta.finish_reason.ptr);
	assert_null(delta.error.ptr);
	assert_false(delta.has_usage);
}

static void only_the_first_choice_counts_and_only_its_place(void **state)
{
	struct delta delta;

	(void)state;
	READ("{\"content\":\"no\",\"delta\":{\"content\":\"no\"},\"x\":{\"choices\":[{\"delta\":{"
	     "\"content\":\"no\"}}]},\"choices\":[{\"delta\":{\"tool_calls\":[{\"content\":\"no\"}]"
	     ","
	     "\"content\":\"yes\"}},{\"delta\":{\"content\":\"no\"}}]}",
	     &delta);
	assert_true(slice_is(delta.content, "yes"));
	READ("{\"choices\":[{\"delta\":{\"content\":null}}]}", &delta);
	assert_int_equal(delta.content.len, 0);
	READ("{\"choices\":[{\"delta\":{\"content\":[{\"text\":\"part\"}]}}]}", &delta);
	assert_int_equal(delta.content.len, 0);
	READ("{\"choices\":[]}", &delta);
	READ("{\"choices\":null}", &delta);
	READ("{}", &delta);
	READ(" {\t\"choices\" : [ { \"delta\" : { \"content\" : \"a\" } } ] }\n", &delta);
	assert_true(slice_is(delta.content, "a"));
}

static void escapes_are_undone(void **state)
{
	(void)state;
	expect_content("\\\"\\\\\\/\\b\\f\\n\\r\\t", SLICE("\"\\/\b\f\n\r\t"));
	expect_content("a\\u00e4\\u20AC\\ud83d\\ude80z",
		       SLICE("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x9A\x80z"));
	expect_content("\xC3\xA4", SLICE("\xC3\xA4"));
	expect_content("\\u003ccontent\\u003e", SLICE("<content>"));
}

static void what_is_no_character_becomes_a_replacement(void **state)
{
	(void)state;
	expect_content("a\\ud83dz", SLICE("a\xEF\xBF\xBDz"));
	expect_content("a\\ude80z", SLICE("a\xEF\xBF\xBDz"));
	expect_content("\\ud83d\\ud83d\\ude80", SLICE("\xEF\xBF\xBD\xF0\x9F\x9A\x80"));
	expect_content("\\ud83d\\u0041", SLICE("\xEF\xBF\xBD"
					       "A"));
	expect_content("a\\u0000z", SLICE("a\xEF\xBF\xBDz"));
}

static void an_end_usage_and_an_error_are_seen(void **state)
{
	struct delta delta;

	(void)state;
	READ("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", &delta);
	assert_true(slice_is(delta.finish_reason, "stop"));
	READ("{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_"
	     "tokens\":7,"
	     "\"prompt_tokens_details\":{\"cached_tokens\":1}}}",
	     &delta);
	assert_true(delta.has_usage);
	assert_int_equal(delta.input_tokens, 3);
	assert_int_equal(delta.output_tokens, 4);
	assert_int_equal(delta.total_tokens, 7);
	READ("{\"usage\":null,\"error\":null}", &delta);
	assert_false(delta.has_usage);
	assert_null(delta.error.ptr);
	READ("{\"error\":{\"message\":\"m\",\"code\":500} }", &delta);
	assert_true(slice_is(delta.error, "{\"message\":\"m\",\"code\":500}"));
	assert_true(slice_is(delta.error_code, "500"));
	assert_int_equal(delta.error_type.len, 0);
	READ("{\"error\":{\"type\":\"rate_limit_error\",\"param\":null,\"code\":null,\"message\":"
	     "{\"type\":\"no\"}}}",
	     &delta);
	assert_true(slice_is(delta.error_type, "rate_limit_error"));
	assert_int_equal(delta.error_code.len, 0);
	READ("{\"error\":{\"type\":[\"a\"],\"code\":{\"code\":\"b\"}}}", &delta);
	assert_int_equal(delta.error_type.len + delta.error_code.len, 0);
	READ("{\"error\":\"broken\"}", &delta);
	assert_true(slice_is(delta.error, "\"broken\""));
}

static void b21_tokens_are_clamped_and_never_wrap(void **state)
{
	struct delta delta;

	(void)state;
	READ("{\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":9223372036854775808,"
	     "\"total_tokens\":1e400}}",
	     &delta);
	assert_int_equal(delta.input_tokens, 0);
	assert_int_equal(delta.output_tokens, 9007199254740992);
	assert_int_equal(delta.total_tokens, 9007199254740992);
	READ("{\"usage\":{\"prompt_tokens\":\"12\",\"completion_tokens\":null,\"total_tokens\":{}}"
	     "}",
	     &delta);
	assert_int_equal(delta.input_tokens, -1);
	assert_int_equal(delta.output_tokens, -1);
	assert_int_equal(delta.total_tokens, -1);
}

static void what_is_no_json_object_is_refused(void **state)
{
	char deep[200];

	(void)state;
	REFUSE("");
	REFUSE("hello");
	REFUSE("[]");
	REFUSE("{\"a\":1} x");
	REFUSE("{\"a\":1,}");
	REFUSE("{\"a\" 1}");
	REFUSE("{\"a\":tru}");
	REFUSE("{\"a\":[1,]}");
	REFUSE("{\"a\":\"\n\"}");
	REFUSE("{\"a\":\"\\");
	REFUSE("{\"a\":1\0}");
	REFUSE("{\"choices\":[{\"delta\":{\"content\":\"\\x\"}}]}");
	REFUSE("{\"choices\":[{\"delta\":{\"content\":\"\\u12\"}}]}");
	REFUSE("{\"choices\":[{\"delta\":{\"content\":\"\\u12g4\"}}]}");
	memset(deep, '[', sizeof deep);
	memcpy(deep, "{\"a\":", 5);
	assert_false(read_whole((struct slice){ deep, sizeof deep }, &(struct delta){ 0 }));
}

static void every_prefix_of_a_chunk_is_refused(void **state)
{
	static const char frame[] =
		"{\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\\ude80\\n\"},"
		"\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3},\"error\":null}";

	(void)state;
	for (size_t len = 0; len < sizeof frame - 1; len++)
		assert_false(read_whole((struct slice){ frame, len }, &(struct delta){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_chunk_is_read),
		cmocka_unit_test(only_the_first_choice_counts_and_only_its_place),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(what_is_no_character_becomes_a_replacement),
		cmocka_unit_test(an_end_usage_and_an_error_are_seen),
		cmocka_unit_test(b21_tokens_are_clamped_and_never_wrap),
		cmocka_unit_test(what_is_no_json_object_is_refused),
		cmocka_unit_test(every_prefix_of_a_chunk_is_refused),
	};

	buffer_init(&scratch, 1 << 20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
