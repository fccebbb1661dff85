/* JSON: what is not strictly right is refused where it is wrong; what is written can be read again.
 */
#include "base/json.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void refused(struct slice text, enum error_code code, int at)
{
	struct error err = { 0 };
	char offset[32];

	if (json_parse(text, &err))
		fail_msg("taken: %.*s", SLICE_ARG(text));
	snprintf(offset, sizeof offset, "byte %d", at);
	if (err.code != code || !strstr(err.detail, offset))
		fail_msg("%.40s: %s %s, not %s", text.ptr, error_word(err.code), err.detail,
			 offset);
}

#define BAD(text, at) refused(SLICE(text), ERROR_BAD_JSON, (at))

static void what_is_no_json_is_refused_at_its_byte(void **state)
{
	(void)state;
	BAD("", 0);
	BAD("  ", 2);
	BAD("{", 1);
	BAD("{\"a\"}", 4);
	BAD("{\"a\":}", 5);
	BAD("{\"a\":1,}", 7);
	BAD("[1,]", 3);
	BAD("[1 2]", 3);
	BAD("nul", 0);
	BAD("True", 0);
	BAD("01", 1);
	BAD("-", 1);
	BAD("1.", 2);
	BAD("1e", 2);
	BAD(".5", 0);
	BAD("+1", 0);
	BAD("NaN", 0);
	BAD("Infinity", 0);
	BAD("1e999", 5);
	BAD("\"a", 2);
	BAD("\"\\x\"", 3);
	BAD("\"\t\"", 1);
	BAD("\"\\u12\"", 3);
	BAD("\"\\u0000\"", 3);
	BAD("\"\\ud800\"", 7);
	BAD("\"\\ud800\\u0041\"", 7);
	BAD("\"\\udc00\"", 7);
	BAD("1 2", 2);
	BAD("{} x", 3);
	BAD("\xEF\xBB\xBF{}", 0);
	BAD("/* */1", 0);
	BAD("'a'", 0);
	BAD("{a:1}", 1);
	refused(SLICE("\"\xFF\""), ERROR_BAD_UTF8, 1);
	refused(SLICE("\"\xED\xA0\x80\""), ERROR_BAD_UTF8, 1);
}

static void a_key_that_occurs_twice_is_refused(void **state)
{
	struct json *root;

	(void)state;
	refused(SLICE("{\"a\":1,\"a\":2}"), ERROR_DUPLICATE_KEY, 8);
	refused(SLICE("{\"a\":1,\"\\u0061\":2}"), ERROR_DUPLICATE_KEY, 8);
	refused(SLICE("{\"x\":[{\"k\":1},{\"k\":1,\"l\":{\"k\":1},\"k\":2}]}"), ERROR_DUPLICATE_KEY,
		34);
	root = json_parse(SLICE("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}],\"A\":3}"), NULL);
	assert_non_null(root);
	json_free(root);
}

static bool is_taken(const struct buffer *text)
{
	struct json *root = json_parse(buffer_slice(text), NULL);

	json_free(root);
	return root != NULL;
}

static void depth_and_keys_have_a_bound(void **state)
{
	struct buffer text;

	(void)state;
	buffer_init(&text, 1u << 20);
	for (int extra = 0; extra < 2; extra++) {
		buffer_reset(&text);
		for (int i = 0; i < JSON_DEPTH_MAX + extra; i++)
			buffer_append_char(&text, '[');
		for (int i = 0; i < JSON_DEPTH_MAX + extra; i++)
			buffer_append_char(&text, ']');
		assert_int_equal(is_taken(&text), extra == 0);
		buffer_reset(&text);
		for (int i = 0; i < JSON_KEYS_MAX + extra; i++)
			buffer_appendf(&text, "%c\"k%d\":%d", i ? ',' : '{', i, i);
		buffer_append_char(&text, '}');
		assert_int_equal(is_taken(&text), extra == 0);
		buffer_reset(&text);
		buffer_appendf(&text, "{\"%0*d\":1}", JSON_KEY_MAX + extra, 0);
		assert_int_equal(is_taken(&text), extra == 0);
	}
	buffer_done(&text);
}

static void values_are_read(void **state)
{
	struct json *root = json_parse(SLICE(" {\"t\":\"a\\u00e4\\ud83d\\ude00\\n\",\"y\":true,"
					     "\"n\":null,\"o\":{\"x\":[]}} "),
				       NULL);

	(void)state;
	assert_non_null(root);
	assert_true(slice_is(json_text(json_get(root, "t")), "a\xC3\xA4\xF0\x9F\x98\x80\n"));
	assert_true(json_true(json_get(root, "y")));
	assert_int_equal(json_type(json_get(root, "n")), JSON_NULL);
	assert_int_equal(json_type(json_get(json_get(root, "o"), "x")), JSON_ARRAY);
	assert_null(json_get(root, "T")); /* case counts */
	assert_null(json_get(NULL, "x"));
	assert_int_equal(json_text(json_get(root, "y")).len, 0);
	json_free(root);
}

static void r25_numbers_are_printed_as_they_came(void **state)
{
	static const char *const texts[] = {
		"9007199254740993",
		"[9007199254740991,-0,1.0,1.50,1e2,1E+2,2e-7,0.1]",
		"{\"a1\":\"2 \\\"3\\\" \\\\\",\"b\":{\"4\":5,\"c\":[6,\"7\",8]},\"d\":9}",
		"[123456789012345678901234567890,\"-1\",[[-2.5]],{}]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct json *root = json_parse(slice_of(texts[i]), NULL);
		struct buffer out;

		assert_non_null(root);
		buffer_init(&out, 4096);
		assert_true(json_print(root, &out));
		assert_string_equal(out.data, texts[i]);
		buffer_done(&out);
		json_free(root);
	}
}

static void r11_values_have_a_bound(void **state)
{
	static char text[2 * JSON_VALUES_MAX + 8];
	struct error err = { 0 };
	struct json *root;

	(void)state;
	memset(text, '0', sizeof text);
	text[0] = '[';
	for (size_t i = 2; i < 2 * (JSON_VALUES_MAX - 1); i += 2)
		text[i] = ',';
	text[2 * (JSON_VALUES_MAX - 1)] = ']';
	root = json_parse((struct slice){ text, 2 * (JSON_VALUES_MAX - 1) + 1 }, &err);
	assert_non_null(root);
	assert_int_equal(json_type(root), JSON_ARRAY);
	json_free(root);
	text[2 * (JSON_VALUES_MAX - 1)] = ',';
	text[2 * JSON_VALUES_MAX] = ']';
	assert_null(json_parse((struct slice){ text, 2 * JSON_VALUES_MAX + 1 }, &err));
	assert_int_equal(err.code, ERROR_BAD_JSON);
}

static void what_is_written_is_read_again(void **state)
{
	const char hostile[] = "\"\\/\b\f\n\r\t\x01\x1f\x7f <\xE2\x80\xA8> \xF0\x9F\x98\x80";
	struct json_writer w;
	struct buffer out;
	struct json *root;

	(void)state;
	buffer_init(&out, 4096);
	json_writer_init(&w, &out);
	json_open(&w, '{');
	json_put_text(&w, "text", hostile);
	json_put_text(&w, "none", NULL);
	json_put_int(&w, "least", INT64_MIN);
	json_put_bool(&w, "yes", true);
	json_put_time(&w, "time", 1700000000123);
	json_put_raw(&w, "raw", "{\"a\":[1,2]}");
	json_key(&w, "list");
	json_open(&w, '[');
	json_int(&w, 1);
	json_null(&w);
	json_open(&w, '{');
	json_close(&w, '}');
	json_close(&w, ']');
	json_close(&w, '}');
	root = json_parse(buffer_slice(&out), NULL);
	assert_non_null(root);
	assert_true(slice_is(json_text(json_get(root, "text")), hostile));
	assert_true(slice_is(json_text(json_get(root, "time")), "2023-11-14T22:13:20.123Z"));
	assert_non_null(strstr(out.data, "\"least\":-9223372036854775808,"));
	assert_non_null(strstr(out.data, "\"list\":[1,null,{}]}"));
	json_free(root);
	buffer_done(&out);
}

/* --- escapes --- */

/* As the standard has it, a byte at a time. */
static void escape_slowly(struct buffer *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '"' || c == '\\')
			buffer_appendf(out, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			buffer_append(out, c == '\n'   ? SLICE("\\n")
					   : c == '\r' ? SLICE("\\r")
						       : SLICE("\\t"));
		else if (c < 0x20 || c == 0x7F)
			buffer_appendf(out, "\\u%04x", c);
		else
			buffer_append_char(out, (char)c);
	}
}

static void each_byte_is_escaped_at_each_place_of_a_block(void **state)
{
	struct buffer fast, slow;
	char text[53], room[JSON_ESCAPED_MAX(sizeof text)];

	(void)state;
	buffer_init(&fast, 4096);
	buffer_init(&slow, 4096);
	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < sizeof text; at++) {
			struct slice all = { text, sizeof text };

			memset(text, 'x', sizeof text);
			text[at] = (char)c;
			text[(at + 1) % sizeof text] = (char)(c % 3 ? 'y' : '"');
			buffer_reset(&fast);
			buffer_reset(&slow);
			assert_true(json_escape(&fast, all));
			escape_slowly(&slow, all);
			if (!slice_equal(buffer_slice(&fast), buffer_slice(&slow)))
				fail_msg("%02x at %zu: %s", c, at, fast.data);
			assert_true(json_escape_at(room, all) == room + slow.len);
			assert_memory_equal(room, slow.data, slow.len);
		}
	buffer_done(&fast);
	buffer_done(&slow);
}

static void what_fits_exactly_is_escaped(void **state)
{
	static const char text[] =
		"\"quotes\" and\tmore\nof \x01\x7f these \\ here, longer than a block";
	struct buffer slow, tight;

	(void)state;
	buffer_init(&slow, 4096);
	escape_slowly(&slow, SLICE(text));
	for (int less = 0; less < 2; less++) {
		buffer_init(&tight, slow.len - (size_t)less);
		assert_int_equal(json_escape(&tight, SLICE(text)), !less);
		assert_int_equal(tight.failed, less);
		if (!less)
			assert_string_equal(tight.data, slow.data);
		buffer_done(&tight);
	}
	buffer_done(&slow);
}

static void numbers_and_times_are_written_as_others_write_them(void **state)
{
	static const int64_t numbers[] = { 0,         9,         10,        -1,
					   INT64_MAX, INT64_MIN, 1LL << 53, 9007199254740993 };
	char text[64];
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct json_writer w;

		buffer_reset(&out);
		json_writer_init(&w, &out);
		json_int(&w, numbers[i]);
		snprintf(text, sizeof text, "%lld", (long long)numbers[i]);
		assert_string_equal(out.data, text);
	}
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_json_is_refused_at_its_byte),
		cmocka_unit_test(a_key_that_occurs_twice_is_refused),
		cmocka_unit_test(depth_and_keys_have_a_bound),
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(r25_numbers_are_printed_as_they_came),
		cmocka_unit_test(r11_values_have_a_bound),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(each_byte_is_escaped_at_each_place_of_a_block),
		cmocka_unit_test(what_fits_exactly_is_escaped),
		cmocka_unit_test(numbers_and_times_are_written_as_others_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
