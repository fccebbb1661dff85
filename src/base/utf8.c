/* utf8: one step a character, by table 3-7 of the Unicode standard. */
#include "base/utf8.h"

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Length of the character that begins at p, 0 when it is malformed; -1 when it is well-formed so
 * far, but cut. */
static int character(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xBF;
	int len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (p[0] == 0xE0)
		low = 0xA0; /* no overlong form */
	else if (p[0] == 0xED)
		high = 0x9F; /* no surrogate */
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F; /* nothing above U+10FFFF */
	for (int i = 1; i < len; i++) {
		if ((size_t)i == left)
			return -1;
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xBF;
	}
	return len;
}

/* Some bytes at once while they are ASCII: most text is. */
static size_t ascii_run(const char *p, size_t left)
{
	size_t n = 0;

#ifdef __SSE2__
	for (; left - n >= 16; n += 16)
		if (_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + n))))
			break;
#endif
	for (uint64_t word; left - n >= sizeof word; n += sizeof word) {
		memcpy(&word, p + n, sizeof word);
		if (word & 0x8080808080808080u)
			break;
	}
	while (n < left && (unsigned char)p[n] < 0x80)
		n++;
	return n;
}

bool utf8_valid(struct slice text, size_t *bad_at)
{
	size_t at = 0;

	while (at < text.len) {
		if ((unsigned char)text.ptr[at] < 0x80)
			at += ascii_run(text.ptr + at, text.len - at);
		/* One that is not ASCII is followed by its like. */
		while (at < text.len && (unsigned char)text.ptr[at] >= 0x80) {
			int len = character((const unsigned char *)text.ptr + at, text.len - at);
			if (len <= 0) {
				if (bad_at)
					*bad_at = at;
				return false;
			}
			at += (size_t)len;
		}
	}
	return true;
}

size_t utf8_length(struct slice text)
{
	int len = character((const unsigned char *)text.ptr, text.len);

	return len > 0 ? (size_t)len : 0;
}

size_t utf8_cut(struct slice text, size_t max)
{
	if (text.len <= max)
		return text.len;
	while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
		max--;
	return max;
}

size_t utf8_partial_tail(struct slice text)
{
	for (size_t n = 1; n <= 3 && n <= text.len; n++) {
		const unsigned char *p = (const unsigned char *)text.ptr + text.len - n;

		if ((p[0] & 0xC0) == 0x80)
			continue;
		return p[0] >= 0xC2 && character(p, n) == -1 ? n : 0;
	}
	return 0;
}

struct slice utf8_prefix(struct slice text, size_t code_points)
{
	size_t at = 0;

	while (at < text.len && code_points-- > 0) {
		at++;
		while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80)
			at++;
	}
	return (struct slice){ text.ptr, at };
}
