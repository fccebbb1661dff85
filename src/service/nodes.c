/*
 * nodes: several machines may share one store. Each renews its entry; what one left that is silent
 * for half a minute is ended by another, so that its threads take questions again. It may still put
 * its own text in when it is back (store_finish). Only the store's clock counts, for clocks of
 * machines differ.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/log.h"

#define SILENT_MS  30000
#define DELETED_MS (60LL * 60 * 1000) /* a mark of a deleted thread outlives any turn */
#define CLAIMS_MAX 64                 /* a look; the rest comes with the next */
#define SWEEP_STEP 200
#define WORK_MS    500 /* a look, of either kind; its next one is a sign of life that is due */
#define MEMORY_MAX (1u << 20)

/* Once when it begins to fail; the next look tries again. */
static void tell(struct service *service, const char *what, const struct error *err)
{
	if (!service->nodes_fail)
		log_warn("node duty failed; it is tried again", LOG_T("duty", what),
			 LOG_T("error", error_word(err->code)), LOG_T("detail", err->detail));
	service->nodes_fail = true;
}

/* Behind an outage every node looks silent, this one too: they get the time to say that they are
 * alive. Who has just begun does not know whether there was one. */
static bool may_judge(const struct service *service)
{
	return clock_mono_ms() - service->store_seen_down_ms >= SILENT_MS;
}

static bool end_claims_of_dead(struct service *service, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + WORK_MS;
	struct claim_list claims;
	struct arena arena;
	bool ok;

	arena_init(&arena, MEMORY_MAX);
	ok = store_claims_of_dead(service->savers_store, SILENT_MS, CLAIMS_MAX, &arena, &claims,
				  err);
	for (size_t i = 0; ok && i < claims.count && (i == 0 || clock_mono_ms() < until_ms); i++) {
		log_notice("a node is silent; its answer is ended",
			   LOG_T("node", claims.items[i].run.node));
		ok = runs_end_lost(service, &claims.items[i], err);
	}
	arena_done(&arena);
	return ok;
}

static bool sweep(struct service *service, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + WORK_MS;
	bool more = true;

	while (more && clock_mono_ms() < until_ms)
		if (!store_sweep(service->savers_store, SILENT_MS, DELETED_MS, SWEEP_STEP, &more,
				 err))
			return false;
	return true;
}

void nodes_beat(struct service *service)
{
	struct error err = { 0 };

	if (!store_node_beat(service->savers_store, service->node, NULL, &err))
		tell(service, "beat", &err);
	else if (may_judge(service) && !end_claims_of_dead(service, &err))
		tell(service, "recovery", &err);
	else if (!sweep(service, &err))
		tell(service, "sweep", &err);
	else
		service->nodes_fail = false;
}

/* A wish may be older than the end of its run. */
static void obey(struct service *service, const struct held_claim *claim)
{
	struct board_entry entry;

	if (!board_find(service->board, claim->run.id, &entry))
		runs_end_unlisted(service, claim, NULL);
	else if (entry.state == BOARD_RUNNING || entry.state == BOARD_STARTING)
		spool_ask_stop(service->spools, claim->run.id, NULL);
}

void nodes_look_for_wishes(struct service *service)
{
	struct claim_list claims;
	struct error err = { 0 };
	struct arena arena;

	arena_init(&arena, MEMORY_MAX);
	if (store_stops_of(service->savers_store, service->node, &arena, &claims, &err))
		for (size_t i = 0; i < claims.count; i++)
			obey(service, &claims.items[i]);
	else
		tell(service, "wishes", &err);
	arena_done(&arena);
}
