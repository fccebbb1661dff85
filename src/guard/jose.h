/*
 * jose: a signed token in its compact form (RFC 7515, 7.1), `header.payload.signature`, taken
 * apart.
 *
 * Nothing here trusts the token: its header is read for two words only, the algorithm, which has to
 * be one that was settled beforehand, and the key's name, which is looked up in a table that lies
 * in memory. Keys and addresses in a header (jwk, jku, x5c, x5u) are passed over; what would change
 * the meaning of the rest (crit, b64, zip, enc) is refused. RFC 8725 says why.
 *
 * Pure; any thread. What is read belongs to the arena.
 */
#ifndef GUARD_JOSE_H
#define GUARD_JOSE_H

#include "base/arena.h"
#include "base/json.h"
#include "jose_key.h"

#define JOSE_MAX           8192 /* characters; web servers take no longer header lines, too */
#define JOSE_SIGNATURE_MAX 1024 /* bytes: RSA of 8192 bits */

/* Why it was not taken. */
enum jose_fault { JOSE_FINE, JOSE_FORM, JOSE_HEADER, JOSE_ALG, JOSE_NO_MEMORY };

struct jose {
	const struct jose_alg *alg;
	struct slice kid;     /* "": none */
	struct slice text;    /* what the signature is of */
	struct slice payload; /* decoded; any bytes */
	const unsigned char *signature;
	size_t signature_len;
};

/* algs: what may have signed it. */
enum jose_fault jose_read(struct arena *arena, struct slice token, unsigned algs, struct jose *out);

#endif
