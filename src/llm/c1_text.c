/*
 * c1_text: escapes, entities and tags of C1 text.
 */
#include "c1_text.h"

#include "base/utf8.h"
#include <ctype.h>

static const struct entity {
	struct slice name;
	char c;
} entities[] = {
	{ { "&amp;", 5 }, '&' },  { { "&lt;", 4 }, '<' },   { { "&gt;", 4 }, '>' },
	{ { "&quot;", 6 }, '"' }, { { "&#39;", 5 }, '\'' },
};

/* What stands for a character in JSON inside an element; NULL: itself. */
static const char *const escapes[256] = {
	['"'] = "\\&quot;", ['\\'] = "\\\\", ['\b'] = "\\b",   ['\f'] = "\\f",
	['\n'] = "\\n",     ['\r'] = "\\r",  ['\t'] = "\\t",   ['&'] = "&amp;",
	['<'] = "&lt;",     ['>'] = "&gt;",  ['\''] = "&#39;",
};

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && !escapes[(unsigned char)c];
}

bool c1_text_escape(struct buffer *out, struct slice text)
{
	bool ok = true;

	while (ok && text.len) {
		size_t n = 0;
		unsigned char c;

		while (n < text.len && is_plain(text.ptr[n]))
			n++;
		ok = n == 0 || buffer_append(out, (struct slice){ text.ptr, n });
		text = slice_skip(text, n);
		if (!ok || text.len == 0)
			break;
		c = (unsigned char)*text.ptr;
		ok = escapes[c] ? buffer_append(out, slice_of(escapes[c]))
				: buffer_appendf(out, "\\u%04x", c);
		text = slice_skip(text, 1);
	}
	return ok;
}

bool c1_tag_starts(struct slice text, struct slice tag, bool *more)
{
	size_t n = text.len < tag.len ? text.len : tag.len;
	unsigned char next;

	*more = false;
	if (memcmp(text.ptr, tag.ptr, n) != 0)
		return false;
	if (text.len <= tag.len) {
		*more = true;
		return false;
	}
	next = (unsigned char)text.ptr[tag.len];
	return !isalnum(next) && next != '_' && next != '-' && next != ':' && next != '.' &&
	       next < 0x80;
}

size_t c1_entity(struct slice text, char *c, bool *more)
{
	*more = false;
	for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
		struct slice name = entities[i].name;

		if (slice_starts(text, name)) {
			*c = entities[i].c;
			return name.len;
		}
		if (text.len < name.len && memcmp(text.ptr, name.ptr, text.len) == 0)
			*more = true;
	}
	return 0;
}

bool c1_text_valid(struct buffer *out, struct slice text)
{
	size_t bad;

	while (!utf8_valid(text, &bad)) {
		if (!buffer_append(out, (struct slice){ text.ptr, bad }) ||
		    !buffer_append(out, SLICE("\xEF\xBF\xBD")))
			return false;
		text = slice_skip(text, bad + 1);
	}
	return buffer_append(out, text);
}
