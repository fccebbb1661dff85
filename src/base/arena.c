/* arena: blocks that double up to 64 KiB; a larger piece gets a block of its own. */
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_FIRST 2048
#define BLOCK_MAX   65536
#define ALIGN       _Alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void arena_done(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *block = a->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	loan_resize(&a->loan, 0);
	*a = (struct arena){ 0 };
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
	size_t size = a->blocks ? a->blocks->size * 2 : BLOCK_FIRST;
	struct arena_block *block;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < n)
		size = n;
	block = loan_resize(&a->loan, a->allocated + size) ? malloc(sizeof *block + size) : NULL;
	if (!block) {
		loan_resize(&a->loan, a->allocated);
		return NULL;
	}
	a->allocated += size;
	block->size = size;
	block->used = 0;
	block->next = a->blocks;
	a->blocks = block;
	return block;
}

/* Not zeroed: for those who fill it at once. */
static void *take(struct arena *a, size_t n)
{
	struct arena_block *block = a->blocks;
	void *piece;

	if (n > SIZE_MAX - ALIGN)
		goto fail;
	n = (n + ALIGN - 1) / ALIGN * ALIGN;
	if (a->failed || n > a->max - a->used)
		goto fail;
	if (!block || block->size - block->used < n)
		block = add_block(a, n);
	if (!block)
		goto fail;
	piece = block->data + block->used;
	block->used += n;
	a->used += n;
	return piece;
fail:
	a->failed = true;
	return NULL;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *piece = take(a, n ? n : 1);

	if (piece)
		memset(piece, 0, n);
	return piece;
}

char *arena_copy(struct arena *a, struct slice text)
{
	char *copy = take(a, text.len + 1);

	if (!copy)
		return NULL;
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return copy;
}

char *arena_text(struct arena *a, const char *text)
{
	return text ? arena_copy(a, slice_of(text)) : NULL;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	text = n < 0 ? NULL : take(a, (size_t)n + 1);
	if (!text)
		return NULL;
	va_start(ap, format);
	vsnprintf(text, (size_t)n + 1, format, ap);
	va_end(ap);
	return text;
}
