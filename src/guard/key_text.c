/* key_text: see key_text.h. */
#include "key_text.h"

#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#define SECRET_LEN 43
#define CHECK_LEN  6
#define CHECK_AT   (KEY_TEXT_LEN - CHECK_LEN)
#define ID_AT      (sizeof KEY_PREFIX - 1)

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define DIGITS (sizeof digits - 1)

_Static_assert(ID_AT + KEY_ID_LEN + 1 + SECRET_LEN + CHECK_LEN == KEY_TEXT_LEN,
	       "the parts are all");

/* As in zlib, PNG and Ethernet. */
static uint32_t crc32_of(const char *text, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return ~crc;
}

static void put_check(const char *text, char out[CHECK_LEN])
{
	uint32_t crc = crc32_of(text, CHECK_AT);

	for (int i = CHECK_LEN - 1; i >= 0; i--, crc /= DIGITS)
		out[i] = digits[crc % DIGITS];
}

/* 248 is the highest multiple of 62 in a byte: what is above it would favour the first digits. */
static void put_random(char *out, size_t len)
{
	unsigned char byte;

	while (len > 0) {
		if (getrandom(&byte, 1, 0) != 1)
			abort();
		if (byte >= 248)
			continue;
		*out++ = digits[byte % DIGITS];
		len--;
	}
}

void key_text_make(char out[KEY_TEXT_LEN + 1])
{
	memcpy(out, KEY_PREFIX, ID_AT);
	put_random(out + ID_AT, KEY_ID_LEN);
	out[ID_AT + KEY_ID_LEN] = '_';
	put_random(out + ID_AT + KEY_ID_LEN + 1, SECRET_LEN);
	put_check(out, out + CHECK_AT);
	out[KEY_TEXT_LEN] = '\0';
}

static bool has_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!text[i] || !strchr(digits, text[i]))
			return false;
	return true;
}

bool key_text_valid(struct slice text)
{
	char check[CHECK_LEN];

	if (text.len != KEY_TEXT_LEN || !slice_starts(text, SLICE(KEY_PREFIX)) ||
	    !has_digits(text.ptr + ID_AT, KEY_ID_LEN) || text.ptr[ID_AT + KEY_ID_LEN] != '_' ||
	    !has_digits(text.ptr + ID_AT + KEY_ID_LEN + 1, SECRET_LEN + CHECK_LEN))
		return false;
	put_check(text.ptr, check);
	return memcmp(check, text.ptr + CHECK_AT, CHECK_LEN) == 0;
}

struct slice key_text_id(struct slice text)
{
	return (struct slice){ text.ptr + ID_AT, KEY_ID_LEN };
}

void key_text_digest(struct slice text, unsigned char out[KEY_DIGEST_SIZE])
{
	SHA256((const unsigned char *)text.ptr, text.len, out);
}
