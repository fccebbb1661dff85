/*
 * request_thread: the threads of a worker that serve short requests and prepare streams. All wait
 * in one epoll (kept.h) for a connection, for a next request on one that was kept, or for what
 * another worker hands over (spread.h). Whoever is woken does everything that blocks (serve.h).
 *
 * Stop: a connection that we close while its web server sends a request over it would be an error
 * that nobody made, and a web server that is nginx closes each by itself soon (c1d-upstream.conf).
 * So connections are served on for a while, and only no new ones are taken.
 */
#ifndef SERVER_REQUEST_THREAD_H
#define SERVER_REQUEST_THREAD_H

#include "request_work.h"

struct request_threads;

/* ERROR_INTERNAL unless each of them can wait for connections. */
struct request_threads *request_threads_start(const struct request_work *work, struct error *err);
/* How long the longest request under way takes already. */
int64_t request_threads_busy_ms(const struct request_threads *threads);

/* For the main thread alone: */

/* Serves what waits at workers that do not move, and hands on what waits here when we do not;
 * listens anew (a connection wakes one thread of one worker, which may die or stand still before it
 * is accepted); closes what waits for too long. Each half second. */
void request_threads_look(struct request_threads *threads);
/* No further connection is accepted. Those there are may bring requests until they are gone, or
 * until then (monotonic); requests under way are answered, and then the threads end. Told again: an
 * earlier end. */
void request_threads_tell(struct request_threads *threads, int64_t linger_until_ms);
bool request_threads_over(struct request_threads *threads); /* have they? To be asked again. */
/* The same, waits for all of them, and frees. NULL is fine. */
void request_threads_stop(struct request_threads *threads);

#endif
