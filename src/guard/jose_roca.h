/*
 * jose_roca: was this RSA modulus made by the library of Infineon's chips (CVE-2017-15361, "ROCA")?
 * Such keys can be factored. Pure; any thread.
 */
#ifndef GUARD_JOSE_ROCA_H
#define GUARD_JOSE_ROCA_H

#include <openssl/bn.h>
#include <stdbool.h>

bool jose_roca_is(const BIGNUM *modulus);

#endif
