/*
 * redis_url: where Redis is, as REDIS_URL says: redis://[user[:password]@]host[:port][/database] or
 * unix:[//[user[:password]@]]/path[?db=database]; %XX in user and password. Pure.
 */
#ifndef CONFIG_REDIS_URL_H
#define CONFIG_REDIS_URL_H

#include "base/arena.h"

struct redis_url {
	const char *path; /* of its socket; NULL: host and port */
	const char *host; /* NULL: there is no Redis, unless path is set */
	int port;
	const char *user, *password; /* NULL: none */
	int database;
};

/* What is wrong with it, as a sentence's end without any part of it; NULL: nothing, and *out is
 * filled from the arena (whose failure the caller looks at). */
const char *redis_url_parse(const char *text, struct arena *arena, struct redis_url *out);

#endif
