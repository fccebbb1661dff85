/* What Firestore answers, and metadata that other programs stored as text: RFC 8259 to the letter,
 * since such a text is sent on as it is. */
#include "../../src/store/firestore/firestore_json.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

/* From memory that ends where the text does: a sanitizer sees each byte behind it. */
static const struct firestore_json *read_text(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	const struct firestore_json *root;

	assert_non_null(copy);
	memcpy(copy, text, len);
	root = firestore_json(copy, len, &arena);
	free(copy);
	return root;
}

static bool is_json(const char *text)
{
	return read_text(text, strlen(text)) != NULL;
}

static void numbers_are_those_of_json(void **state)
{
	static const char *const good[] = {
		"0",   "-0",   "7",        "-12",   "1.5", "0.001",
		"1e9", "1E+9", "-1.5e-10", "[1,2]", " 3 ", "{\"a\":0}"
	};
	static const char *const bad[] = { "-",    "+1",   "01",        "-01",   "1.",  ".5",
					   "1.e3", "1e",   "1e+",       "1e1.5", "0x1", "-nan",
					   "1a",   "--1",  "1-1",       "nan",   "tru", "-Infinity",
					   "1 2",  "True", "{\"a\":-x}" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!is_json(good[i]))
			fail_msg("%s is JSON", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (is_json(bad[i]))
			fail_msg("%s is no JSON", bad[i]);
}

static void strings_are_those_of_json(void **state)
{
	static const char *const bad[] = { "\"",          "\"a",
					   "\"\\",        "\"\\\"",
					   "\"\\u\"",     "\"\\u12\"",
					   "\"\\x41\"",   "\"\\ud800\"",
					   "\"\\udc00\"", "\"\\ud800\\u0041\"",
					   "\"\\ud800\\", "\"\\ud83d\\ude0",
					   "\"\t\"" };
	char text[] = "\"\\ud83d\\ude00 \\u00e9\\u20ac\\n\\/\\u0000.\"";
	const struct firestore_json *root = firestore_json(text, sizeof text - 1, &arena);
	static const char is[] = "\xF0\x9F\x98\x80 \xC3\xA9\xE2\x82\xAC\n/\0.";

	(void)state;
	assert_non_null(root);
	assert_int_equal(root->text.len, sizeof is - 1);
	assert_memory_equal(root->text.ptr, is, sizeof is - 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (is_json(bad[i]))
			fail_msg("%s is no JSON", bad[i]);
}

static void what_is_cut_anywhere_is_no_json(void **state)
{
	static const char whole[] =
		"[{\"document\":{\"name\":\"a\\u00e9\",\"fields\":{\"n\":{\"integerValue\":\"1\"},"
		"\"x\":{\"nullValue\":null},\"l\":{\"arrayValue\":{\"values\":[{\"booleanValue\":"
		"true}]}}}}},{}]";

	(void)state;
	assert_non_null(read_text(whole, sizeof whole - 1));
	for (size_t len = 0; len < sizeof whole - 1; len++)
		if (read_text(whole, len))
			fail_msg("%zu bytes of it are no JSON", len);
}

static void depth_has_a_bound(void **state)
{
	char text[100000];

	(void)state;
	memset(text, '[', sizeof text);
	assert_null(read_text(text, sizeof text));
	memset(text, '[', 60);
	memset(text + 60, ']', 60);
	assert_non_null(read_text(text, 120));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(numbers_are_those_of_json),
		TEST(strings_are_those_of_json),
		TEST(what_is_cut_anywhere_is_no_json),
		TEST(depth_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
