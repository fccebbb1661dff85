/*
 * sandbox_probes: a worker of a test build tries what it must not be able to do. In any other build
 * this is nothing.
 *
 * In the folder crash/ of the state folder (base/crashpoint.h) a file `probe` asks the first worker
 * that comes by for it; a file `without-calls` (files, ports, signals) leaves that layer out from a
 * worker's start on, to show that its absence is noticed.
 */
#ifndef SERVER_SANDBOX_PROBES_H
#define SERVER_SANDBOX_PROBES_H

#include "base/shm.h"

#ifdef C1D_CRASHPOINTS
#define SANDBOX_LEFT_OUT(state_dir)          sandbox_left_out(state_dir)
#define SANDBOX_PROBES(state_dir, shm, slot) sandbox_probes(state_dir, shm, slot)
unsigned sandbox_left_out(const char *state_dir);
/* A line of the log for each act; on the main thread, while the worker works. */
void sandbox_probes(const char *state_dir, const struct shm *shm, const struct shm_slot *own);
#else
#define SANDBOX_LEFT_OUT(state_dir)          0u
#define SANDBOX_PROBES(state_dir, shm, slot) ((void)0)
#endif

#endif
