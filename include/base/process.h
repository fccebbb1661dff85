/*
 * process: what a process of ours uses, as the kernel counts it. Each tells of itself in its slot,
 * since no worker may look at another one.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/shm.h"

/* Opens what is read later, when nothing may be opened any more. Once a process, before threads;
 * again in a child that tells of itself. */
void process_open(void);
/* What this process uses now, into its slot; with `children` the processor time of its children
 * that have ended counts, too. The thread that called process_open. */
void process_tell(struct shm_slot *slot, bool children);

#endif
