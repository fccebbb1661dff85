/* base64url: see base/base64url.h. Four letters are three bytes; what is left at the end is two
 * letters or three, whose spare bits are zero. */
#include "base/base64url.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_write(const void *bytes, size_t len, char *out)
{
	const unsigned char *in = bytes;
	unsigned held = 0, bits = 0;

	for (size_t i = 0; i < len; i++) {
		held = held << 8 | in[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = letters[held >> (bits - 6) & 63];
	}
	if (bits > 0)
		*out++ = letters[held << (6 - bits) & 63];
	*out = '\0';
}

static int value_of(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '-'             ? 62
	       : c == '_'             ? 63
				      : -1;
}

bool base64url_read(struct slice text, void *out, size_t max, size_t *len)
{
	unsigned char *at = out;
	unsigned held = 0, bits = 0;
	size_t n = 0;

	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int value = value_of(text.ptr[i]);

		if (value < 0)
			return false;
		held = held << 6 | (unsigned)value;
		bits += 6;
		if (bits < 8)
			continue;
		if (n == max)
			return false;
		bits -= 8;
		at[n++] = (unsigned char)(held >> bits);
		held &= (1u << bits) - 1;
	}
	*len = n;
	return held == 0;
}
