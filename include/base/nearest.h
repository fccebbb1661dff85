/*
 * nearest: what somebody may have meant: the name among those there are that is the fewest edits
 * away from a wrong one, any case. Pure.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/slice.h"

struct nearest {
	struct slice wanted;
	const char *name; /* the best so far; NULL: none is near */
	size_t edits;
};

struct nearest nearest_to(struct slice wanted);
void nearest_offer(struct nearest *nearest, const char *name);

#endif
