/* Rows against what clients send: spellings, types, bounds, and words for what is meant by none. */
#include "../../src/api/shape.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct error err;

static bool check(const struct shape *shape, const char *text)
{
	struct json *body = json_parse(slice_of(text), NULL);
	bool ok;

	assert_non_null(body);
	err = (struct error){ 0 };
	ok = shape_check(shape, body, "", &err);
	assert_int_equal(ok, err.code == ERROR_NONE);
	json_free(body);
	return ok;
}

static void refused(const struct shape *shape, const char *text, const char *field)
{
	assert_false(check(shape, text));
	assert_string_equal(err.field, field);
}

static void each_shape_fits_the_walk(void **state)
{
	static const struct shape *const queries[] = { &query_chat,    &query_stream,
						       &query_threads, &query_messages,
						       &query_runs,    &query_none };

	(void)state;
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		assert_true(queries[i]->count + query_owner.count <= 8);
		for (size_t n = 0; n < queries[i]->count; n++)
			assert_true(queries[i]->fields[n].kind <= FIELD_NUMBER);
	}
}

static void t11_both_spellings_are_taken_and_have_to_agree(void **state)
{
	(void)state;
	assert_true(check(&shape_chat, "{\"thread_id\":\"a\",\"message\":\"x\"}"));
	assert_true(check(&shape_chat, "{\"threadId\":\"a\",\"thread_id\":\"a\"}"));
	assert_true(check(&shape_chat, "{\"threadId\":null,\"thread_id\":\"a\"}"));
	refused(&shape_chat, "{\"threadId\":\"b\",\"thread_id\":\"a\"}", "thread_id");
	assert_true(check(&shape_thread_patch, "{\"id\":\"a\",\"threadId\":7}"));
}

static void t11_an_error_bears_the_name_that_came(void **state)
{
	(void)state;
	refused(&shape_chat, "{\"threadId\":\"a b\"}", "threadId");
	assert_int_equal(err.code, ERROR_BAD_ID);
	refused(&shape_chat, "{\"onDisconnect\":\"fly\"}", "onDisconnect");
	refused(&shape_chat, "{\"prompt\":{\"content\":1}}", "prompt.content");
	refused(&shape_chat, "{\"prompt\":{}}", "prompt.content");
	refused(&shape_message_draft, "{\"role\":\"user\",\"message\":[]}", "message");
}

static void t11_unknown_names_are_refused_at_any_depth(void **state)
{
	(void)state;
	refused(&shape_thread_draft, "{\"titel\":\"x\"}", "titel");
	assert_non_null(strstr(err.detail, "did you mean title?"));
	refused(&shape_thread_draft, "{\"firstMessage\":{\"txt\":1}}", "firstMessage.txt");
	refused(&shape_thread_draft, "{\"\":1}", "");
	assert_true(check(&shape_thread_draft, "{\"metadata\":{\"any\":{\"thing\":1}}}"));
	refused(&shape_thread_patch, "{\"createdat\":1}", "createdat");
	assert_null(strstr(err.detail, "createdAt")); /* what is only echoed is offered to nobody */
}

static void lengths_have_bounds(void **state)
{
	char text[1100];

	(void)state;
	refused(&shape_thread_patch, "{\"title\":\"\"}", "title");
	snprintf(text, sizeof text, "{\"title\":\"%01000d\"}", 0);
	assert_true(check(&shape_thread_patch, text));
	snprintf(text, sizeof text, "{\"title\":\"%01001d\"}", 0);
	refused(&shape_thread_patch, text, "title");
}

static void a16_short_texts_are_counted_in_characters_and_long_ones_in_bytes(void **state)
{
	static const struct field text = { "t", .kind = FIELD_TEXT, .max = 3 };
	static const struct field bytes = { "b", .kind = FIELD_BYTES, .max = 3 };

	(void)state;
	assert_true(field_check_text(&text, "t", SLICE("äöü"), &err));
	assert_false(field_check_text(&text, "t", SLICE("äöüx"), &err));
	assert_string_equal(err.detail, "t is longer than 3 characters.");
	assert_true(field_check_text(&bytes, "b", SLICE("äx"), &err));
	assert_false(field_check_text(&bytes, "b", SLICE("äö"), &err));
	assert_string_equal(err.detail, "b is longer than 3 bytes.");
	assert_string_equal(err.field, "b");
}

static void a16_a_name_holds_no_control_character(void **state)
{
	static const char *const bad[] = { "a\nb", "\x1b[31m", "\x7f", "\t" };
	static const struct field line = { "user_id", .kind = FIELD_LINE, .max = 10 };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(field_check_text(&line, "user_id", slice_of(bad[i]), &err));
	assert_true(field_check_text(&line, "user_id", SLICE("Zoë"), &err));
	refused(&shape_thread_draft, "{\"userId\":\"a\\r\\nb\"}", "userId");
}

static void numbers_keep_to_their_bounds(void **state)
{
	static const struct field row = { "n", .kind = FIELD_NUMBER, .min = 1, .max = 100 };
	static const char *const good[] = { "1", "100", "007" };
	static const char *const bad[] = {
		"0", "101", "-1", "1x", "", "+1", " 1", "1 ", "-", "1.0", "9999999999999999999"
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(field_check_text(&row, "n", slice_of(good[i]), &err));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(field_check_text(&row, "n", slice_of(bad[i]), &err));
}

static void t3_words_for_leaving_are_read_strictly(void **state)
{
	static const char *const bad[] = { "",           "Continue", "grace",
					   "grace:",     "grace:-1", "grace:+1",
					   "grace:3601", "grace: 1", "cancel " };
	enum leave_policy policy;
	int64_t ms;

	(void)state;
	assert_true(leave_parse(SLICE("continue"), &policy, &ms) && policy == LEAVE_CONTINUE);
	assert_true(leave_parse(SLICE("cancel"), &policy, &ms) && policy == LEAVE_CANCEL);
	assert_true(leave_parse(SLICE("grace:90"), &policy, &ms) && policy == LEAVE_GRACE);
	assert_int_equal(ms, 90000);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(leave_parse(slice_of(bad[i]), &policy, &ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shape_fits_the_walk),
		cmocka_unit_test(t11_both_spellings_are_taken_and_have_to_agree),
		cmocka_unit_test(t11_an_error_bears_the_name_that_came),
		cmocka_unit_test(t11_unknown_names_are_refused_at_any_depth),
		cmocka_unit_test(lengths_have_bounds),
		cmocka_unit_test(a16_short_texts_are_counted_in_characters_and_long_ones_in_bytes),
		cmocka_unit_test(a16_a_name_holds_no_control_character),
		cmocka_unit_test(numbers_keep_to_their_bounds),
		cmocka_unit_test(t3_words_for_leaving_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
