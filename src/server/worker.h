/* worker: one process of the pool, from its fork to its end. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "base/shm.h"
#include "server/server.h"
#include "spread.h"
#include <sys/types.h>

/* Exit codes that the supervisor acts on. */
enum { WORKER_DONE = 0, WORKER_FAILED = 1, WORKER_HOPELESS = 2 /* trying again would not help */ };

/* What a worker is told by: SIGTERM ends streams after C1D_STOP_SECONDS, SIGQUIT lets them finish
 * for C1D_DRAIN_SECONDS. */
struct worker_place {
	const struct config *config;
	const struct server_app *app;
	struct shm *shm;
	struct shm_slot *slot;
	const struct inboxes *inboxes;
	int number, listener;
	pid_t supervisor;
};

/* In the child, right after the fork, signals blocked. Returns its exit code. */
int worker_main(const struct worker_place *place);

#endif
