/*
 * upstream: is the C1 API there? Questions tell that by themselves; before the first, a connection
 * with TLS does, which costs nothing.
 */
#include "service_room.h"

#include "llm/llm_health.h"
#include "net/net.h"

void upstream_look(struct service *service)
{
	const struct config *config = service->config;

	if (llm_health_wants_probe(service->shm))
		llm_health_note_probe(service->shm, net_probe(config->base_url, config->ca_file,
							      config->connect_ms, NULL));
}
