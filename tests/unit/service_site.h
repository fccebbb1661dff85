/*
 * service_site: a service of its own for each test, with a board, a spool and a store, an SQLite
 * file. Its folder is made first: what is to lie there before it begins, a test puts there.
 */
#ifndef SERVICE_SITE_H
#define SERVICE_SITE_H

#include "../../src/service/service_room.h"

#include "folder.h"

static char store_path[96], spool[128];
static struct shm *shm;
static struct engine *engine;
static struct service *service;
static struct arena arena;

static inline bool service_begin(void)
{
	static struct config config;
	static char uri[128];

	if (!(shm = shm_map(NULL, NULL)))
		return false;
	snprintf(store_path, sizeof store_path, "%s/c1d.db", folder);
	snprintf(spool, sizeof spool, "%s/spool", folder);
	snprintf(uri, sizeof uri, "sqlite:%s", store_path);
	config = (struct config){ .state_dir = folder,
				  .spool_path = spool,
				  .store_uri = uri,
				  .spool_max = 1 << 20,
				  .runs_max = 10 };
	engine = engine_open(&config, shm, &shm->slots[0], NULL);
	service = engine ? service_open(&config, shm, engine, NULL) : NULL;
	arena_init(&arena, 1 << 22);
	return service != NULL;
}

static inline int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	service_close(service);
	engine_free(engine);
	shm_unmap(shm);
	return folder_remove();
}

#endif
