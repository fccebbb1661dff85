/*
 * jose_jwk: a key as JSON (RFC 7517, RFC 7518 6, RFC 8037). Its "alg", "use" and "key_ops" are
 * obeyed; private parts are passed over. Pure; any thread.
 */
#ifndef GUARD_JOSE_JWK_H
#define GUARD_JOSE_JWK_H

#include "base/json.h"
#include "jose_key.h"

/* "use" and "key_ops" do not speak against it. */
bool jose_jwk_is_for_checking(const struct json *jwk);
/* Fills *out, or gives why not, as jose_key.h does. */
const char *jose_jwk_read(const struct json *jwk, struct jose_key *out);

#endif
