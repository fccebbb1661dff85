/*
 * arena: memory of one request, released at once. Every string a store read or a handler made lives
 * here, so nothing below a request needs a free of its own. One thread at a time.
 *
 * Failure (no memory, over the cap, no room in the budget) gives NULL and sets `failed`, which
 * stays.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/budget.h"
#include "base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used, max;
	bool failed;
	size_t allocated; /* in all its blocks */
	struct loan loan; /* whom they are drawn from: set behind arena_init, or nobody */
};

void arena_init(struct arena *a, size_t max);
void arena_done(struct arena *a);

void *arena_alloc(struct arena *a, size_t n);         /* zeroed, aligned for anything */
char *arena_copy(struct arena *a, struct slice text); /* NUL-terminated */
char *arena_text(struct arena *a, const char *text);  /* a copy; NULL gives NULL */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
