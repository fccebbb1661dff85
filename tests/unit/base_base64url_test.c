/* base64url has one form for each run of bytes. */
#include "base/base64url.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_was_written_is_read(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "f", "Zg" },
		{ "fo", "Zm8" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xFB\xEF\xBE", "----" },
		{ "\xFF\xFF", "__8" },
	};
	char letters[32], bytes[32];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice plain = slice_of(rows[i][0]);

		base64url_write(plain.ptr, plain.len, letters);
		assert_string_equal(letters, rows[i][1]);
		assert_int_equal(strlen(letters), BASE64URL_LEN(plain.len));
		assert_true(base64url_read(slice_of(letters), bytes, sizeof bytes, &len));
		assert_true(slice_equal(plain, (struct slice){ bytes, len }));
	}
}

static void e10_no_other_form_is_read(void **state)
{
	static const char *const bad[] = {
		"A",    "AAAAA", "Zg==", "Zm8=",   "Z g",      "Zg\n", "Zm9v+",
		"Zm9/", "Zh",    "Zm9",  "Zm9vYh", "\xC3\xA4", "Zg.",
	};
	char bytes[32];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(base64url_read(slice_of(bad[i]), bytes, sizeof bytes, &len));
	assert_false(base64url_read((struct slice){ "AA\0A", 4 }, bytes, sizeof bytes, &len));
}

static void every_text_of_three_letters_that_is_read_is_written_so(void **state)
{
	char text[4] = "", bytes[3], again[8];
	size_t len;
	int read = 0;

	(void)state;
	for (int i = 0; i < 128 * 128 * 128; i++) {
		text[0] = (char)(i >> 14), text[1] = (char)(i >> 7 & 127),
		text[2] = (char)(i & 127);
		if (!base64url_read((struct slice){ text, 3 }, bytes, sizeof bytes, &len))
			continue;
		base64url_write(bytes, len, again);
		assert_string_equal(again, text);
		read++;
	}
	assert_int_equal(read, 65536);
}

static void nothing_is_written_beyond_what_there_is(void **state)
{
	char *bytes = malloc(3); /* the sanitizer watches its end */
	size_t len;

	(void)state;
	assert_true(base64url_read(SLICE("AAAA"), bytes, 3, &len));
	assert_false(base64url_read(SLICE("AAAAAA"), bytes, 3, &len));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(e10_no_other_form_is_read),
		cmocka_unit_test(every_text_of_three_letters_that_is_read_is_written_so),
		cmocka_unit_test(nothing_is_written_beyond_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
