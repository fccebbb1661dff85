/*
 * sqlite_queue: the writers of this process, one after the other in the order in which they came;
 * and groups of them that share a transaction. Every call has the pool's lock held.
 */
#ifndef SQLITE_QUEUE_H
#define SQLITE_QUEUE_H

#include "sqlite_room.h"

#include <pthread.h>

struct sqlite_writer;

struct sqlite_queue {
	struct sqlite_writer *first, **last; /* who waits; last may be NULL while nobody does */
	bool is_writing;
};

/* Waits for its turn, until call->until_ms: false. With call->group and call->conn it goes on in a
 * transaction that others have left to it; else it begins its own. */
bool sqlite_queue_wait(struct sqlite_queue *queue, pthread_mutex_t *lock, struct sqlite_call *call);
/* The next one begins a transaction of its own. */
void sqlite_queue_pass(struct sqlite_queue *queue);
/* Leaves the call's transaction to the next one and waits for its end; *code: how it ended, or
 * ERROR_STORE_TIMEOUT. false: nobody waits who may go on in it. */
bool sqlite_queue_leave(struct sqlite_queue *queue, pthread_mutex_t *lock, struct sqlite_call *call,
			enum error_code *code);
/* The transaction of the call's group has ended so. */
void sqlite_queue_tell(struct sqlite_call *call, enum error_code code);

#endif
