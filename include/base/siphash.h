/*
 * siphash: a keyed hash of short texts (SipHash-2-4 with 128 bits of output: Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF", 2012). Who does not know the key cannot choose
 * texts that meet in one place of a table. Pure; any thread.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/slice.h"
#include <stdint.h>

struct siphash {
	uint64_t a, b;
};

struct siphash siphash(const uint64_t key[2], struct slice text);

#endif
