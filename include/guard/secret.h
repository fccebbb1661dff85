/*
 * secret: what this site signs with, so that it knows its own again: visitors' cookies, cursors,
 * users in logs.
 *
 * It is a file of the state folder, made by whoever starts first, or C1D_VISITOR_SECRET where
 * several nodes share it. There may be several: the newest signs, each is good for what it signed.
 * So a rotation signs nobody out. One of the file is 90 days the newest, then a new one is made by
 * itself, and it is kept for 400 days more, as long as a cookie lives.
 *
 * Any thread. A changed file is noticed within a second, and at once by who meets a signature that
 * it does not know.
 */
#ifndef GUARD_SECRET_H
#define GUARD_SECRET_H

#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"
#include <stdint.h>

#define SECRET_MAC_SIZE 32

struct secrets;

/* Makes the file when there is none. ERROR_CONFIG for one that is damaged, may be read by others or
 * cannot be read: nothing is ever made in its place, since that would sign everybody out. */
struct secrets *secrets_open(const struct config *config, struct error *err);
void secrets_close(struct secrets *secrets); /* NULL is fine */

/* HMAC-SHA-256 by the newest. What is signed for one purpose is no signature for another. false: no
 * memory; *out is not to be used. */
bool secret_mac(struct secrets *secrets, const char *purpose, struct slice data,
		unsigned char out[SECRET_MAC_SIZE]);
/* A hash keyed by the newest, for what is to be recognised and not proved: SipHash, a fiftieth of
 * the cost. The same on every node. */
uint64_t secret_tag(struct secrets *secrets, struct slice text);
/* Did any of them sign that? The time it takes tells nothing of the right one. *is_newest (may be
 * NULL): the newest did. */
bool secret_is_mac(struct secrets *secrets, const char *purpose, struct slice data,
		   const unsigned char mac[SECRET_MAC_SIZE], bool *is_newest);

/* How they are, for `c1d check`: nothing is made. Of the file only; ERROR_NOT_FOUND: there is none
 * yet. Else as secrets_open. */
struct secret_state {
	size_t count;
	int64_t newest_ms; /* wall, when it was made */
};
bool secret_state(const struct config *config, struct secret_state *out, struct error *err);

/* `c1d secret rotate`: a new one signs from now on. ERROR_CONFIG where C1D_VISITOR_SECRET is set,
 * or as above; ERROR_CONFLICT: so many are kept that one which may still be in use would have to
 * go. */
bool secret_rotate(const struct config *config, struct error *err);

#endif
