/*
 * fuzz: what the fuzz targets share. A target is one function that is called with bytes of somebody
 * else's choice: by libFuzzer (https://llvm.org/docs/LibFuzzer.html), which looks for new ones, or
 * by replay.c, which takes them from the files of its corpus.
 *
 * It checks what has to hold for any bytes, not only that nothing crashes.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/buffer.h"
#include "base/slice.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv); /* a target may do without */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, as a crash would, when the claim does not hold. */
#define CHECK(claim) ((claim) ? (void)0 : fuzz_failed(#claim, __FILE__, __LINE__))

static inline void fuzz_failed(const char *claim, const char *file, int line)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, claim);
	abort();
}

static inline bool fuzz_contains(struct slice text, struct slice what)
{
	return text.len > 0 && memmem(text.ptr, text.len, what.ptr, what.len) != NULL;
}

/* --- an input taken apart --- */

static inline struct slice fuzz_input(const uint8_t *data, size_t size)
{
	return (struct slice){ size > 0 ? (const char *)data : "", size };
}

/* Its first byte; 0 of none. */
static inline unsigned fuzz_byte(struct slice *rest)
{
	unsigned byte = rest->len > 0 ? (unsigned char)*rest->ptr : 0;

	*rest = slice_skip(*rest, rest->len > 0);
	return byte;
}

/* Up to the next end of a line, which is dropped; all of it where there is none. */
static inline struct slice fuzz_line(struct slice *rest)
{
	const char *end = memchr(rest->ptr, '\n', rest->len);
	struct slice line = { rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len };

	*rest = slice_skip(*rest, line.len + (end != NULL));
	return line;
}

/* A copy that ends with a NUL; the caller's. */
static inline char *fuzz_text(struct slice bytes)
{
	char *text = malloc(bytes.len + 1);

	CHECK(text);
	memcpy(text, bytes.ptr, bytes.len);
	text[bytes.len] = '\0';
	return text;
}

/* --- the same bytes in pieces --- */

/* The next piece: one byte at a time for seed 0, else of lengths that follow from the seed. A copy
 * of its own, so that a reader behind its end is caught; the caller's. */
static inline struct slice fuzz_piece(struct slice *rest, unsigned *seed)
{
	size_t len = 1;
	char *copy;

	if (*seed != 0) {
		*seed = *seed * 1103515245u + 12345u;
		len = 1 + (*seed >> 16) % 23;
	}
	if (len > rest->len)
		len = rest->len;
	copy = malloc(len + (len == 0));
	CHECK(copy);
	memcpy(copy, rest->ptr, len);
	*rest = slice_skip(*rest, len);
	return (struct slice){ copy, len };
}

static inline void fuzz_piece_done(struct slice piece)
{
	free((char *)(uintptr_t)piece.ptr);
}

#endif
