/* check_cache: whether threads are kept in Redis in front of the store, and whether that Redis
 * does. */
#include "check.h"

#include "store/store.h"
#include <signal.h>

int check_cache(const struct config *config)
{
	struct error err = { 0 };
	bool wanted;

	signal(SIGPIPE, SIG_IGN); /* a Redis that hangs up */
	if (store_try_cache(config, &wanted, &err) && wanted)
		check_say(CHECK_OK, "cache", "Redis keeps threads for %lld seconds%s",
			  (long long)config->cache_s,
			  strncmp(config->store_uri, "sqlite:", 7) == 0
				  ? "; SQLite is as fast without: C1D_CACHE_SECONDS=0"
				  : "");
	else if (wanted)
		check_say(CHECK_WARN, "cache",
			  "%s Until it does, all is asked of the store; look at REDIS_URL, the "
			  "server, and what its user may do",
			  err.detail);
	return EXIT_OK;
}
