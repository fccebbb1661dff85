/*
 * spread: every worker of a generation carries its share.
 *
 * The kernel wakes whoever waited at the listener first (EPOLLEXCLUSIVE has no rotation), so left
 * alone one worker gets nearly all connections, keeps them as long as its answers last, and refuses
 * more while others are idle. Hence the worker that accepts one looks at the loads in the shared
 * memory, and hands the descriptor to the one with the least when its own is clearly above it.
 *
 * What was handed over is served where it arrives: one hop. It counts there from before it is sent,
 * so that many hands at once do not pile up on one worker.
 */
#ifndef SERVER_SPREAD_H
#define SERVER_SPREAD_H

#include "base/shm.h"
#include "server/server.h"

#define SPREAD_PLACES_MAX SERVER_WORKERS_MAX

/* A socket a place of the generation. The supervisor makes them before it forks and keeps them, so
 * that what lies in the inbox of a worker that died is its successor's. */
struct inboxes {
	int count; /* 0: there is but one worker */
	int read_end[SPREAD_PLACES_MAX], write_end[SPREAD_PLACES_MAX];
};

bool inboxes_open(struct inboxes *inboxes, int count, struct error *err);
void inboxes_close(struct inboxes *inboxes); /* zeroed is fine */

/* One worker's view; any of its request threads. */
struct spread {
	struct shm *shm;
	struct shm_slot *slot;
	const struct inboxes *inboxes;
	int64_t runs_max, threads; /* of each worker of the generation */
};

/* What spread_take reads from, to be watched for EPOLLIN; -1: nothing ever comes. */
int spread_inbox(const struct spread *spread);

/* Whether spread_place would hand a connection on. */
bool spread_is_uneven(const struct spread *spread);

/* A connection that was just accepted, or kept and has a request, and counts among
 * slot->requests_busy. Gives the one that is to be served here, -1 when it went to another worker
 * (and then it is not counted here any more).
 */
int spread_place(const struct spread *spread, int fd);

/* Puts it into our own inbox, for whichever thread of ours is free next. false: it stays here. */
bool spread_keep(const struct spread *spread, int fd);

/* A connection that another worker handed over, counted among slot->requests_busy; -1: none. */
int spread_take(const struct spread *spread);

/* Takes what lies for a second or more where nobody takes it into our own inbox. Now and then; the
 * worker's main thread. */
void spread_rescue(const struct spread *spread);

/* All our threads are at work, and none of them came to an end for a while. */
bool spread_is_stuck(const struct spread *spread);

#endif
