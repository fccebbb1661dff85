/* SSE: however the bytes are cut, and the same events as a reader that does what the specification
 * says, word by word, with all of them before it. */
#include "../../src/llm/sse.h"
#include "fuzz.h"

#define EVENTS_MAX (1 << 22)

static bool note(void *ctx, struct slice data)
{
	return buffer_appendf(ctx, "[%zu]", data.len) && buffer_append(ctx, data);
}

static void read_whole(struct slice bytes, struct buffer *events)
{
	struct sse sse;

	sse_init(&sse);
	CHECK(sse_feed(&sse, bytes, note, events) == SSE_OK);
	sse_done(&sse);
}

static void read_pieces(struct slice bytes, unsigned seed, struct buffer *events)
{
	struct sse sse;

	sse_init(&sse);
	while (bytes.len > 0) {
		struct slice piece = fuzz_piece(&bytes, &seed);

		CHECK(sse_feed(&sse, piece, note, events) == SSE_OK);
		fuzz_piece_done(piece);
	}
	sse_done(&sse);
}

/* --- https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 * --- */

static void by_the_book_line(struct slice line, struct buffer *data, bool *any,
			     struct buffer *events)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	struct slice name = { line.ptr, colon ? (size_t)(colon - line.ptr) : line.len };
	struct slice value = colon ? slice_skip(line, name.len + 1) : SLICE("");

	if (line.len == 0) {
		if (*any) {
			data->len--; /* the last line feed */
			note(events, buffer_slice(data));
		}
		data->len = 0;
		*any = false;
	} else if (slice_is(name, "data")) {
		if (slice_starts(value, SLICE(" ")))
			value = slice_skip(value, 1);
		buffer_append(data, value);
		buffer_append_char(data, '\n');
		*any = true;
	}
}

static void by_the_book(struct slice bytes, struct buffer *events)
{
	struct buffer data;
	bool any = false;

	buffer_init(&data, EVENTS_MAX);
	if (slice_starts(bytes, SLICE("\xEF\xBB\xBF")))
		bytes = slice_skip(bytes, 3);
	for (;;) {
		size_t len = 0;

		while (len < bytes.len && bytes.ptr[len] != '\r' && bytes.ptr[len] != '\n')
			len++;
		if (len == bytes.len)
			break;
		by_the_book_line((struct slice){ bytes.ptr, len }, &data, &any, events);
		bytes = slice_skip(bytes, len);
		bytes = slice_skip(bytes, slice_starts(bytes, SLICE("\r\n")) ? 2 : 1);
	}
	buffer_done(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct slice input = fuzz_input(bytes, size);
	unsigned seed = fuzz_byte(&input);
	struct buffer whole, pieces, book;

	buffer_init(&whole, EVENTS_MAX);
	buffer_init(&pieces, EVENTS_MAX);
	buffer_init(&book, EVENTS_MAX);
	read_whole(input, &whole);
	read_pieces(input, seed, &pieces);
	by_the_book(input, &book);
	CHECK(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
	CHECK(slice_equal(buffer_slice(&whole), buffer_slice(&book)));
	buffer_done(&whole);
	buffer_done(&pieces);
	buffer_done(&book);
	return 0;
}
