/* digits: see base/digits.h. */
#include "base/digits.h"

bool digits_read(struct slice text, size_t most, int64_t *out)
{
	int64_t n = 0;

	if (text.len == 0 || text.len > most)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		n = n * 10 + (text.ptr[i] - '0');
	}
	*out = n;
	return true;
}

char *digits_write(char *at, int64_t n)
{
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char text[DIGITS_SIZE], *begin = text + sizeof text;
	size_t len;

	do
		*--begin = (char)('0' + left % 10);
	while (left /= 10);
	if (n < 0)
		*--begin = '-';
	len = (size_t)(text + sizeof text - begin);
	memcpy(at, begin, len);
	return at + len;
}

char *digits_write_fixed(char *at, uint32_t n, int count)
{
	for (int i = count; i-- > 0; n /= 10)
		at[i] = (char)('0' + n % 10);
	return at + count;
}

int hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

int hex_four(const char *at, const char *end)
{
	int n = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		n = n * 16 + digit;
	}
	return n;
}

bool hex_read(struct slice text, unsigned char *out, size_t size)
{
	if (text.len != 2 * size)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = text.ptr[i] >= 'A' && text.ptr[i] <= 'F' ? -1 : hex_value(text.ptr[i]);

		if (digit < 0)
			return false;
		out[i / 2] = (unsigned char)(i % 2 ? out[i / 2] << 4 | digit : digit);
	}
	return true;
}
