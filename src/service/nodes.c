/*
 * nodes: several machines may share one store. Each renews its entry; what one left that is silent
 * for half a minute is ended by another, so that its threads take questions again. It may still put
 * its own text in when it is back (store_finish).
 */
#include "service_room.h"

#include "base/log.h"

#define DEAD_MS 30000
#define DELETED_MS                                                                                 \
	(60LL * 60 * 1000) /* a deleted thread's mark stays longer than any turn lives             \
			    */
#define CLAIMS_MAX 256
#define SWEEP_MAX  1000
#define MEMORY_MAX (4u << 20)

static void close_claim(struct service *service, const struct held_claim *claim)
{
	const struct finish finish = {
		.thread_id = claim->thread_id,
		.message_id = claim->run.message_id,
		.run_id = claim->run.id,
		.status = STATUS_INTERRUPTED,
		.content = SLICE(""),
		.usage = USAGE_UNKNOWN,
		.if_streaming = true,
	};

	if (store_finish(service->store, &finish, NULL, NULL))
		log_notice("answer of a dead node ended", LOG_T("run", claim->run.id),
			   LOG_T("node", claim->run.node));
}

void nodes_beat(struct service *service)
{
	struct claim_list claims;
	struct arena arena;
	bool more;

	arena_init(&arena, MEMORY_MAX);
	if (store_node_beat(service->store, service->node, NULL, NULL) &&
	    store_claims_of_dead(service->store, DEAD_MS, CLAIMS_MAX, &arena, &claims, NULL)) {
		for (size_t i = 0; i < claims.count; i++)
			close_claim(service, &claims.items[i]);
		store_sweep(service->store, DEAD_MS, DELETED_MS, SWEEP_MAX, &more, NULL);
	}
	arena_done(&arena);
}
