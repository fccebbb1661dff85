/*
 * waits: a request thread that waits for others (for a run to end, for a twin to begin, for another
 * node to obey) serves nobody meanwhile. For a moment each may, which is all that it takes while
 * all is well. Where the store is slow, or a node is away, it takes seconds: those half of the
 * threads may wait, and whoever finds no place has waited long enough.
 */
#include "service_room.h"

#include "base/clock.h"
#include <time.h>

#define MOMENT_MS 250

void wait_begin(struct wait *wait, struct service *service, int64_t ms)
{
	*wait = (struct wait){ .service = service, .until_ms = clock_mono_ms() + ms };
}

static bool take_place(struct wait *wait)
{
	int most = (int)wait->service->config->threads / 2;

	if (wait->has_place)
		return true;
	wait->has_place = atomic_fetch_add(&wait->service->waiting, 1) < (most > 0 ? most : 1);
	if (!wait->has_place)
		atomic_fetch_sub(&wait->service->waiting, 1);
	return wait->has_place;
}

bool wait_more(struct wait *wait, int pause_ms)
{
	const struct timespec pause = { .tv_nsec = pause_ms * 1000000L };
	int64_t now_ms = clock_mono_ms();

	if (wait->moment_ms == 0)
		wait->moment_ms = now_ms + MOMENT_MS;
	if (now_ms >= wait->until_ms || (now_ms >= wait->moment_ms && !take_place(wait)))
		return false;
	nanosleep(&pause, NULL);
	return true;
}

void wait_end(struct wait *wait)
{
	if (wait->has_place)
		atomic_fetch_sub(&wait->service->waiting, 1);
	wait->has_place = false;
}
