/* store_gate: a counter with a queue in front of it. */
#include "store_gate.h"

#include "base/clock.h"
#include "base/cond.h"

#define WAIT_MS  1500 /* while others come out */
#define STILL_MS 500  /* nobody came out for so long: waiting holds threads for nothing */

void gate_init(struct gate *gate, size_t places, size_t may_wait)
{
	*gate = (struct gate){ .places = places, .may_wait = may_wait };
	pthread_mutex_init(&gate->lock, NULL);
	cond_init(&gate->left);
}

void gate_done(struct gate *gate)
{
	pthread_cond_destroy(&gate->left);
	pthread_mutex_destroy(&gate->lock);
}

bool gate_enter(struct gate *gate)
{
	int64_t now_ms = clock_mono_ms(), end_ms = now_ms + WAIT_MS;
	bool ok;

	pthread_mutex_lock(&gate->lock);
	while (!(ok = gate->inside < gate->places)) {
		int64_t still_ms = gate->moved_ms + STILL_MS;

		if (now_ms >= still_ms || now_ms >= end_ms || gate->waiting >= gate->may_wait)
			break;
		gate->waiting++;
		cond_wait_until(&gate->left, &gate->lock, still_ms < end_ms ? still_ms : end_ms);
		gate->waiting--;
		now_ms = clock_mono_ms();
	}
	if (ok) {
		gate->inside++;
		gate->moved_ms = now_ms;
	}
	pthread_mutex_unlock(&gate->lock);
	return ok;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	gate->moved_ms = clock_mono_ms();
	pthread_cond_signal(&gate->left);
	pthread_mutex_unlock(&gate->lock);
}
