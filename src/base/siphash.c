/* siphash: see base/siphash.h. */
#include "base/siphash.h"

#define TURN(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void turn(uint64_t v[4], int rounds)
{
	for (; rounds > 0; rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = TURN(v[1], 13) ^ v[0];
		v[3] = TURN(v[3], 16) ^ v[2];
		v[0] = TURN(v[0], 32) + v[3];
		v[2] += v[1];
		v[3] = TURN(v[3], 21) ^ v[0];
		v[1] = TURN(v[1], 17) ^ v[2];
		v[2] = TURN(v[2], 32);
	}
}

/* Up to eight bytes, the first one lowest. */
static uint64_t word_of(const char *at, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)(unsigned char)at[i] << 8 * i;
	return word;
}

static void take_in(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	turn(v, 2);
	v[0] ^= word;
}

static uint64_t give_out(uint64_t v[4])
{
	turn(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct siphash siphash(const uint64_t key[2], struct slice text)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d ^ 0xee,
			  key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	size_t whole = text.len / 8 * 8;
	struct siphash hash;

	for (size_t i = 0; i < whole; i += 8)
		take_in(v, word_of(text.ptr + i, 8));
	take_in(v, word_of(text.ptr + whole, text.len - whole) | (uint64_t)text.len << 56);
	v[2] ^= 0xee;
	hash.a = give_out(v);
	v[1] ^= 0xdd;
	hash.b = give_out(v);
	return hash;
}
