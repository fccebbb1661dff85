/* store_gate: a counter with a queue in front of it. */
#include "store_gate.h"

#include "base/clock.h"

#define WAIT_MS 250

void gate_init(struct gate *gate, size_t places)
{
	pthread_condattr_t monotonic;

	*gate = (struct gate){ .places = places };
	pthread_mutex_init(&gate->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&gate->left, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void gate_done(struct gate *gate)
{
	pthread_cond_destroy(&gate->left);
	pthread_mutex_destroy(&gate->lock);
}

bool gate_enter(struct gate *gate)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	const struct timespec until = { .tv_sec = until_ms / 1000,
					.tv_nsec = until_ms % 1000 * 1000000 };
	bool ok;

	pthread_mutex_lock(&gate->lock);
	while (!(ok = gate->inside < gate->places) &&
	       pthread_cond_timedwait(&gate->left, &gate->lock, &until) == 0)
		;
	gate->inside += ok;
	pthread_mutex_unlock(&gate->lock);
	return ok;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	pthread_cond_signal(&gate->left);
	pthread_mutex_unlock(&gate->lock);
}
