/*
 * store_cache: threads and their newest messages, kept in Redis in front of another store. It is a
 * store itself: what it does not know, and all that needs the truth, it asks the one behind it.
 *
 * cache/cache_room.h says what is kept and why it is never old.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "store_ops.h"

/* Do the settings ask for one, in front of this store? Not before Redis itself. (limit_reach says
 * what it takes to reach it.) */
bool cache_is_wanted(const struct config *config, const char *uri);
/* Would that Redis do? kind: what people call the store. */
bool cache_try(const struct config *config, const char *kind, const char *uri, struct error *err);

/* Takes the place of *ops and its self, which it frees with itself. NULL, and neither is touched:
 * no memory. The strings of config->redis outlive it. */
void *cache_open(const struct config *config, const char *kind, const char *uri, struct shm *shm,
		 const struct store_ops **ops, void *self, struct error *err);

#endif
