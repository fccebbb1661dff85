/* service: opens what a worker's request threads and savers work with, and says how it is. */
#include "service_room.h"

#include "base/clock.h"
#include "base/log.h"
#include "llm/llm_health.h"
#include <stdlib.h>

struct service *service_open(const struct config *config, struct shm *shm, struct engine *engine,
			     struct error *err)
{
	struct spool_limits limits = { .reserve = config->spool_reserve,
				       .total = config->spool_max };
	struct service *service = calloc(1, sizeof *service);

	if (!service) {
		error_set(err, ERROR_INTERNAL, "No memory for the service.");
		return NULL;
	}
	service->config = config;
	service->shm = shm;
	service->engine = engine;
	service->board = engine_board(engine);
	service->slot = engine_board_slot(engine);
	service->store_seen_down_ms = clock_mono_ms(); /* what was before is not known */
	if (!node_name(config->state_dir, service->node, err) ||
	    !(service->spools = spool_dir_open(config->spool_path, &limits,
					       board_spool_bytes(service->board), err)) ||
	    !(service->store = store_open(config, shm, err)) ||
	    !(service->savers_store = store_for_savers(service->store)) ||
	    !(service->savers = savers_open(service, err)) ||
	    !(service->duties = duties_open(service, err))) {
		service_close(service);
		return NULL;
	}
	board_rebuild(service->board, service->slot, service->spools);
	return service;
}

void service_close(struct service *service)
{
	if (!service)
		return;
	duties_free(service->duties);
	savers_free(service->savers);
	spool_ahead_free(service->ahead);
	store_free(service->store);
	spool_dir_free(service->spools);
	free(service);
}

bool service_start(struct service *service, struct error *err)
{
	return savers_start(service->savers, err) && duties_start(service->duties, err) &&
	       (service->ahead = spool_ahead_start(service->spools, err));
}

void service_stop(struct service *service, int64_t deadline_ms)
{
	savers_stop(service->savers, deadline_ms);
	duties_stop(service->duties);
	spool_ahead_stop(service->ahead);
}

void service_run_ended(void *ctx, struct spool *spool)
{
	struct service *service = ctx;

	savers_add(service->savers, spool);
}

void service_health(struct service *service, struct health *out)
{
	const struct shm *shm = service->shm;
	struct llm_health llm = llm_health(shm);
	int64_t down_since = shm ? atomic_load(&shm->store_down_since_ms) : 0;

	*out = (struct health){
		.store_up = !store_is_down(service->store),
		.store_full = store_is_full(service->store),
		.store_down_since_ms =
			down_since ? clock_wall_ms() - (clock_mono_ms() - down_since) : 0,
		.store_kind = store_kind(service->store),
		.llm_known = llm.known,
		.llm_up = llm.up,
		.llm_last_ok_ms = llm.last_ok_ms,
		.llm_last_error_ms = llm.last_error_ms,
	};
}
