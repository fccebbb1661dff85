/*
 * store_fold: text of which letters that differ by case alone have become the same, for stores
 * whose own search knows ASCII only.
 */
#ifndef STORE_FOLD_H
#define STORE_FOLD_H

#include "base/arena.h"

/* What it takes is loaded once, for good; its files are out of reach later. false: it is not there
 * (no C.UTF-8). */
bool store_fold_wake(void);

/* Room for what `len` bytes fold to, with what is used while it is made. */
#define STORE_FOLD_SIZE(len) ((len)*2 + 16)
/* How many bytes it has become. Text that is no UTF-8 ends there. */
size_t store_fold_into(struct slice text, char *out);
/* From the arena; ptr NULL: no memory. */
struct slice store_fold(struct slice text, struct arena *arena);

#endif
