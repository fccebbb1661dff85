/*
 * c1_stream: an answer on its way to the client. C1 text passes verbatim; plain text is wrapped as
 * a card; <custommarkdown>, which crashes the web client, is rewritten. How the answer is cut into
 * deltas changes nothing.
 *
 *   UNDECIDED --C1--> VERBATIM --"<custommarkdown"--> TAG --">"--> MARKDOWN
 *       |                ^----- ">" ------ CLOSING <--"</custommarkdown"--'
 *       '-----plain--> PLAIN
 *
 * Markdown becomes a card while the answer has none. The client shows the last <content> alone, so
 * beside one that is there already markdown becomes a note: a think item that is kept, which the
 * client lists above the card. When a <content> follows a card of ours, which it replaces, the
 * card's markdown is repeated as a note before it. So both are seen whichever comes first.
 */
#include "llm/c1.h"

#include "base/utf8.h"
#include "c1_kind.h"
#include "c1_text.h"

#define HELD_MAX   (2 << 20) /* a delta is at most half of it: its line is capped */
#define DECIDE_MAX 4096      /* white space before an answer: from here on it is text */
#define NOTE_OPEN  "<thinkitem><thinkitemtitle>Note</thinkitemtitle><thinkitemcontent>"
#define NOTE_CLOSE "</thinkitemcontent></thinkitem>"

enum { UNDECIDED, VERBATIM, TAG, MARKDOWN, CLOSING, PLAIN };

static const struct slice content_tag = { "<content", 8 };
static const struct slice markdown_tag = { "<custommarkdown", 15 };
static const struct slice markdown_close = { "</custommarkdown", 16 };

void c1_stream_init(struct c1_stream *stream)
{
	*stream = (struct c1_stream){ .state = UNDECIDED };
	buffer_init(&stream->held, HELD_MAX);
	buffer_init(&stream->card, HELD_MAX);
}

void c1_stream_done(struct c1_stream *stream)
{
	buffer_done(&stream->held);
	buffer_done(&stream->card);
}

/* --- cards and notes --- */

static void open_markdown(struct c1_stream *stream, struct buffer *out)
{
	stream->is_note = stream->has_content;
	stream->has_content = true;
	buffer_append(out, stream->is_note ? SLICE(NOTE_OPEN) : SLICE(C1_CARD_OPEN));
}

/* For when a <content> follows; of a huge one as much as fits. */
static void keep_card(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	struct buffer *card = &stream->card;
	size_t fits = utf8_cut(text, card->max - card->len);

	if (card->failed) /* it is full */
		return;
	if (!buffer_append(card, (struct slice){ text.ptr, fits }))
		out->failed = true;
	card->failed = card->failed || fits < text.len;
}

static void put_markdown(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	if (stream->is_note) {
		c1_escape(out, text);
		return;
	}
	c1_text_escape(out, text);
	keep_card(stream, text, out);
}

static void close_markdown(struct c1_stream *stream, struct buffer *out)
{
	buffer_append(out, stream->is_note ? SLICE(NOTE_CLOSE) : SLICE(C1_CARD_CLOSE));
}

/* Before a <content> of the upstream's. */
static void repeat_card(struct c1_stream *stream, struct buffer *out)
{
	if (stream->card.len == 0)
		return;
	buffer_append(out, SLICE(NOTE_OPEN));
	c1_escape(out, buffer_slice(&stream->card));
	buffer_append(out, SLICE(NOTE_CLOSE));
	buffer_shrink(&stream->card, 0);
}

/* --- states --- */

/* Each take_ works at the text's beginning and returns how much of it is dealt with; 0: more is
 * needed. */

static size_t take_undecided(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	/* Decided by at most so much, however it comes: else the way it is cut would show. */
	struct slice start = { text.ptr, text.len > DECIDE_MAX ? DECIDE_MAX : text.len };
	enum c1_kind kind = c1_kind_of(start);

	if (kind == C1_UNDECIDED && text.len >= DECIDE_MAX)
		kind = C1_PLAIN;
	stream->state = kind == C1_UNDECIDED ? UNDECIDED : kind == C1_PLAIN ? PLAIN : VERBATIM;
	stream->has_content = kind == C1_BARE;
	if (kind == C1_PLAIN)
		buffer_append(out, SLICE(C1_CARD_OPEN));
	return 0;
}

static size_t take_verbatim(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	size_t at = 0, from = 0;
	const char *open;

	while ((open = memchr(text.ptr + at, '<', text.len - at))) {
		bool might_content, might_markdown;

		at = (size_t)(open - text.ptr);
		if (c1_tag_starts(slice_skip(text, at), markdown_tag, &might_markdown)) {
			buffer_append(out, (struct slice){ text.ptr + from, at - from });
			open_markdown(stream, out);
			stream->state = TAG;
			return at + markdown_tag.len;
		}
		if (c1_tag_starts(slice_skip(text, at), content_tag, &might_content)) {
			buffer_append(out, (struct slice){ text.ptr + from, at - from });
			repeat_card(stream, out);
			stream->has_content = true;
			from = at;
		}
		if (might_content || might_markdown)
			break;
		at++;
	}
	if (!open)
		at = text.len;
	buffer_append(out, (struct slice){ text.ptr + from, at - from });
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
		close_markdown(stream, out);
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
			close_markdown(stream, out);
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
	put_markdown(stream, (struct slice){ &c, 1 }, out);
	return len;
}

static size_t take_markdown(struct c1_stream *stream, struct slice text, struct buffer *out)
{
	size_t n = 0;

	while (n < text.len && text.ptr[n] != '<' && text.ptr[n] != '&')
		n++;
	if (n == 0)
		return take_markup(stream, text, out);
	put_markdown(stream, (struct slice){ text.ptr, n }, out);
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

/* text, made valid but for a character's beginning at its end, in `valid`. */
static bool feed_invalid(struct c1_stream *stream, struct slice text, struct slice tail,
			 struct buffer *out)
{
	struct buffer valid, rest;
	size_t done;
	bool ok;

	buffer_init(&valid, 4 * (size_t)HELD_MAX);
	buffer_init(&rest, HELD_MAX);
	ok = c1_text_valid(&valid, text);
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
			buffer_shrink(&stream->held, 0);
		return !out->failed;
	}
	if (done < delta.len && !buffer_append(&stream->held, slice_skip(delta, done)))
		return false;
	return !out->failed;
}

/* What was held is what it looks like, for nothing follows. */
static void put_held(struct c1_stream *stream, struct buffer *out)
{
	struct slice held = buffer_slice(&stream->held);

	held.len -= utf8_partial_tail(held);
	switch (stream->state) {
	case VERBATIM: buffer_append(out, held); break;
	case MARKDOWN: put_markdown(stream, held, out); break;
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
	if (complete && stream->state == PLAIN)
		buffer_append(out, SLICE(C1_CARD_CLOSE));
	/* The client closes a card by itself; behind an open note it would see no other element. */
	if ((stream->state == MARKDOWN || stream->state == TAG) && (complete || stream->is_note))
		close_markdown(stream, out);
	buffer_reset(&stream->held);
	return !out->failed;
}
