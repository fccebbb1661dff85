/*
 * c1: C1 text as a whole: escaping, what a person reads of it, what is stored, and the card that
 * tells of an error.
 */
#include "llm/c1.h"

#include "c1_kind.h"
#include "c1_text.h"

/* As the web client draws it: tests/samples/errcallout.txt is one. */
#define ERROR_OPEN                                                                                 \
	"<content thesys=\"true\">{&quot;component&quot;:{&quot;component&quot;:&quot;Card&quot;," \
	"&quot;props&quot;:{&quot;children&quot;:[{&quot;component&quot;:&quot;CalloutV2&quot;,"   \
	"&quot;props&quot;:{&quot;variant&quot;:&quot;danger&quot;,&quot;title&quot;:&quot;"
#define ERROR_MIDDLE "&quot;,&quot;description&quot;:&quot;"
#define ERROR_CLOSE  C1_CARD_CLOSE

static const char *entity_of(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return NULL;
	}
}

bool c1_escape(struct buffer *out, struct slice text)
{
	size_t done = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < text.len; i++) {
		const char *entity = entity_of(text.ptr[i]);

		if (!entity)
			continue;
		ok = buffer_append(out, (struct slice){ text.ptr + done, i - done }) &&
		     buffer_append(out, slice_of(entity));
		done = i + 1;
	}
	return ok && buffer_append(out, slice_skip(text, done));
}

bool c1_unescape(struct buffer *out, struct slice text)
{
	bool ok = true;

	while (ok && text.len) {
		const char *amp = memchr(text.ptr, '&', text.len);
		size_t plain = amp ? (size_t)(amp - text.ptr) : text.len;
		size_t len;
		char c = '&';
		bool more;

		ok = buffer_append(out, (struct slice){ text.ptr, plain });
		text = slice_skip(text, plain);
		if (!ok || text.len == 0)
			break;
		len = c1_entity(text, &c, &more);
		ok = buffer_append_char(out, c);
		text = slice_skip(text, len ? len : 1);
	}
	return ok;
}

/* Where `what` stands in text; text.len when nowhere. */
static size_t find(struct slice text, struct slice what)
{
	const char *at = text.len ? memmem(text.ptr, text.len, what.ptr, what.len) : NULL;

	return at ? (size_t)(at - text.ptr) : text.len;
}

static struct slice skip_blanks(struct slice text)
{
	while (text.len && strchr(" \t\r\n", *text.ptr) && *text.ptr)
		text = slice_skip(text, 1);
	return text;
}

bool c1_is_content(struct slice text)
{
	bool more;

	return c1_tag_starts(skip_blanks(text), SLICE("<content"), &more);
}

bool c1_plain_text(struct buffer *out, struct slice text)
{
	size_t tag_end;

	if (!c1_is_content(text))
		return buffer_append(out, text);
	tag_end = find(text, SLICE(">"));
	text = slice_skip(text, tag_end < text.len ? tag_end + 1 : text.len);
	text.len = find(text, SLICE("</content"));
	return c1_unescape(out, text);
}

/* The length of what stands at text's '<' and is not stored; 0: it is stored. */
static size_t unstored(struct slice text)
{
	static const struct slice close = { "</thinkitem>", 12 };
	struct slice tag;
	size_t end;
	bool more;

	if (slice_starts(text, SLICE("<!--k-->")))
		return sizeof "<!--k-->" - 1;
	if (!c1_tag_starts(text, SLICE("<thinkitem"), &more))
		return 0;
	tag = (struct slice){ text.ptr, find(text, SLICE(">")) };
	if (find(tag, SLICE("ephemeral=\"true\"")) == tag.len)
		return 0;
	end = find(text, close);
	return end < text.len ? end + close.len : text.len; /* a cut one goes with the rest */
}

bool c1_stored(struct buffer *out, struct slice text)
{
	bool ok = true;

	while (ok && text.len) {
		size_t kept = find(text, SLICE("<"));
		size_t dropped;

		ok = buffer_append(out, (struct slice){ text.ptr, kept });
		text = slice_skip(text, kept);
		if (!ok || text.len == 0)
			break;
		dropped = unstored(text);
		if (dropped == 0) {
			ok = buffer_append_char(out, '<');
			dropped = 1;
		}
		text = slice_skip(text, dropped);
	}
	return ok;
}

/* Elements stand in a row, and what is between their tags has no '<': the last tag tells. */
static bool is_cut(struct slice text)
{
	const char *last = text.len ? memrchr(text.ptr, '<', text.len) : NULL;
	struct slice tag = { last, last ? (size_t)(text.ptr + text.len - last) : 0 };
	size_t end = find(tag, SLICE(">"));

	if (c1_kind_of(text) != C1_ELEMENTS || !last)
		return false;
	return end == tag.len || (last[1] != '/' && last[end - 1] != '/');
}

struct c1_drawn c1_drawn(struct slice answer)
{
	size_t end = find(answer, SLICE("<context>"));
	struct slice text = { answer.ptr, end };

	return (struct c1_drawn){ text, slice_skip(answer, end), is_cut(text) };
}

bool c1_error_card(struct buffer *out, const char *title, const char *detail)
{
	return buffer_append(out, SLICE(ERROR_OPEN)) && c1_text_escape(out, slice_of(title)) &&
	       buffer_append(out, SLICE(ERROR_MIDDLE)) && c1_text_escape(out, slice_of(detail)) &&
	       buffer_append(out, SLICE(ERROR_CLOSE));
}
