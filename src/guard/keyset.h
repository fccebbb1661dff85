/*
 * keyset: the keys of one issuer of tokens: a secret, PEM (public keys, certificates), a JWK set
 * (RFC 7517), or certificates by name as Google serves them. All in memory: a token's key name is
 * looked up here and nowhere else.
 *
 * A set never changes; a newer one takes its place. It is shared by counting, so that the requests
 * of any thread that still use an old one may finish.
 */
#ifndef GUARD_KEYSET_H
#define GUARD_KEYSET_H

#include "base/error.h"
#include "jose_key.h"
#include <stdatomic.h>
#include <stdint.h>

#define KEYSET_MAX 64 /* keys */

struct keyset {
	_Atomic int refs;
	uint64_t serial; /* no other set of this process has it, nor ever will */
	bool by_name;    /* keys came with names: a token has to say which one it means */
	unsigned algs;   /* of all its keys together */
	size_t count;    /* at least 1 */
	int passed_over; /* of no use to us: for other purposes, of other kinds, too weak */
	struct jose_key keys[];
};

/* NULL: error's detail says why, and what would do, in a sentence. ERROR_CONFIG: it is no set of
 * keys; ERROR_OVERLOADED: no memory. */
struct keyset *keyset_of_secret(struct slice secret, struct error *err);
/* A JWK set, or certificates by name. algs: keys for none of these are passed over; a set of which
 * none is left, or where two have one name, is refused. */
struct keyset *keyset_of_json(struct slice text, unsigned algs, struct error *err);
/* The same, or PEM, whichever it is. */
struct keyset *keyset_of_text(struct slice text, unsigned algs, struct error *err);

struct keyset *keyset_ref(struct keyset *set);
void keyset_unref(struct keyset *set); /* NULL is fine */

/* The next key behind `last` (NULL: the first) that may have signed this; NULL: there is none. */
const struct jose_key *keyset_next(const struct keyset *set, const struct jose_key *last,
				   struct slice kid, const struct jose_alg *alg);

#endif
