/*
 * budget: the memory that one worker spends on what clients make large: bodies, pages, prompts.
 *
 * Caps bound each of them; this bounds their sum. A buffer or arena with a loan draws what it holds
 * and gives it back when it lets go, so whoever owns the memory owns the loan, wherever it is
 * moved. What holds no more than LOAN_FREE draws nothing: small requests are never refused for
 * others' large ones.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include "base/error.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define LOAN_FREE 65536

struct budget;

/* lent shows what is lent, refusals counts; either may be NULL. NULL with an error: no memory. */
struct budget *budget_open(int64_t max, _Atomic int64_t *lent, _Atomic uint64_t *refusals,
			   struct error *err);
void budget_free(struct budget *budget); /* NULL is fine; no loan may be left */

struct loan {
	struct budget *budget; /* NULL: nothing is counted */
	size_t held;
	int wait_left_ms; /* how long its growth may still wait for others, in all */
};

/* budget may be NULL. */
struct loan loan_of(struct budget *budget);

/* Its owner is about to hold, or holds now, so many bytes. Growth that does not fit waits a little
 * for others to give back. false: no room; nothing changed. Any thread, but growth may block: the
 * engine only shrinks. */
bool loan_resize(struct loan *loan, size_t size);

/* ERROR_OVERLOADED, to come back in a second: for those whose buffer or arena failed. */
bool budget_refused(struct error *err);

#endif
