/*
 * store_gate: how many threads may be inside the store at once. What waits for a place longer than
 * a moment is told to come back, so a store that has become slow holds some request threads and
 * never all of them.
 */
#ifndef STORE_GATE_H
#define STORE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct gate {
	pthread_mutex_t lock; /* guards inside */
	pthread_cond_t left;
	size_t inside, places;
};

void gate_init(struct gate *gate, size_t places);
void gate_done(struct gate *gate);
/* false: no place became free in time. */
bool gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);

#endif
