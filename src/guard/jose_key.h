/*
 * jose_key: one key that signatures are checked with. Its type settles which algorithms it may be
 * used for, whatever a token says (RFC 8725, 3.1); a key that is too weak to prove anything is
 * none: RSA below 2048 bits, with an exponent of 1, or of the kind that Infineon's chips made
 * (ROCA, CVE-2017-15361), a point that is not on its curve, a secret shorter than its digest.
 *
 * Unchanging once made, so any thread may use it.
 */
#ifndef GUARD_JOSE_KEY_H
#define GUARD_JOSE_KEY_H

#include "jose_alg.h"

#define JOSE_KID_MAX 255

struct jose_key {
	char kid[JOSE_KID_MAX + 1]; /* "": it has no name */
	unsigned algs;              /* that it may check: never none */
	EVP_PKEY *pkey;             /* NULL: it is a secret */
	unsigned char *secret;
	size_t secret_len;
};

/* All fill a key or say why not: a phrase of ours, for the log and for `c1d check`. */
const char *jose_key_of_secret(struct slice secret, struct jose_key *out);
const char *jose_key_of_pkey(EVP_PKEY *pkey, struct jose_key *out); /* takes pkey, always */
/* Secrets are wiped. A zeroed one is fine. */
void jose_key_done(struct jose_key *key);

#endif
