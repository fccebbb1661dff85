/*
 * json_plain: the search for what does not stand for itself inside a JSON string, a block of bytes
 * at once. Private to base/.
 */
#ifndef BASE_JSON_PLAIN_H
#define BASE_JSON_PLAIN_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

#define JSON_BLOCK 16

/* So many bytes at the beginning of a block are neither quotes nor backslashes nor controls (those
 * of ASCII, 0x7F as well). */
static inline size_t json_plain(const char *block)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)block);
	const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
	const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F));
	unsigned found = (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(backslash, del)));

	return found ? (size_t)__builtin_ctz(found) : JSON_BLOCK;
}

#else

#define JSON_BLOCK        8
#define JSON_ONES         0x0101010101010101u
#define JSON_HIGHS        0x8080808080808080u
#define JSON_ZEROES(word) (((word)-JSON_ONES) & ~(word)&JSON_HIGHS)

/* The lowest mark is right; those above it may be of its borrow. */
static inline size_t json_plain(const char *block)
{
	uint64_t bytes, found;

	memcpy(&bytes, block, sizeof bytes);
	bytes = le64toh(bytes);
	found = ((bytes - 0x20 * JSON_ONES) & ~bytes & JSON_HIGHS) |
		JSON_ZEROES(bytes ^ ('"' * JSON_ONES)) | JSON_ZEROES(bytes ^ ('\\' * JSON_ONES)) |
		JSON_ZEROES(bytes ^ (0x7F * JSON_ONES));
	return found ? (size_t)__builtin_ctzll(found) / 8 : JSON_BLOCK;
}

#endif

#endif
