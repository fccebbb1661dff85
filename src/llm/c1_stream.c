/*
 * c1_stream: an answer on its way to the client. C1 text passes verbatim; plain text is wrapped as
 * a card; <custommarkdown> (it crashes the web client) becomes a card. How the answer is cut into
 * deltas changes nothing.
 *
 *   UNDECIDED --C1--> VERBATIM --"<custommarkdown"--> TAG --">"--> MARKDOWN --"</custommarkdown"-->
 * CLOSING --">"--> VERBATIM
 *       '-----plain--> PLAIN
 */
#include "llm/c1.h"

#include "base/utf8.h"
#include "c1_text.h"

#define HELD_MAX    (2 << 20) /* a delta is at most half of it: its line is capped */
#define HELD_KEPT   256       /* of it, while nothing is held */
#define DECIDE_MAX  4096      /* white space before an answer: from here on it is text */
#define REPLACEMENT "\xEF\xBF\xBD"

enum { UNDECIDED, VERBATIM, TAG, MARKDOWN, CLOSING, PLAIN };

static const struct slice markdown_tag = { "<custommarkdown", 15 };
static const struct slice markdown_close = { "</custommarkdown", 16 };

/* An answer that begins so is C1 text. */
static const struct slice known_tags[] = {
	{ "<content", 8 }, { "<thinkitem", 10 },      { "<artifact", 9 },
	{ "<context", 8 }, { "<custommarkdown", 15 }, { "<artifact_diff", 14 },
};

void c1_stream_init(struct c1_stream *stream)
{
	stream->state = UNDECIDED;
	buffer_init(&stream->held, HELD_MAX);
}

void c1_stream_done(struct c1_stream *stream)
{
	buffer_done(&stream->held);
}

static size_t blanks(struct slice text)
{
	size_t n = 0;

	while (n < text.len && text.ptr[n] && strchr(" \t\r\n", text.ptr[n]))
		n++;
	return n;
}

/* As far as both go, do they agree? */
static bool may_start(struct slice text, struct slice with)
{
	size_t n = text.len < with.len ? text.len : with.len;

	return memcmp(text.ptr, with.ptr, n) == 0;
}

/* {"component"...: C1 text without its element. */
static int decide_json(struct slice text)
{
	static const struct slice key = { "\"component\"", 11 };

	text = slice_skip(text, 1);
	text = slice_skip(text, blanks(text));
	if (!may_start(text, key))
		return PLAIN;
	return text.len < key.len ? UNDECIDED : VERBATIM;
}

static int decide(struct slice text)
{
	static const struct slice comment = { "<!--", 4 };
	bool might = false;

	text = slice_skip(text, blanks(text));
	if (text.len == 0)
		return UNDECIDED;
	if (*text.ptr == '{')
		return decide_json(text);
	if (may_start(text, comment))
		return text.len < comment.len ? UNDECIDED : VERBATIM;
	for (size_t i = 0; i < sizeof known_tags / sizeof *known_tags; i++) {
		bool more;

		if (c1_tag_starts(text, known_tags[i], &more))
			return VERBATIM;
		might = might || more;
	}
	return might ? UNDECIDED : PLAIN;
}

/* Each take_ works at the text's beginning and returns how much of it is dealt with; 0: more is
 * needed. */

static size_t take_undecided(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	/* Decided by at most so much, however it comes: else the way it is cut would show. */
	struct slice start = { text.ptr, text.len > DECIDE_MAX ? DECIDE_MAX : text.len };

	stream->state = decide(start);
	if (stream->state == UNDECIDED && text.len >= DECIDE_MAX)
		stream->state = PLAIN;
	if (stream->state == PLAIN)
		buffer_append(out, SLICE(C1_CARD_OPEN));
	return 0;
}

static size_t take_verbatim(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	size_t at = 0;

	while (at < text.len) {
		const char *open = memchr(text.ptr + at, '<', text.len - at);
		bool more;

		at = open ? (size_t)(open - text.ptr) : text.len;
		if (!open)
			break;
		if (c1_tag_starts(slice_skip(text, at), markdown_tag, &more)) {
			buffer_append(out, (struct slice){ text.ptr, at });
			buffer_append(out, SLICE(C1_CARD_OPEN));
			stream->state = TAG;
			return at + markdown_tag.len;
		}
		if (more)
			break;
		at++;
	}
	buffer_append(out, (struct slice){ text.ptr, at });
	return at;
}

/* Attributes are dropped. */
static size_t take_tag(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	const char *end = memchr(text.ptr, '>', text.len);
	bool slash_last = text.ptr[text.len - 1] == '/';

	if (!end)
		return text.len - slash_last;
	stream->state = MARKDOWN;
	if (end > text.ptr && end[-1] == '/') {
		buffer_append(out, SLICE(C1_CARD_CLOSE));
		stream->state = VERBATIM;
	}
	return (size_t)(end - text.ptr) + 1;
}

/* At '<' or '&'. */
static size_t take_markup(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	bool more;
	char c = *text.ptr;
	size_t len = 1;

	if (c == '<') {
		if (c1_tag_starts(text, markdown_close, &more)) {
			buffer_append(out, SLICE(C1_CARD_CLOSE));
			stream->state = CLOSING;
			return markdown_close.len;
		}
	} else {
		len = c1_entity(text, &c, &more);
		more = more && len == 0;
		len = len ? len : 1;
	}
	if (more)
		return 0;
	c1_text_escape(out, (struct slice){ &c, 1 });
	return len;
}

static size_t take_markdown(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	size_t n = 0;

	while (n < text.len && text.ptr[n] != '<' && text.ptr[n] != '&')
		n++;
	if (n == 0)
		return take_markup(stream, text, out);
	c1_text_escape(out, (struct slice){ text.ptr, n });
	return n;
}

static size_t take_closing(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	const char *end = memchr(text.ptr, '>', text.len);

	(void)out;
	if (!end)
		return text.len;
	stream->state = VERBATIM;
	return (size_t)(end - text.ptr) + 1;
}

static size_t take_plain(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	(void)stream;
	c1_text_escape(out, text);
	return text.len;
}

static size_t (*const take[])(struct c1_stream *, struct slice, struct buffer *) = {
	[UNDECIDED] = take_undecided, [VERBATIM] = take_verbatim, [TAG] = take_tag,
	[MARKDOWN] = take_markdown,   [CLOSING] = take_closing,   [PLAIN] = take_plain,
};

/* How much of text is dealt with; the rest has to wait for what follows. */
static size_t take_all(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	size_t done = 0;

	while (done < text.len) {
		int state = stream->state;
		size_t n = take[state](stream, slice_skip(text, done), out);

		if (n == 0 && stream->state == state)
			break;
		done += n;
	}
	return done;
}

/* Bytes that are no UTF-8 become U+FFFD, one each. */
static bool replace_invalid(struct buffer *out, struct slice text)
{
	size_t bad;

	while (!utf8_valid(text, &bad)) {
		if (!buffer_append(out, (struct slice){ text.ptr, bad }) ||
		    !buffer_append(out, SLICE(REPLACEMENT)))
			return false;
		text = slice_skip(text, bad + 1);
	}
	return buffer_append(out, text);
}

/* text, made valid but for a character's beginning at its end, in `valid`. */
static bool feed_invalid(struct c1_stream *stream, struct slice text, struct slice tail,
			 struct buffer *out)
{
	struct buffer valid, rest;
	size_t done;
	bool ok;

	buffer_init(&valid, 4 * (size_t)HELD_MAX);
	buffer_init(&rest, HELD_MAX);
	ok = replace_invalid(&valid, text);
	if (ok) {
		done = take_all(stream, buffer_slice(&valid), out);
		ok = buffer_append(&rest, slice_skip(buffer_slice(&valid), done)) &&
		     buffer_append(&rest, tail);
	}
	buffer_done(&valid);
	buffer_done(&stream->held);
	stream->held = rest;
	return ok && !out->failed;
}

bool c1_stream_feed(struct c1_stream *stream, struct slice delta, struct buffer *out)
{
	bool has_held = stream->held.len > 0;
	struct slice text = delta, tail;
	size_t done;

	if (has_held) {
		if (!buffer_append(&stream->held, delta))
			return false;
		text = buffer_slice(&stream->held);
	}
	tail = slice_skip(text, text.len - utf8_partial_tail(text));
	text.len -= tail.len;
	if (!utf8_valid(text, NULL))
		return feed_invalid(stream, text, tail, out);
	done = take_all(stream, text, out);
	if (has_held) {
		buffer_consume(&stream->held, done);
		if (stream->held.len == 0)
			buffer_shrink(&stream->held, HELD_KEPT);
		return !out->failed;
	}
	return buffer_append(&stream->held, slice_skip(delta, done)) && !out->failed;
}

/* What was held is what it looks like, for nothing follows. */
static void put_held(struct c1_stream *stream, struct buffer *out)
{
	struct slice held = buffer_slice(&stream->held);

	held.len -= utf8_partial_tail(held);
	switch (stream->state) {
	case VERBATIM: buffer_append(out, held); break;
	case MARKDOWN:
	case PLAIN: c1_text_escape(out, held); break;
	default: break;
	}
}

bool c1_stream_end(struct c1_stream *stream, bool complete, struct buffer *out)
{
	if (complete && stream->state == UNDECIDED && stream->held.len) {
		buffer_append(out, SLICE(C1_CARD_OPEN));
		stream->state = PLAIN;
	}
	put_held(stream, out);
	if (complete &&
	    (stream->state == PLAIN || stream->state == MARKDOWN || stream->state == TAG))
		buffer_append(out, SLICE(C1_CARD_CLOSE));
	buffer_reset(&stream->held);
	return !out->failed;
}
