/* The rewriter of answers: however they are cut, what comes out is the same valid text, it only
 * ever grows, no <custommarkdown> is in it, and a plain answer can be read out of its card. */
#include "../../src/llm/c1_kind.h"
#include "../../src/llm/c1_text.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "llm/c1.h"

#define OUT_MAX    (1 << 22)
#define DECIDE_MAX 4096 /* as in c1_stream.c */

static void write_whole(struct slice text, bool complete, struct buffer *out)
{
	struct c1_stream stream;

	c1_stream_init(&stream);
	CHECK(c1_stream_feed(&stream, text, out));
	CHECK(c1_stream_end(&stream, complete, out));
	c1_stream_done(&stream);
}

static void write_pieces(struct slice text, unsigned seed, bool complete, struct buffer *out)
{
	struct c1_stream stream;
	size_t done = 0;

	c1_stream_init(&stream);
	while (text.len > 0) {
		struct slice piece = fuzz_piece(&text, &seed);

		CHECK(c1_stream_feed(&stream, piece, out));
		/* Whole characters, whatever happens next. */
		CHECK(utf8_valid(slice_skip(buffer_slice(out), done), NULL));
		done = out->len;
		fuzz_piece_done(piece);
	}
	CHECK(c1_stream_end(&stream, complete, out));
	c1_stream_done(&stream);
}

/* What would crash the web client. */
static bool has_markdown_tag(struct slice text)
{
	static const struct slice tag = { "<custommarkdown", 15 };
	const char *open;
	bool more;

	for (; (open = memchr(text.ptr, '<', text.len)); text = slice_skip(text, 1)) {
		text = slice_skip(text, (size_t)(open - text.ptr));
		if (c1_tag_starts(text, tag, &more))
			return true;
	}
	return false;
}

static bool is_plain(struct slice text)
{
	struct slice start = { text.ptr, text.len > DECIDE_MAX ? DECIDE_MAX : text.len };
	enum c1_kind kind = c1_kind_of(start);

	return kind == C1_PLAIN || (kind == C1_UNDECIDED && text.len > 0);
}

/* The card's text, behind both escapes, is the answer. */
static void check_card(struct slice answer, struct slice out)
{
	struct buffer json;
	struct json *string;

	CHECK(slice_starts(out, SLICE(C1_CARD_OPEN)) &&
	      out.len >= sizeof C1_CARD_OPEN + sizeof C1_CARD_CLOSE - 2);
	out = slice_skip(out, sizeof C1_CARD_OPEN - 1);
	out.len -= sizeof C1_CARD_CLOSE - 1;
	CHECK(slice_is((struct slice){ out.ptr + out.len, sizeof C1_CARD_CLOSE - 1 },
		       C1_CARD_CLOSE));
	buffer_init(&json, OUT_MAX);
	buffer_append_char(&json, '"');
	c1_unescape(&json, out);
	buffer_append_char(&json, '"');
	CHECK((string = json_parse(buffer_slice(&json), NULL)));
	CHECK(slice_equal(json_text(string), answer));
	json_free(string);
	buffer_done(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_input(data, size);
	bool complete = fuzz_byte(&input) % 2;
	unsigned seed = fuzz_byte(&input);
	struct buffer whole, pieces, answer;

	buffer_init(&whole, OUT_MAX);
	buffer_init(&pieces, OUT_MAX);
	buffer_init(&answer, OUT_MAX);
	write_whole(input, complete, &whole);
	write_pieces(input, seed, complete, &pieces);
	CHECK(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
	CHECK(!has_markdown_tag(buffer_slice(&whole)));
	input.len -= utf8_partial_tail(input);
	c1_text_valid(&answer, input);
	/* JSON has no NUL that the strict reader takes. */
	if (complete && is_plain(buffer_slice(&answer)) && !memchr(input.ptr, '\0', input.len))
		check_card(buffer_slice(&answer), buffer_slice(&whole));
	buffer_done(&whole);
	buffer_done(&pieces);
	buffer_done(&answer);
	return 0;
}
