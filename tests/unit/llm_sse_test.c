/*
 * sse: the grammar, and that the way the bytes are cut changes nothing.
 */
#include "../../src/llm/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct seen {
	struct buffer events; /* each as [data] */
	int count, stop_after;
};

static bool note(void *ctx, struct slice data)
{
	struct seen *seen = ctx;

	buffer_append_char(&seen->events, '[');
	buffer_append(&seen->events, data);
	buffer_append_char(&seen->events, ']');
	return ++seen->count != seen->stop_after;
}

/* Feeds text in pieces of `step`, the first of them `first` long. */
static enum sse_result feed(struct slice text, size_t first, size_t step, struct seen *seen)
{
	struct sse sse;
	enum sse_result result = SSE_OK;
	size_t at = 0, n = first;

	sse_init(&sse);
	while (at < text.len && result == SSE_OK) {
		/* an own copy, so that a sanitizer sees a look at what was fed before */
		char *piece;

		n = n > text.len - at ? text.len - at : n;
		piece = malloc(n ? n : 1);
		assert_non_null(piece);
		memcpy(piece, text.ptr + at, n);
		result = sse_feed(&sse, (struct slice){ piece, n }, note, seen);
		free(piece);
		at += n;
		n = step;
	}
	sse_done(&sse);
	return result;
}

static void check(struct slice text, struct slice expected)
{
	for (size_t first = 0; first <= text.len; first++) {
		for (int single = 0; single < 2; single++) {
			struct seen seen = { 0 };

			buffer_init(&seen.events, 1 << 20);
			assert_int_equal(feed(text, first, single ? 1 : text.len + 1, &seen),
					 SSE_OK);
			assert_true(slice_equal(buffer_slice(&seen.events), expected));
			buffer_done(&seen.events);
		}
	}
}

#define CHECK(text, expected) check(SLICE(text), SLICE(expected))

static void any_line_end_will_do_at_any_split(void **state)
{
	(void)state;
	CHECK("data: a\n\ndata: b\n\n", "[a][b]");
	CHECK("data: a\r\rdata: b\r\r", "[a][b]");
	CHECK("data: a\r\n\r\ndata: b\r\n\r\n", "[a][b]");
	CHECK("data: a\r\n\ndata: b\n\r\ndata: c\r\n\r", "[a][b][c]");
	CHECK("\n\n\r\r\n\ndata: a\n\n", "[a]");
}

static void a_byte_order_mark_is_skipped_once_at_the_beginning(void **state)
{
	(void)state;
	CHECK("\xEF\xBB\xBF"
	      "data: a\n\n",
	      "[a]");
	CHECK("\xEF\xBB\xBF\xEF\xBB\xBF"
	      "data: a\n\ndata: b\n\n",
	      "[b]");
	CHECK("\xEF\xBB"
	      "data: a\n\ndata: b\n\n",
	      "[b]");
	CHECK("data: \xEF\xBB\xBFx\n\n", "[\xEF\xBB\xBFx]");
}

static void fields_are_read_by_the_grammar(void **state)
{
	(void)state;
	CHECK("data:a\n\ndata:  b\n\ndata: c \n\n", "[a][ b][c ]");
	CHECK("data\n\ndata:\n\ndata: \n\n", "[][][]");
	CHECK(": a comment\ndata: a\n:\n\n: another\n\n", "[a]");
	CHECK("event: ping\nid: 7\nretry: 10\ndata: a\n\n", "[a]");
	CHECK("database: x\ndat: y\n data: z\nDATA: q\nno colon\n\ndata: a\n\n", "[a]");
	CHECK("data: a:b: c\n\n", "[a:b: c]");
}

static void several_data_lines_are_one_event(void **state)
{
	(void)state;
	CHECK("data: a\ndata: b\ndata\ndata:c\n\n", "[a\nb\n\nc]");
	CHECK("data\ndata\n\n", "[\n]");
}

static void a_nul_is_a_byte_like_others(void **state)
{
	(void)state;
	CHECK("data: a\0b\n\0: x\n\n", "[a\0b]");
}

static void an_event_without_its_blank_line_is_never_told(void **state)
{
	(void)state;
	CHECK("data: a\n\ndata: b\n", "[a]");
	CHECK("data: a\n\ndata: b", "[a]");
}

static void a_stop_is_obeyed_at_once(void **state)
{
	struct seen seen = { .stop_after = 2 };

	(void)state;
	buffer_init(&seen.events, 1024);
	assert_int_equal(feed(SLICE("data: a\n\ndata: b\n\ndata: c\n\n"), 100, 100, &seen),
			 SSE_STOPPED);
	assert_true(slice_is(buffer_slice(&seen.events), "[a][b]"));
	buffer_done(&seen.events);
}

/* One line, or many of one event: both are capped, however they come. */
static void what_is_too_long_ends_it(void **state)
{
	size_t len = SSE_LINE_MAX + 64;
	char *line = malloc(len);

	(void)state;
	assert_non_null(line);
	for (int many = 0; many < 2; many++) {
		memset(line, 'x', len);
		memcpy(line, "data: ", 6);
		for (size_t at = 4096; many && at + 7 < len; at += 4096)
			memcpy(line + at, "\ndata: ", 7);
		if (many)
			memset(line + len - 8, '\n', 8);
		for (size_t step = 1000; step <= 2 * len; step *= 20) {
			struct seen seen = { 0 };

			buffer_init(&seen.events, 4 << 20);
			if (!many)
				assert_int_equal(
					feed((struct slice){ line, len }, step, step, &seen),
					SSE_TOO_LONG);
			else
				assert_int_equal(
					feed((struct slice){ line, len }, step, step, &seen),
					SSE_OK);
			buffer_done(&seen.events);
		}
	}
	free(line);
}

static bool ignore(void *ctx, struct slice data)
{
	(void)ctx, (void)data;
	return true;
}

/* One huge event, cut so that both buffers grow by it; a stream then lives for minutes. */
static void r11_what_a_burst_took_is_given_back(void **state)
{
	size_t len = 1 << 20;
	char *text = malloc(len);
	struct sse sse;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	memcpy(text, "data:", 5);
	sse_init(&sse);
	assert_int_equal(sse_feed(&sse, (struct slice){ text, len / 2 }, ignore, NULL), SSE_OK);
	assert_int_equal(sse_feed(&sse, (struct slice){ text + len / 2, len / 2 }, ignore, NULL),
			 SSE_OK);
	assert_int_equal(sse_feed(&sse, SLICE("\n"), ignore, NULL), SSE_OK);
	assert_true(sse.data.size > len / 2);
	assert_int_equal(sse_feed(&sse, SLICE("\n"), ignore, NULL), SSE_OK);
	assert_true(sse.line.size + sse.data.size <= 4096);
	sse_done(&sse);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_line_end_will_do_at_any_split),
		cmocka_unit_test(a_byte_order_mark_is_skipped_once_at_the_beginning),
		cmocka_unit_test(fields_are_read_by_the_grammar),
		cmocka_unit_test(several_data_lines_are_one_event),
		cmocka_unit_test(a_nul_is_a_byte_like_others),
		cmocka_unit_test(an_event_without_its_blank_line_is_never_told),
		cmocka_unit_test(a_stop_is_obeyed_at_once),
		cmocka_unit_test(what_is_too_long_ends_it),
		cmocka_unit_test(r11_what_a_burst_took_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
