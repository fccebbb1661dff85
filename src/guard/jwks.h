/*
 * jwks: the keys of an issuer that publishes them at an address (RFC 7517, 5; Google's
 * certificates).
 *
 * They are asked for by a thread of its own, by one worker of the pool at a time, ahead of the end
 * of the time that the answer may be kept; what came is shared by a file. A token that names an
 * unknown key makes them be asked for at once, but once in 30 seconds for the whole pool, whoever
 * asks with whatever name. An answer that holds no key of use changes nothing. While none comes the
 * last good ones count for a day; then nobody can tell who asks, which is not that nobody is let
 * in.
 */
#ifndef GUARD_JWKS_H
#define GUARD_JWKS_H

#include "base/shm.h"
#include "config/config.h"
#include "keyset.h"

struct jwks;

/* shm NULL: on its own. url has to stay. ERROR_INTERNAL, ERROR_CONFIG. */
struct jwks *jwks_open(const struct config *config, struct shm *shm, const char *url, unsigned algs,
		       struct error *err);
bool jwks_start(struct jwks *jwks, struct error *err);
void jwks_stop(struct jwks *jwks); /* also without a start; within about a second */
void jwks_free(struct jwks *jwks); /* NULL is fine */

/* A reference to what counts now; NULL: nothing does. Any thread. */
struct keyset *jwks_get(struct jwks *jwks);

/* Which of these keys are missing one that a token names: waits for newer ones, not long, if there
 * may be some. Any thread, of which few wait at once. */
enum jwks_news {
	JWKS_NEWER, /* *out: a reference to them */
	JWKS_SAME,  /* they were asked for lately, and these are all */
	JWKS_BUSY,  /* not known yet; it may be another moment */
};
enum jwks_news jwks_renew(struct jwks *jwks, const struct keyset *have, struct keyset **out);

/* How long after it came an answer is asked for anew. */
int64_t jwks_refresh_s(int64_t max_age_s);

/* Asks once, for `c1d check`: the keys, or why there are none in a sentence that names no host. */
struct keyset *jwks_try(const struct config *config, const char *url, unsigned algs,
			struct error *err);

#endif
