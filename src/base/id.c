/* id: UUIDv7 whose random part counts up within a millisecond, so that ids of one thread never go
 * back. */
#include "base/id.h"

#include "base/clock.h"
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static bool id_character(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || (c == '.' && !first);
}

bool id_valid(struct slice id)
{
	if (id.len == 0 || id.len > ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!id_character(id.ptr[i], i == 0))
			return false;
	return true;
}

void id_copy(char out[ID_MAX + 1], const char *id)
{
	size_t len = strnlen(id, ID_MAX);

	memcpy(out, id, len);
	out[len] = '\0';
}

void id_uuid7(char out[ID_UUID_SIZE])
{
	static _Thread_local int64_t last_ms;
	static _Thread_local unsigned sequence; /* 12 bits, RFC 9562 6.2 method 1 */
	int64_t now_ms = clock_wall_ms();
	unsigned char random[10];

	/* Without randomness no id may be made: two answers would share one. */
	if (getrandom(random, sizeof random, 0) != sizeof random)
		abort();
	if (now_ms > last_ms) {
		last_ms = now_ms;
		sequence = (random[8] << 8 | random[9]) &
			   0x7FF; /* leaves half of the range to count */
	} else if (++sequence > 0xFFF) {
		last_ms++;
		sequence = 0;
	}
	snprintf(out, ID_UUID_SIZE, "%08x-%04x-7%03x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 (unsigned)(last_ms >> 16), (unsigned)(last_ms & 0xFFFF), sequence,
		 (random[0] & 0x3F) | 0x80, random[1], random[2], random[3], random[4], random[5],
		 random[6], random[7]);
}

void id_hash(const struct slice *parts, size_t count, char out[ID_UUID_SIZE])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX sha;

/* The one-shot calls need one piece of memory; these are fine for a hash that is no secret. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	SHA256_Init(&sha);
	for (size_t i = 0; i < count; i++) {
		uint64_t len = parts[i].len;

		SHA256_Update(&sha, &len, sizeof len);
		SHA256_Update(&sha, parts[i].ptr, parts[i].len);
	}
	SHA256_Final(digest, &sha);
#pragma GCC diagnostic pop
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
