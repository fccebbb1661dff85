/*
 * request_thread: the threads of a worker that serve short requests and prepare streams. Each waits
 * in an epoll of its own (EPOLLEXCLUSIVE: without it all threads wake for one connection), accepts,
 * or takes what another worker handed over (spread.h), and does everything that blocks.
 */
#ifndef SERVER_REQUEST_THREAD_H
#define SERVER_REQUEST_THREAD_H

#include "base/shm.h"
#include "server/server.h"
#include "spread.h"

struct request_threads;

struct request_work {
	const struct config *config;
	const struct server_app *app;
	void *app_state;
	struct engine *engine;
	struct budget *budget; /* that large requests draw from */
	struct shm_slot *slot;
	int listener; /* non-blocking */
	struct spread spread;
};

/* ERROR_INTERNAL unless each of them can wait for connections. */
struct request_threads *request_threads_start(const struct request_work *work, struct error *err);
/* How long the longest request under way takes already. */
int64_t request_threads_busy_ms(const struct request_threads *threads);
/* Serves what waits at workers that do not move. The main thread, each second. */
void request_threads_rescue(const struct request_threads *threads);
/* No further connection is accepted; requests under way are answered, and then the threads end. */
void request_threads_tell(struct request_threads *threads);
bool request_threads_over(const struct request_threads *threads); /* have they? */
/* The same, waits for all of them, and frees. NULL is fine. */
void request_threads_stop(struct request_threads *threads);

#endif
