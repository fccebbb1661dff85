/*
 * fence: the layers of the sandbox around a worker (server/sandbox.h), by name, for those who tell
 * which of them stand. A set of them has a bit for each, 1 << FENCE_FILES.
 */
#ifndef BASE_FENCE_H
#define BASE_FENCE_H

#include "base/shm.h"

#define FENCE_LAYERS(X)                                                                            \
	X(FENCE_RIGHTS, "rights") /* no capability, no new privileges, memory closed to others */  \
	X(FENCE_CALLS, "calls")   /* system calls of a list: seccomp */                            \
	X(FENCE_FILES, "files")   /* files of a list: landlock, Linux 5.19 */                      \
	X(FENCE_PORTS, "ports")   /* TCP ports of a list: landlock, Linux 6.7 */                   \
	X(FENCE_SIGNALS, "signals") /* no signals to others: landlock, Linux 6.12 */

enum fence_layer {
#define X(layer, word) layer,
	FENCE_LAYERS(X)
#undef X
		FENCE_COUNT
};

#define FENCE_BIT(layer) (1u << (layer))
#define FENCE_WHOLE      (FENCE_BIT(FENCE_COUNT) - 1)
/* What every kernel that we are made for has (Debian 12: Linux 6.1). */
#define FENCE_NEEDED (FENCE_BIT(FENCE_RIGHTS) | FENCE_BIT(FENCE_CALLS) | FENCE_BIT(FENCE_FILES))

extern const char *const fence_words[FENCE_COUNT];

/* Those that stand around every worker that takes requests. */
unsigned fence_of_pool(const struct shm *shm);

/* The words of the set, separated by commas; "none" when it is empty. */
#define FENCE_LIST_SIZE 64
void fence_list(unsigned layers, char out[FENCE_LIST_SIZE]);

#endif
