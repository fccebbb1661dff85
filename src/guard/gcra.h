/*
 * gcra: how often each of many does something, counted by all workers together.
 *
 * The generic cell rate algorithm (ITU-T I.371, A): of each key one time is kept, until when what
 * it has used so far is paid off at the rate. Up to `burst` may be used at once, then one each
 * `every_us`. There is no window, so nothing happens at the edge of one.
 *
 * The table has a fixed size and lies in shared memory. It has no locks: a process may be killed or
 * stand still anywhere in it, and nobody waits for it. A count is one word that changes by compare
 * and exchange, so the sum over all processes is exact.
 *
 * A key has a cell from its first use until its time has passed (then it may use all of its burst
 * again, and there is nothing to remember). Only such cells are given to other keys, so a flood of
 * keys resets nobody. A key that finds its bucket full of others that still count is counted
 * together with the one of them that is paid off first: neither open nor shut, and `crowded`.
 *
 * Any thread of any process that maps the table. Times are monotonic microseconds, 1 or more.
 */
#ifndef GUARD_GCRA_H
#define GUARD_GCRA_H

#include "base/siphash.h"
#include <stdbool.h>
#include <stdint.h>

#define GCRA_CELLS 8
#define GCRA_BUCKETS                                                                               \
	32768 /* a power of two; with 65,000 keys that count, one in 5,000 is crowded */

struct gcra;
struct shm;

struct gcra_rate {
	int64_t burst;    /* 1 or more at once */
	int64_t every_us; /* then one each; 1 or more */
};

/* How a key stands behind the call. */
struct gcra_use {
	int64_t left;    /* so many may be used now */
	int64_t more_us; /* until there is one more; 0: all of the burst is there */
	bool crowded;    /* counted together with another key */
};

struct gcra *gcra_of(struct shm *shm); /* zeroed memory is an empty table */

/* One use. false: it is over the rate and nothing was counted. key: a keyed hash. */
bool gcra_take(struct gcra *table, struct siphash key, struct gcra_rate rate, int64_t now_us,
	       struct gcra_use *out);
/* What gcra_take would find; nothing is counted. */
bool gcra_may(struct gcra *table, struct siphash key, struct gcra_rate rate, int64_t now_us,
	      struct gcra_use *out);
/* A use that was taken at that time was none after all. What is paid off by now is not given back.
 */
void gcra_give_back(struct gcra *table, struct siphash key, struct gcra_rate rate, int64_t taken_us,
		    int64_t now_us);

/* How one stands that is so far ahead of its rate: for who counts elsewhere by the same algorithm.
 */
struct gcra_use gcra_use_of(struct gcra_rate rate, int64_t ahead_us);

#endif
