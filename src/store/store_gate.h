/*
 * store_gate: how many threads may be inside the store at once. A burst waits for its turn while
 * others come out; when nobody does for a moment all are told to come back, at once, so a store
 * that has become slow holds some request threads and never all of them.
 */
#ifndef STORE_GATE_H
#define STORE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t left;
	size_t inside, places;
	size_t waiting, may_wait;
	int64_t moved_ms; /* monotonic: when one last came in or out */
};

/* may_wait: how many; whoever comes then is told to come back. */
void gate_init(struct gate *gate, size_t places, size_t may_wait);
void gate_done(struct gate *gate);
/* false: no place became free in time. */
bool gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);

#endif
