/*
 * store_mark: what the pool knows of its store: up, down, full. In shared memory, so that one
 * worker's outage is everybody's at once.
 *
 * Only a failure that is news marks a store down: a call that began before the last probe found it
 * up, and fails after that, tells of the past.
 */
#ifndef STORE_MARK_H
#define STORE_MARK_H

#include "base/error.h"
#include "base/shm.h"

struct mark {
	const char *kind; /* for the log */
	_Atomic int64_t *down_since_ms, *up_ms, *full_since_ms, *probe_ms, *returns;
	_Atomic int64_t own[5]; /* without shared memory */
	_Atomic int64_t seen;   /* of its returns, by this process */
};

void mark_init(struct mark *mark, const char *kind, struct shm *shm);

bool mark_is_down(const struct mark *mark);
bool mark_is_full(const struct mark *mark);
/* A call that began at began_ms (monotonic) could not reach it. */
void mark_down(struct mark *mark, int64_t began_ms, enum error_code why);
/* A ping that began at began_ms was answered. */
void mark_up(struct mark *mark, int64_t began_ms);
/* Has it been down and come back since this process asked that last? */
bool mark_came_back(struct mark *mark);
void mark_full(struct mark *mark, bool is_full);
/* Is it this caller's turn to probe, one of the pool each half second? */
bool mark_may_probe(struct mark *mark);

#endif
