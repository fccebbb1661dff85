/*
 * jose_verify: one signature. Any thread.
 */
#ifndef GUARD_JOSE_VERIFY_H
#define GUARD_JOSE_VERIFY_H

#include "jose_key.h"

/* Was the text signed by this key? Only by algorithms that are the key's. */
bool jose_verify(const struct jose_key *key, const struct jose_alg *alg, struct slice text,
		 const unsigned char *signature, size_t len);

#endif
