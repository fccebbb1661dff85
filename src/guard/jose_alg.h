/*
 * jose_alg: the signature algorithms of RFC 7518 (3.1) and RFC 8037 that are taken, as a table. A
 * set of them is a bit mask of their places in it. Constant; any thread.
 */
#ifndef GUARD_JOSE_ALG_H
#define GUARD_JOSE_ALG_H

#include "base/slice.h"
#include <openssl/evp.h>

/* What kind of key an algorithm takes, which for all but RSA leaves one choice. */
enum jose_kind { JOSE_HMAC, JOSE_RSA, JOSE_RSA_PSS, JOSE_EC, JOSE_ED };

struct jose_alg {
	const char *name;
	enum jose_kind kind;
	const EVP_MD *(*digest)(void); /* NULL: the algorithm has its own */
	/* HMAC: bytes of the result, and of the shortest key (RFC 7518, 3.2). EC: of r and of s.
	 * EdDSA: of the signature. RSA: as its key. */
	size_t size;
	const char *curve; /* EC: as JWK and OpenSSL name it */
};

extern const struct jose_alg jose_algs[];
extern const size_t jose_alg_count;

/* By its exact name; NULL: it is none of ours. */
const struct jose_alg *jose_alg_of(struct slice name);
unsigned jose_alg_bit(const struct jose_alg *alg);
/* All of a kind; curve NULL: of any. */
unsigned jose_algs_of(enum jose_kind kind, const char *curve);

#endif
