/*
 * buffer: bytes that grow up to a cap given at birth.
 *
 *   0 ......... len ......... size ......... max
 *     written      allocated     never beyond
 *
 * A failed append (over the cap, or no memory) changes nothing but sets `failed`, which stays: a
 * writer may append many pieces and ask once at the end. data is NULL while nothing was ever
 * appended, and otherwise followed by a NUL that is not counted.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/budget.h"
#include "base/slice.h"
#include <stdarg.h>

struct buffer {
	char *data;
	size_t len, size, max;
	bool failed;
	struct loan loan; /* whom its memory is drawn from: set behind buffer_init, or nobody */
};

void buffer_init(struct buffer *b, size_t max);
void buffer_done(struct buffer *b); /* a zeroed one and NULL are fine */

bool buffer_append_grown(struct buffer *b, struct slice bytes); /* of buffer_append: may grow */

static inline bool buffer_append(struct buffer *b, struct slice bytes)
{
	if (b->failed || bytes.len >= b->size - b->len)
		return buffer_append_grown(b, bytes);
	if (bytes.len > 0)
		memcpy(b->data + b->len, bytes.ptr, bytes.len);
	b->len += bytes.len;
	b->data[b->len] = '\0';
	return true;
}

static inline bool buffer_append_char(struct buffer *b, char c)
{
	return buffer_append(b, (struct slice){ &c, 1 });
}

bool buffer_appendf(struct buffer *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool buffer_vappendf(struct buffer *b, const char *format, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Room for n more bytes; NULL over the cap. Follow with buffer_commit of at most n. */
char *buffer_reserve(struct buffer *b, size_t n);
void buffer_commit(struct buffer *b, size_t n);

void buffer_consume(struct buffer *b, size_t n); /* drops the first n bytes */
void buffer_cut(struct buffer *b, size_t len);   /* to its first len bytes, and not failed */
void buffer_reset(struct buffer *b);             /* empty and not failed; keeps its memory */
/* The same, but gives back memory beyond `keep` bytes: for one that serves again and again, after a
 * burst. */
void buffer_shrink(struct buffer *b, size_t keep);

static inline struct slice buffer_slice(const struct buffer *b)
{
	return (struct slice){ b->data ? b->data : "", b->len };
}

#endif
