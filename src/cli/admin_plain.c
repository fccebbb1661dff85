/* admin_plain: what users wrote, on an administrator's terminal. */
#include "admin.h"

#include "base/utf8.h"

struct range {
	unsigned from, to;
};

/* Controls of both sets, what is invisible, and what turns the direction (Unicode, UAX 9; "Trojan
 * Source", 2021). */
static const struct range hidden[] = {
	{ 0x00, 0x1F },     { 0x7F, 0x9F },       { 0xAD, 0xAD },     { 0x061C, 0x061C },
	{ 0x200B, 0x200F }, { 0x2028, 0x202E },   { 0x2060, 0x206F }, { 0xFEFF, 0xFEFF },
	{ 0xFFF9, 0xFFFB }, { 0xE0000, 0xE007F },
};

static bool is_hidden(unsigned code)
{
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (code >= hidden[i].from && code <= hidden[i].to)
			return true;
	return false;
}

static unsigned code_of(const unsigned char *at, size_t len)
{
	unsigned code = len == 1 ? at[0] : at[0] & (0x7Fu >> len);

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (at[i] & 0x3Fu);
	return code;
}

bool admin_plain(struct buffer *out, struct slice text, bool lines)
{
	while (text.len > 0) {
		size_t len = utf8_length(text);
		unsigned code = code_of((const unsigned char *)text.ptr, len ? len : 1);

		if (lines && (code == '\n' || code == '\t'))
			buffer_append_char(out, (char)code);
		else if (len == 0)
			buffer_appendf(out, "\\x%02x", (unsigned char)*text.ptr);
		else if (is_hidden(code))
			buffer_appendf(out, "\\u{%x}", code);
		else
			buffer_append(out, (struct slice){ text.ptr, len });
		text = slice_skip(text, len ? len : 1);
	}
	return !out->failed;
}
