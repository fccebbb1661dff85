/*
 * limit: how often a caller may do something. Counted in shared memory, by all workers together and
 * to the last one (guard/gcra.c), and in Redis where several machines are one site (REDIS_URL).
 *
 * A caller is counted as its user. One that can be somebody else with the next request (a visitor,
 * or anybody) is counted by its address too: the IPv4 address, or the IPv6 /64, and the /48 around
 * it with ten times as much. What one count refuses is not counted by the others.
 *
 * Any request thread. Without Redis nothing here waits; with it a call waits a tenth of a second at
 * worst (guard/redis.h).
 *
 * Headers: draft-ietf-httpapi-ratelimit-headers-11. The caller's numbers are those of the count
 * that has least left.
 */
#ifndef GUARD_LIMIT_H
#define GUARD_LIMIT_H

#include "base/reach.h"
#include "guard/guard.h"

enum limit_policy {
	LIMIT_CHAT, /* questions; with it all of the site's together (C1D_LIMIT_SITE) */
	LIMIT_READ,
	LIMIT_WRITE,
};

/* What was counted, so that it can be given back. Zeroed: nothing was. */
struct limit_taken {
	bool any;
	enum limit_policy policy;
	int64_t at_us;    /* monotonic */
	int64_t redis_us; /* the same moment on Redis' clock; 0: it was not asked */
};

/* One use. Adds RateLimit-Policy and RateLimit to the response's kept headers. false:
 * ERROR_RATE_LIMITED, with retry_after_s and policy. *taken is filled either way. */
bool limit_take(struct guard *guard, const struct caller *caller, enum limit_policy policy,
		struct response *response, struct limit_taken *taken, struct error *err);
/* It was none after all: what was asked for was not done, and that is not the caller's doing. */
void limit_give_back(struct guard *guard, const struct caller *caller,
		     const struct limit_taken *taken);

/* Bad credentials, by address (C1D_LIMIT_FAILED). Asked before any is looked at, and again by
 * counting one that was bad: of many that are looked at at once, no more than the limit are told
 * that they were. false: ERROR_RATE_LIMITED. */
bool limit_failed_allows(struct guard *guard, const struct request *request, struct error *err);
bool limit_failed_take(struct guard *guard, const struct request *request, struct error *err);

/* What a worker has to reach for it. */
void limit_reach(const struct config *config, struct reach *reach);
/* For `c1d check`: can Redis be used? *shared: there is one. */
bool limit_try(const struct config *config, bool *shared, struct error *err);

#endif
