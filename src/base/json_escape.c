/* json_escape: text as the inside of a JSON string. */
#include "base/json.h"

#include "json_plain.h"

#define ESCAPE_MAX 6 /* \u0000 */

/* How a byte is escaped: 0: it stands for itself; 'u': by its number; else by this letter. */
static const char letters[256] = {
	['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', [0x7F] = 'u',
#define U(c) [(c)] = 'u'
	U(0),        U(1),          U(2),         U(3),         U(4),         U(5),
	U(6),        U(7),          U(8),         U(11),        U(12),        U(14),
	U(15),       U(16),         U(17),        U(18),        U(19),        U(20),
	U(21),       U(22),         U(23),        U(24),        U(25),        U(26),
	U(27),       U(28),         U(29),        U(30),        U(31),
#undef U
};

static inline char *put_byte(char *at, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	if (!letters[c]) {
		*at++ = (char)c;
		return at;
	}
	*at++ = '\\';
	*at++ = letters[c];
	if (letters[c] != 'u')
		return at;
	*at++ = '0';
	*at++ = '0';
	*at++ = digits[c >> 4];
	*at++ = digits[c & 15];
	return at;
}

/* A whole block and what its escapes take. What stands between two of them is copied a block at
 * once, and what is too much of it written over: so another block has to be behind this one. */
static char *put_block(char *at, const char *block)
{
	uint64_t marks = json_marks(block);
	size_t done = 0;

	for (; marks; marks &= marks - 1) {
		size_t mark = JSON_MARK_AT(marks);

		memcpy(at, block + done, JSON_BLOCK);
		at = put_byte(at + (mark - done), (unsigned char)block[mark]);
		done = mark + 1;
	}
	memcpy(at, block + done, JSON_BLOCK);
	return at + (JSON_BLOCK - done);
}

/* As much of *text as there is room for before `limit`; the rest stays in it. */
static char *put_some(char *at, const char *limit, struct slice *text)
{
	const char *p = text->ptr, *end = p + text->len;

	for (; end - p >= 2 * JSON_BLOCK && limit - at >= (ESCAPE_MAX + 1) * JSON_BLOCK;
	     p += JSON_BLOCK)
		at = put_block(at, p);
	while (p < end && limit - at >= ESCAPE_MAX)
		at = put_byte(at, (unsigned char)*p++);
	*text = (struct slice){ p, (size_t)(end - p) };
	return at;
}

char *json_escape_at(char *at, struct slice text)
{
	return text.len > 0 ? put_some(at, at + JSON_ESCAPED_MAX(text.len), &text) : at;
}

bool json_escape(struct buffer *out, struct slice text)
{
	char byte[ESCAPE_MAX], *at;

	while (text.len > 0 && !out->failed) {
		size_t room = text.len + (ESCAPE_MAX + 1) * JSON_BLOCK;

		if (room > out->max - out->len)
			room = out->max - out->len;
		if (room < ESCAPE_MAX) { /* it may fit all the same */
			at = put_byte(byte, (unsigned char)*text.ptr);
			text = slice_skip(text, 1);
			buffer_append(out, (struct slice){ byte, (size_t)(at - byte) });
		} else if ((at = buffer_reserve(out, room))) {
			buffer_commit(out, (size_t)(put_some(at, at + room, &text) - at));
		}
	}
	return !out->failed;
}
