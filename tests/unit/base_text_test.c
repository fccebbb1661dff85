/* Buffers and arenas keep to their caps, UTF-8 is judged by every code point there is, ids sort and
 * never repeat, times are written as the C library has them. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"

#include <stdio.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* --- buffer --- */

static void a_buffer_grows_to_its_cap_and_not_beyond(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		assert_true(buffer_append_char(&b, (char)('a' + i % 26)));
	assert_int_equal(b.len, 1000);
	assert_int_equal(b.data[1000], '\0');
	assert_false(buffer_append_char(&b, 'x'));
	assert_true(b.failed);
	assert_int_equal(b.len, 1000);
	assert_false(buffer_append(&b, SLICE(""))); /* a failure stays */
	buffer_reset(&b);
	assert_true(buffer_appendf(&b, "%d-%s", 42, "x"));
	assert_string_equal(b.data, "42-x");
	buffer_consume(&b, 3);
	assert_string_equal(b.data, "x");
	buffer_done(&b);
}

static void r11_a_buffer_gives_back_what_a_burst_took(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 1 << 20);
	assert_non_null(buffer_reserve(&b, 1 << 20));
	assert_false(buffer_append(&b, SLICE("x")) && buffer_reserve(&b, 1 << 20));
	buffer_shrink(&b, 1024);
	assert_int_equal(b.size, 0);
	assert_true(buffer_append(&b, SLICE("small")));
	assert_string_equal(b.data, "small");
	buffer_shrink(&b, 1024);
	assert_true(b.size > 0 && b.len == 0); /* what is small stays */
	buffer_done(&b);
}

static void a_formatted_piece_over_the_cap_changes_nothing(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 4);
	assert_true(buffer_append(&b, SLICE("ab")));
	assert_false(buffer_appendf(&b, "%s", "cde"));
	assert_int_equal(b.len, 2);
	buffer_done(&b);
}

/* --- arena --- */

static void an_arena_gives_zeroed_aligned_pieces_up_to_its_cap(void **state)
{
	struct arena a;
	char *text;

	(void)state;
	arena_init(&a, 1u << 20);
	for (size_t n = 1; n < 3000; n += 7) {
		unsigned char *piece = arena_alloc(&a, n);

		assert_non_null(piece);
		assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(piece[i], 0);
		memset(piece, 0xAA, n);
		if (a.used > 900000)
			break;
	}
	text = arena_printf(&a, "%s/%d", "t", 7);
	assert_string_equal(text, "t/7");
	assert_null(arena_alloc(&a, 1u << 20));
	assert_true(a.failed);
	assert_null(arena_alloc(&a, 1)); /* and stays so */
	assert_null(arena_text(&a, NULL));
	arena_done(&a);
}

/* --- UTF-8 --- */

static size_t encode(uint32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static void every_code_point_is_judged_right(void **state)
{
	char text[4];

	(void)state;
	for (uint32_t code = 0; code < 0x200000; code++) {
		size_t len = encode(code, text);
		bool good = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);

		if (utf8_valid((struct slice){ text, len }, NULL) != good)
			fail_msg("U+%X", code);
	}
}

static void every_pair_of_bytes_is_judged_right(void **state)
{
	(void)state;
	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			char text[2] = { (char)a, (char)b };
			bool good = (a < 0x80 && b < 0x80) ||
				    (a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);

			if (utf8_valid((struct slice){ text, 2 }, NULL) != good)
				fail_msg("%02X %02X", a, b);
		}
}

static void the_fault_is_told_by_its_offset(void **state)
{
	size_t at = 0;

	(void)state;
	assert_false(utf8_valid(SLICE("0123456789abcdef\xC3(x"), &at));
	assert_int_equal(at, 16);
	assert_false(utf8_valid(SLICE("\xE2\x82"), &at)); /* cut */
	assert_int_equal(at, 0);
	assert_false(utf8_valid(SLICE("a\xC0\xAF"), &at)); /* overlong */
	assert_int_equal(at, 1);
}

static void cuts_fall_between_characters(void **state)
{
	const struct slice text = SLICE("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
	const size_t cuts[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10 };

	(void)state;
	for (size_t max = 0; max <= text.len; max++)
		assert_int_equal(utf8_cut(text, max), cuts[max]);
	for (size_t len = 0; len <= text.len; len++)
		assert_int_equal(utf8_partial_tail((struct slice){ text.ptr, len }),
				 len - cuts[len]);
	assert_int_equal(utf8_prefix(text, 2).len, 3);
	assert_int_equal(utf8_prefix(text, 99).len, text.len);
}

/* --- ids --- */

static void the_grammar_of_ids(void **state)
{
	char longest[ID_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof longest);
	assert_true(id_valid((struct slice){ longest, ID_MAX }));
	assert_false(id_valid((struct slice){ longest, ID_MAX + 1 }));
	assert_false(id_valid(SLICE("")));
	assert_false(id_valid(SLICE(".a")));
	assert_true(id_valid(SLICE("a..b")));
	assert_true(id_valid(SLICE("_-9Z")));
	for (int c = 0; c < 256; c++) {
		char text[2] = { 'a', (char)c };
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			    (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';

		assert_int_equal(id_valid((struct slice){ text, 2 }), good);
	}
}

static void uuids_sort_by_time_and_never_repeat(void **state)
{
	char last[ID_UUID_SIZE] = "", next[ID_UUID_SIZE];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		id_uuid7(next);
		if (strcmp(next, last) <= 0)
			fail_msg("%s behind %s", next, last);
		assert_int_equal(next[14], '7');
		assert_true(strchr("89ab", next[19]) != NULL);
		memcpy(last, next, sizeof last);
	}
}

static void hashes_tell_lists_of_parts_apart(void **state)
{
	const struct slice one[] = { SLICE("ab"), SLICE("c") },
			   other[] = { SLICE("a"), SLICE("bc") };
	char a[ID_UUID_SIZE], b[ID_UUID_SIZE];

	(void)state;
	id_hash(one, 2, a);
	id_hash(other, 2, b);
	assert_string_not_equal(a, b);
	id_hash(one, 2, b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 32);
	assert_true(id_valid(slice_of(a)));
}

/* --- times --- */

static void assert_time(int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	char day[64], wanted[80], text[CLOCK_TEXT_SIZE];
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(wanted, sizeof wanted, "%s.%03dZ", day, (int)(wall_ms - seconds * 1000));
	assert_string_equal(clock_format(wall_ms, text), wanted);
}

static void each_day_is_written_as_the_calendar_has_it(void **state)
{
	static const int64_t far[] = { -1, -62135596800000, 253402300799999, 253402300800000,
				       999999999999999 };
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	for (int64_t day = 0; day < 400 * 366; day++)
		assert_time(day * 86400000 + day * 7919 % 86400000);
	for (size_t i = 0; i < sizeof far / sizeof *far; i++)
		assert_time(far[i]);
	clock_format(INT64_MIN, text); /* whatever that is, it has an end */
	clock_format(INT64_MAX, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_grows_to_its_cap_and_not_beyond),
		cmocka_unit_test(r11_a_buffer_gives_back_what_a_burst_took),
		cmocka_unit_test(a_formatted_piece_over_the_cap_changes_nothing),
		cmocka_unit_test(an_arena_gives_zeroed_aligned_pieces_up_to_its_cap),
		cmocka_unit_test(every_code_point_is_judged_right),
		cmocka_unit_test(every_pair_of_bytes_is_judged_right),
		cmocka_unit_test(the_fault_is_told_by_its_offset),
		cmocka_unit_test(cuts_fall_between_characters),
		cmocka_unit_test(the_grammar_of_ids),
		cmocka_unit_test(uuids_sort_by_time_and_never_repeat),
		cmocka_unit_test(hashes_tell_lists_of_parts_apart),
		cmocka_unit_test(each_day_is_written_as_the_calendar_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
