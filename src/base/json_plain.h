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

/* Marks of a block: its bytes that are quotes, backslashes or controls (those of ASCII, 0x7F as
 * well), of which JSON_MARK_AT gives the first; it is taken away by marks & (marks - 1). */

#ifdef __SSE2__
#include <emmintrin.h>

#define JSON_BLOCK          16
#define JSON_MARK_AT(marks) ((size_t)__builtin_ctzll(marks))

static inline uint64_t json_marks(const char *block)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)block);
	const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
	const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F));

	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(backslash, del)));
}

#else

#define JSON_BLOCK          8
#define JSON_MARK_AT(marks) ((size_t)__builtin_ctzll(marks) / 8)

/* The highest bit of each byte that is zero, and of no other. */
static inline uint64_t json_zeroes(uint64_t bytes)
{
	const uint64_t low = 0x7F7F7F7F7F7F7F7F;

	return ~(((bytes & low) + low) | bytes | low);
}

static inline uint64_t json_marks(const char *block)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t bytes;

	memcpy(&bytes, block, sizeof bytes);
	bytes = le64toh(bytes);
	return json_zeroes(bytes & 0xE0 * ones) | json_zeroes(bytes ^ '"' * ones) |
	       json_zeroes(bytes ^ '\\' * ones) | json_zeroes(bytes ^ 0x7F * ones);
}

#endif

/* So many bytes at the beginning of a block are none of these. */
static inline size_t json_plain(const char *block)
{
	uint64_t marks = json_marks(block);

	return marks ? JSON_MARK_AT(marks) : JSON_BLOCK;
}

#endif
