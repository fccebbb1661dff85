/*
 * lanes: a few threads that share a list of things to do. A store that is asked over a network
 * waits most of the time, and one lane's reading goes on while another one writes. Private to
 * admin/.
 */
#ifndef ADMIN_LANES_H
#define ADMIN_LANES_H

#include "base/error.h"
#include <stdatomic.h>
#include <stddef.h>

#define LANES 4

struct lanes {
	size_t count;
	_Atomic size_t next;
	_Atomic bool failed; /* the others end, too */
};

/* The next thing that nobody has yet; false: there is none, or somebody failed. */
bool lanes_next(struct lanes *lanes, size_t *at);

/* Runs `lane` in each of them, until all have returned; it takes things until there are none. The
 * first error counts. */
bool lanes_run(size_t count, bool (*lane)(void *ctx, struct lanes *lanes, struct error *err),
	       void *ctx, struct error *err);

#endif
