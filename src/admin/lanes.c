/* lanes: see lanes.h. */
#include "lanes.h"

#include <pthread.h>

struct one {
	struct lanes *lanes;
	bool (*lane)(void *ctx, struct lanes *lanes, struct error *err);
	void *ctx;
	pthread_t thread;
	bool started, ok;
	struct error err;
};

bool lanes_next(struct lanes *lanes, size_t *at)
{
	if (atomic_load(&lanes->failed))
		return false;
	*at = atomic_fetch_add(&lanes->next, 1);
	return *at < lanes->count;
}

static void *run(void *arg)
{
	struct one *one = arg;

	one->ok = one->lane(one->ctx, one->lanes, &one->err);
	if (!one->ok)
		atomic_store(&one->lanes->failed, true);
	return NULL;
}

/* The first lane is who asked: there is always one. */
bool lanes_run(size_t count, bool (*lane)(void *ctx, struct lanes *lanes, struct error *err),
	       void *ctx, struct error *err)
{
	struct lanes lanes = { .count = count };
	struct one all[LANES] = { 0 };
	bool ok = true;

	for (size_t i = 0; i < LANES; i++)
		all[i] = (struct one){ .lanes = &lanes, .lane = lane, .ctx = ctx };
	for (size_t i = 1; i < LANES && i < count; i++)
		all[i].started = pthread_create(&all[i].thread, NULL, run, &all[i]) == 0;
	run(&all[0]);
	for (size_t i = 0; i < LANES; i++) {
		if (all[i].started)
			pthread_join(all[i].thread, NULL);
		if ((i == 0 || all[i].started) && !all[i].ok) {
			if (ok && err)
				*err = all[i].err;
			ok = false;
		}
	}
	return ok;
}
