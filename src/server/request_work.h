/* request_work: what the request threads of a worker work with; all of it outlives them. */
#ifndef SERVER_REQUEST_WORK_H
#define SERVER_REQUEST_WORK_H

#include "base/shm.h"
#include "server/server.h"
#include "spread.h"

struct request_work {
	const struct config *config;
	const struct server_app *app;
	void *app_state;
	struct engine *engine;
	struct budget *budget; /* that large requests draw from */
	struct shm_slot *slot;
	int listener; /* non-blocking */
	int kept;     /* connections that may wait for a request */
	struct spread spread;
};

#endif
