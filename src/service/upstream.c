/*
 * upstream: is the C1 API there? Questions tell that by themselves; before the first, a connection
 * with TLS does, which costs nothing.
 */
#include "service_room.h"

#include "base/clock.h"
#include "net/net.h"

void upstream_look(struct service *service)
{
	const struct config *config = service->config;
	struct shm *shm = service->shm;
	bool ok;

	if (atomic_load(&shm->llm_asked))
		return;
	ok = net_probe(config->base_url, config->ca_file, config->connect_ms, NULL);
	if (!atomic_load(&shm->llm_asked))
		atomic_store(ok ? &shm->llm_last_ok_ms : &shm->llm_last_error_ms, clock_wall_ms());
}
