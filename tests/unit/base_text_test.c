/*
 * What text is made of: buffers and arenas keep to their caps, and UTF-8 is told from what only
 * looks like it, compared with a slow reference that knows nothing of tables.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- buffer --- */

static void a_buffer_takes_exactly_its_cap(void **state)
{
	(void)state;
	for (size_t max = 0; max <= 1000; max += max < 4 ? 1 : 83) {
		struct buffer b;

		buffer_init(&b, max);
		assert_null(b.data);
		for (size_t i = 0; i < max; i++)
			assert_true(buffer_append_char(&b, 'a'));
		assert_true(buffer_append(&b, SLICE("")));
		assert_int_equal(b.len, max);
		assert_int_equal(strlen(b.data), max);
		assert_false(buffer_append_char(&b, 'b'));
		assert_true(b.failed);
		assert_int_equal(b.len, max);
		assert_int_equal(b.data[max], '\0');
		buffer_done(&b);
	}
}

static void a_failed_append_changes_nothing_and_stays_failed(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 8);
	assert_true(buffer_append(&b, SLICE("12345")));
	assert_false(buffer_append(&b, SLICE("6789")));
	assert_true(b.failed);
	/* this would fit, but a writer who asks once at the end must not miss the gap */
	assert_false(buffer_append(&b, SLICE("6")));
	assert_false(buffer_append(&b, SLICE("")));
	assert_false(buffer_append_char(&b, '6'));
	assert_false(buffer_appendf(&b, "%d", 6));
	assert_null(buffer_reserve(&b, 1));
	assert_string_equal(b.data, "12345");
	buffer_consume(&b, 2);
	assert_true(b.failed);
	assert_string_equal(b.data, "345");
	buffer_reset(&b);
	assert_false(b.failed);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	assert_true(buffer_append(&b, SLICE("12345678")));
	assert_string_equal(b.data, "12345678");
	buffer_done(&b);
}

static void a_formatted_append_is_whole_or_not_at_all(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 6);
	assert_true(buffer_appendf(&b, "%s", ""));
	assert_true(buffer_appendf(&b, "%03d", 7));
	assert_false(buffer_appendf(&b, "%s", "abcd"));
	assert_string_equal(b.data, "007");
	buffer_reset(&b);
	assert_true(buffer_appendf(&b, "%s-%d", "abc", 42));
	assert_string_equal(b.data, "abc-42");
	buffer_done(&b);
}

static void a_wish_that_overflows_is_refused(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 100);
	assert_true(buffer_append(&b, SLICE("x")));
	assert_null(buffer_reserve(&b, SIZE_MAX));
	buffer_reset(&b);
	assert_null(buffer_reserve(&b, SIZE_MAX - 1));
	buffer_done(&b);
}

static void reserved_room_is_committed_in_part(void **state)
{
	struct buffer b;
	char *room;

	(void)state;
	buffer_init(&b, 1000);
	room = buffer_reserve(&b, 1000);
	assert_non_null(room);
	memset(room, 'r', 1000);
	buffer_commit(&b, 3);
	assert_string_equal(b.data, "rrr");
	assert_null(buffer_reserve(&b, 998));
	buffer_done(&b);
}

static void what_was_consumed_leaves_its_room(void **state)
{
	struct buffer b = { 0 };

	(void)state;
	buffer_done(&b);
	buffer_done(NULL);
	buffer_init(&b, 10);
	buffer_consume(&b, 0);
	assert_int_equal(buffer_slice(&b).len, 0);
	assert_non_null(buffer_slice(&b).ptr);
	for (int i = 0; i < 1000; i++) {
		assert_true(buffer_append(&b, SLICE("0123456789")));
		buffer_consume(&b, 4);
		assert_string_equal(b.data, "456789");
		buffer_consume(&b, 6);
		assert_string_equal(b.data, "");
	}
	buffer_done(&b);
	assert_null(b.data);
}

/* --- arena --- */

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
	enum { PIECES = 2000 };
	static unsigned char *piece[PIECES];
	struct arena a;

	(void)state;
	arena_init(&a, 64 << 20);
	for (int i = 0; i < PIECES; i++) {
		size_t n = i % 97 == 0 ? (size_t)i * 100 : (size_t)i % 61;

		piece[i] = arena_alloc(&a, n);
		assert_non_null(piece[i]);
		assert_int_equal((uintptr_t)piece[i] % _Alignof(max_align_t), 0);
		for (size_t at = 0; at < n; at++)
			assert_int_equal(piece[i][at], 0);
		memset(piece[i], i % 255 + 1, n);
	}
	for (int i = 0; i < PIECES; i++) {
		size_t n = i % 97 == 0 ? (size_t)i * 100 : (size_t)i % 61;

		for (size_t at = 0; at < n; at++)
			assert_int_equal(piece[i][at], i % 255 + 1);
	}
	arena_done(&a);
	assert_null(a.blocks);
}

static void an_arena_keeps_to_its_cap_and_stays_failed(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 4096);
	assert_non_null(arena_alloc(&a, 4000));
	assert_null(arena_alloc(&a, 200));
	assert_true(a.failed);
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_copy(&a, SLICE("a")));
	assert_null(arena_printf(&a, "a"));
	assert_true(a.used <= a.max);
	arena_done(&a);

	arena_init(&a, 4096);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_true(a.failed);
	arena_done(&a);

	arena_init(&a, 1 << 20);
	for (int i = 0; i < (1 << 20) / 64; i++)
		assert_non_null(arena_alloc(&a, 64));
	assert_int_equal(a.used, 1 << 20);
	assert_null(arena_alloc(&a, 0));
	arena_done(&a);
}

static void texts_are_copied_with_their_end(void **state)
{
	char own[] = { 'a', '\0', 'b' };
	struct arena a;
	char *copy;

	(void)state;
	arena_init(&a, 1 << 20);
	copy = arena_copy(&a, (struct slice){ own, sizeof own });
	assert_memory_equal(copy, "a\0b", 4);
	assert_string_equal(arena_copy(&a, (struct slice){ NULL, 0 }), "");
	assert_string_equal(arena_text(&a, "text"), "text");
	assert_null(arena_text(&a, NULL));
	assert_false(a.failed);
	assert_string_equal(arena_printf(&a, "%s-%0300d", "x", 7) + 299, "007");
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	arena_done(&a);
}

/* --- UTF-8 --- */

/* The plainest encoder there is; 0 for what has no encoding. */
static size_t encode(uint32_t c, unsigned char out[4])
{
	if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (unsigned char)(0xC0 + c / 64);
		out[1] = (unsigned char)(0x80 + c % 64);
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (unsigned char)(0xE0 + c / 4096);
		out[1] = (unsigned char)(0x80 + c / 64 % 64);
		out[2] = (unsigned char)(0x80 + c % 64);
		return 3;
	}
	out[0] = (unsigned char)(0xF0 + c / 262144);
	out[1] = (unsigned char)(0x80 + c / 4096 % 64);
	out[2] = (unsigned char)(0x80 + c / 64 % 64);
	out[3] = (unsigned char)(0x80 + c % 64);
	return 4;
}

/* A character is what the encoder makes of the number that these bytes seem to say. */
static size_t reference_character(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	uint32_t c = len == 1 ? p[0] : len == 4 ? p[0] & 0x0Fu : p[0] & (0x7Fu >> len);
	unsigned char again[4];

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		c = c * 64 + (p[i] & 0x3F);
	return encode(c, again) == len && memcmp(again, p, len) == 0 ? len : 0;
}

static size_t reference_bad_at(const unsigned char *p, size_t n)
{
	size_t at = 0, len;

	while (at < n && (len = reference_character(p + at, n - at)) > 0)
		at += len;
	return at;
}

static void compare(const unsigned char *p, size_t n)
{
	size_t bad_at = SIZE_MAX, expected = reference_bad_at(p, n);
	bool valid = utf8_valid((struct slice){ (const char *)p, n }, &bad_at);

	if (valid != (expected == n) || (!valid && bad_at != expected))
		fail_msg("%02x %02x %02x %02x, %zu bytes: valid %d, bad at %zu, not %zu", p[0],
			 n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, n > 3 ? p[3] : 0, n, valid, bad_at,
			 expected);
}

static void every_code_point_is_valid_and_no_surrogate_is(void **state)
{
	unsigned char bytes[4];

	(void)state;
	for (uint32_t c = 0; c <= 0x10FFFF; c++) {
		size_t n = encode(c, bytes);
		struct slice text = { (const char *)bytes, n };

		assert_int_equal(n == 0, c >= 0xD800 && c <= 0xDFFF);
		if (n == 0) {
			bytes[0] = 0xED;
			bytes[1] = (unsigned char)(0x80 + c / 64 % 64);
			bytes[2] = (unsigned char)(0x80 + c % 64);
			text.len = 3;
		}
		if (utf8_valid(text, NULL) != (n > 0))
			fail_msg("U+%04X", c);
	}
}

static void every_string_of_up_to_three_bytes_is_judged_right(void **state)
{
	(void)state;
	assert_true(utf8_valid((struct slice){ NULL, 0 }, NULL));
	for (size_t n = 1; n <= 3; n++) {
		unsigned char *p = malloc(n); /* exactly: a look beyond is seen */

		assert_non_null(p);
		for (uint32_t all = 0; all < 1u << (8 * n); all++) {
			for (size_t i = 0; i < n; i++)
				p[i] = (unsigned char)(all >> (8 * i));
			compare(p, n);
		}
		free(p);
	}
}

/* The fourth byte only at its borders. */
static void every_four_bytes_behind_a_long_lead_are_judged_right(void **state)
{
	static const unsigned char last[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90, 0xBF, 0xC0, 0xFF };
	unsigned char *p = malloc(4);

	(void)state;
	assert_non_null(p);
	for (uint32_t all = 0xE0u << 16; all < 1u << 24; all++) {
		p[0] = (unsigned char)(all >> 16);
		p[1] = (unsigned char)(all >> 8);
		p[2] = (unsigned char)all;
		for (size_t i = 0; i < sizeof last; i++) {
			p[3] = last[i];
			compare(p, 4);
		}
	}
	free(p);
}

static void a_fault_is_found_wherever_it_stands(void **state)
{
	static const char *const bad[] = { "\x80",
					   "\xC0\x80",
					   "\xC3",
					   "\xE2\x82",
					   "\xED\xA0\x80",
					   "\xF0\x9F\x98",
					   "\xF4\x90\x80\x80",
					   "\xF8\x88\x80\x80\x80",
					   "\xFE",
					   "\xE0\x9F\xBF",
					   "\xF0\x8F\xBF\xBF",
					   "\xFF" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		for (size_t before = 0; before < 40; before++) {
			for (size_t after = 0; after < 20; after++) {
				size_t n = before + strlen(bad[i]) + after, bad_at = SIZE_MAX;
				char *p = malloc(n);

				assert_non_null(p);
				memset(p, 'a', n);
				memcpy(p + before, bad[i], strlen(bad[i]));
				assert_false(utf8_valid((struct slice){ p, n }, &bad_at));
				assert_int_equal(bad_at, before);
				free(p);
			}
		}
	}
}

/* Characters of 1, 2, 3, 4 bytes and their borders. */
static const char MIXED[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z\xF4\x8F\xBF\xBF\xEF\xBF\xBF";
static const size_t MIXED_AT[] = { 0, 1, 3, 6, 10, 11, 15, 18 };
#define MIXED_COUNT 7

static void a_cut_falls_between_characters(void **state)
{
	struct slice text = SLICE(MIXED);

	(void)state;
	for (size_t max = 0; max <= text.len + 3; max++) {
		size_t expected = 0;

		for (int i = 0; i <= MIXED_COUNT; i++) {
			if (MIXED_AT[i] <= max)
				expected = MIXED_AT[i];
		}
		assert_int_equal(utf8_cut(text, max), expected);
	}
	assert_int_equal(utf8_cut(SLICE(""), 5), 0);
}

static void a_tail_counts_what_is_not_complete_yet(void **state)
{
	struct slice text = SLICE(MIXED);

	(void)state;
	for (size_t n = 0; n <= text.len; n++) {
		size_t start = 0;
		char *p = malloc(n ? n : 1);

		assert_non_null(p);
		memcpy(p, text.ptr, n);
		for (int i = 0; i <= MIXED_COUNT; i++) {
			if (MIXED_AT[i] <= n)
				start = MIXED_AT[i];
		}
		assert_int_equal(utf8_partial_tail((struct slice){ p, n }), n - start);
		free(p);
	}
}

/* Waiting for more would not help these. */
static void a_malformed_tail_is_not_a_partial_one(void **state)
{
	(void)state;
	assert_int_equal(utf8_partial_tail(SLICE("a\x80")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("\x80\x80\x80\x80")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xC0")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xC1")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xE0\x80")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xED\xA0")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xF0\x8F\xBF")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xF4\x90")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xF5")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("a\xFF")), 0);
	assert_int_equal(utf8_partial_tail(SLICE("\xC3\xA9\x80")), 0);
}

static void a_prefix_counts_code_points(void **state)
{
	struct slice text = SLICE(MIXED);

	(void)state;
	for (size_t n = 0; n <= MIXED_COUNT + 2; n++) {
		struct slice prefix = utf8_prefix(text, n);

		assert_ptr_equal(prefix.ptr, text.ptr);
		assert_int_equal(prefix.len, MIXED_AT[n < MIXED_COUNT ? n : MIXED_COUNT]);
	}
	assert_int_equal(utf8_prefix(SLICE(""), 3).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_takes_exactly_its_cap),
		cmocka_unit_test(a_failed_append_changes_nothing_and_stays_failed),
		cmocka_unit_test(a_formatted_append_is_whole_or_not_at_all),
		cmocka_unit_test(a_wish_that_overflows_is_refused),
		cmocka_unit_test(reserved_room_is_committed_in_part),
		cmocka_unit_test(what_was_consumed_leaves_its_room),
		cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
		cmocka_unit_test(an_arena_keeps_to_its_cap_and_stays_failed),
		cmocka_unit_test(texts_are_copied_with_their_end),
		cmocka_unit_test(every_code_point_is_valid_and_no_surrogate_is),
		cmocka_unit_test(every_string_of_up_to_three_bytes_is_judged_right),
		cmocka_unit_test(every_four_bytes_behind_a_long_lead_are_judged_right),
		cmocka_unit_test(a_fault_is_found_wherever_it_stands),
		cmocka_unit_test(a_cut_falls_between_characters),
		cmocka_unit_test(a_tail_counts_what_is_not_complete_yet),
		cmocka_unit_test(a_malformed_tail_is_not_a_partial_one),
		cmocka_unit_test(a_prefix_counts_code_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
