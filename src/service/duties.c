/*
 * duties: what a worker does besides answering. Each duty is done by one worker of the pool at a
 * time: whoever moves its clock in the shared memory on.
 *
 * Duties that may stand still for seconds, each for a reason of its own (the store, the C1 API, a
 * disk), have threads of their own, so that none keeps another from its work: a store that hangs in
 * one call is still probed by the next.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/cond.h"
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>

#define ORPHANS_AT_ONCE 256
#define SWEEP_AT_ONCE   256
#define KEPT_TIGHT_MS   (60 * 1000)      /* where there is little room for new ones */
#define KEPT_MS         (15 * 60 * 1000) /* a saved answer stays in the spool so long, for resumes */

enum lane_name { LANE_PROBE, LANE_STORE, LANE_SPOOL, LANE_MODEL, LANES };

struct duty {
	enum lane_name lane;
	int64_t every_ms;
	size_t clock;    /* in struct shm: when the pool did it last; 0: every worker does it */
	bool asks_store; /* not while it is down */
	void (*work)(struct service *service);
};

/* --- the duties --- */

/* store_probe lets one of the pool ask; every worker sees what came of it. */
static void probe_store(struct service *service)
{
	bool was_up = service->store_seen_up;

	service->store_seen_up = store_probe(service->savers_store);
	if (!service->store_seen_up)
		atomic_store(&service->store_seen_down_ms, clock_mono_ms());
	if (service->store_seen_up && !was_up)
		savers_store_is_back(service->savers);
}

/* One whose owner lives after all is looked at again the next time; one without a file is over. */
static void adopt_one(struct service *service, const char *run_id)
{
	struct error err = { 0 };
	struct spool *spool = spool_adopt(service->spools, run_id, clock_wall_ms(), &err);

	if (spool) {
		board_adopt(service->board, run_id, service->slot);
		savers_add(service->savers, spool);
	} else if (err.code == ERROR_NOT_FOUND || err.code == ERROR_CORRUPT) {
		board_remove(service->board, run_id);
	}
}

static void adopt_orphans(struct service *service)
{
	static char run_ids[ORPHANS_AT_ONCE][ID_MAX + 1]; /* one thread of the worker does this */
	size_t count = board_orphans(service->board, run_ids, ORPHANS_AT_ONCE);

	for (size_t i = 0; i < count; i++)
		adopt_one(service, run_ids[i]);
}

static void remove_kept(struct service *service, int64_t kept_ms)
{
	while (spool_sweep(service->spools, clock_wall_ms() - kept_ms, SWEEP_AT_ONCE))
		sched_yield();
}

static void sweep_spool(struct service *service)
{
	remove_kept(service, KEPT_MS);
}

/* Before new answers are refused for the sake of old ones. */
static void relieve_spool(struct service *service)
{
	if (spool_is_tight(service->spools))
		remove_kept(service, KEPT_TIGHT_MS);
}

static const struct duty table[] = {
	{ LANE_PROBE, 500, 0, false, probe_store },
	{ LANE_SPOOL, 2000, offsetof(struct shm, adopt_ms), false, adopt_orphans },
	{ LANE_SPOOL, 60 * 1000, offsetof(struct shm, sweep_ms), false, sweep_spool },
	{ LANE_SPOOL, 10 * 1000, offsetof(struct shm, relief_ms), false, relieve_spool },
	{ LANE_STORE, 5000, offsetof(struct shm, beat_ms), true, nodes_beat },
	{ LANE_STORE, 1000, offsetof(struct shm, wishes_ms), true, nodes_look_for_wishes },
	{ LANE_MODEL, 30 * 1000, offsetof(struct shm, look_ms), false, upstream_look },
};
#define DUTIES ((int)(sizeof table / sizeof table[0]))

/* --- their threads --- */

struct lane {
	struct duties *duties;
	enum lane_name name;
	pthread_t thread;
};

struct duties {
	struct service *service;
	struct lane lanes[LANES];
	int started;
	pthread_mutex_t lock; /* guards stopping */
	pthread_cond_t changed;
	bool stopping;
};

/* Is it this worker's turn? Whoever of the pool moves the clock on has it. */
static bool is_due(const struct service *service, const struct duty *duty, int64_t now_ms)
{
	_Atomic int64_t *clock;
	int64_t last_ms;

	if (duty->asks_store && store_is_down(service->store))
		return false;
	if (!duty->clock)
		return true;
	clock = (_Atomic int64_t *)((char *)service->shm + duty->clock);
	last_ms = atomic_load(clock);
	return (last_ms == 0 || now_ms - last_ms >= duty->every_ms) &&
	       atomic_compare_exchange_strong(clock, &last_ms, now_ms);
}

/* Does what is due. Returns how long the lane may rest. */
static int64_t do_lane(const struct lane *lane)
{
	struct service *service = lane->duties->service;
	int64_t rest_ms = INT64_MAX;

	for (int i = 0; i < DUTIES; i++) {
		const struct duty *duty = &table[i];
		if (duty->lane != lane->name)
			continue;
		if (is_due(service, duty, clock_mono_ms()))
			duty->work(service);
		if (duty->every_ms / 2 < rest_ms)
			rest_ms = duty->every_ms / 2;
	}
	return rest_ms;
}

static void *lane_thread(void *arg)
{
	struct lane *lane = arg;
	struct duties *duties = lane->duties;
	bool stopping;

	do {
		int64_t until_ms = clock_mono_ms() + do_lane(lane);

		pthread_mutex_lock(&duties->lock);
		if (!duties->stopping)
			cond_wait_until(&duties->changed, &duties->lock, until_ms);
		stopping = duties->stopping;
		pthread_mutex_unlock(&duties->lock);
	} while (!stopping);
	return NULL;
}

/* --- life --- */

struct duties *duties_open(struct service *service, struct error *err)
{
	struct duties *duties = calloc(1, sizeof *duties);

	if (!duties) {
		error_set(err, ERROR_INTERNAL, "No memory for the duties.");
		return NULL;
	}
	duties->service = service;
	pthread_mutex_init(&duties->lock, NULL);
	cond_init(&duties->changed);
	return duties;
}

bool duties_start(struct duties *duties, struct error *err)
{
	for (; duties->started < LANES; duties->started++) {
		struct lane *lane = &duties->lanes[duties->started];

		*lane = (struct lane){ .duties = duties, .name = duties->started };
		if (pthread_create(&lane->thread, NULL, lane_thread, lane) != 0)
			return error_set(err, ERROR_INTERNAL, "A duty could not be started.");
	}
	return true;
}

void duties_stop(struct duties *duties)
{
	pthread_mutex_lock(&duties->lock);
	duties->stopping = true;
	pthread_cond_broadcast(&duties->changed);
	pthread_mutex_unlock(&duties->lock);
	while (duties->started > 0)
		pthread_join(duties->lanes[--duties->started].thread, NULL);
}

void duties_free(struct duties *duties)
{
	if (!duties)
		return;
	pthread_cond_destroy(&duties->changed);
	pthread_mutex_destroy(&duties->lock);
	free(duties);
}
