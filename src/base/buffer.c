/* buffer: bytes that grow by half as much again, never beyond their cap. */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#define SIZE_FIRST 256

void buffer_init(struct buffer *b, size_t max)
{
	*b = (struct buffer){ .max = max };
}

void buffer_done(struct buffer *b)
{
	if (!b)
		return;
	free(b->data);
	loan_resize(&b->loan, 0);
	*b = (struct buffer){ 0 };
}

/* Room for n more bytes and the NUL. */
static bool grow(struct buffer *b, size_t n)
{
	size_t size;
	char *data;

	if (b->failed || n > b->max - b->len) {
		b->failed = true;
		return false;
	}
	if (b->size > b->len + n)
		return true;
	size = b->size + b->size / 2;
	if (size < SIZE_FIRST)
		size = SIZE_FIRST;
	if (size < b->len + n + 1)
		size = b->len + n + 1;
	if (size > b->max + 1)
		size = b->max + 1;
	data = loan_resize(&b->loan, size) ? realloc(b->data, size) : NULL;
	if (!data) {
		loan_resize(&b->loan, b->size);
		b->failed = true;
		return false;
	}
	b->data = data;
	b->size = size;
	return true;
}

bool buffer_append_grown(struct buffer *b, struct slice bytes)
{
	if (!grow(b, bytes.len))
		return false;
	if (bytes.len > 0)
		memcpy(b->data + b->len, bytes.ptr, bytes.len);
	b->len += bytes.len;
	b->data[b->len] = '\0';
	return true;
}

bool buffer_vappendf(struct buffer *b, const char *format, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0 || !grow(b, (size_t)n)) {
		b->failed = true;
		return false;
	}
	vsnprintf(b->data + b->len, (size_t)n + 1, format, ap);
	b->len += (size_t)n;
	return true;
}

bool buffer_appendf(struct buffer *b, const char *format, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, format);
	ok = buffer_vappendf(b, format, ap);
	va_end(ap);
	return ok;
}

char *buffer_reserve(struct buffer *b, size_t n)
{
	return grow(b, n) ? b->data + b->len : NULL;
}

void buffer_commit(struct buffer *b, size_t n)
{
	b->len += n;
	b->data[b->len] = '\0';
}

void buffer_consume(struct buffer *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

void buffer_cut(struct buffer *b, size_t len)
{
	b->len = len;
	b->failed = false;
	if (b->data)
		b->data[len] = '\0';
}

void buffer_reset(struct buffer *b)
{
	buffer_cut(b, 0);
}

void buffer_shrink(struct buffer *b, size_t keep)
{
	if (b->size > keep) {
		free(b->data);
		loan_resize(&b->loan, 0);
		b->data = NULL;
		b->size = 0;
	}
	buffer_reset(b);
}
