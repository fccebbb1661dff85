/* redis_open: a store is made of its address, and ends. No line is opened before somebody asks. */
#include "redis_room.h"

#include "base/log.h"
#include <stdlib.h>

void redis_store_free(struct redis_store *store)
{
	if (!store)
		return;
	redis_lines_free(store->lines);
	arena_done(&store->arena);
	free(store);
}

struct redis_store *redis_store_open(const struct store_options *options, struct error *err)
{
	struct redis_store *store = calloc(1, sizeof *store);

	if (!store) {
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
		return NULL;
	}
	arena_init(&store->arena, 1u << 16);
	store->limit_ms = options->limit_ms;
	store->size = options->callers < REDIS_LINES_MAX ? options->callers + 1 : REDIS_LINES_MAX;
	if (!redis_place_parse(options->uri, &store->arena, &store->place, err)) {
		redis_store_free(store);
		return NULL;
	}
	log_redact(store->place.url.password);
	store->lines = redis_lines_open(&store->place.url, store->size);
	if (store->lines)
		return store;
	redis_store_free(store);
	error_set(err, ERROR_INTERNAL, "No thread for what speaks to Redis.");
	return NULL;
}
