/*
 * firestore_jwt: what a service account says of itself, signed (RFC 7515, 7519; RS256).
 */
#ifndef FIRESTORE_JWT_H
#define FIRESTORE_JWT_H

#include "base/buffer.h"
#include "firestore_account.h"

/* The JWT that Google's token server takes from now_s on, for an hour, appended. false: no memory,
 * or OpenSSL does not sign. */
bool firestore_jwt(const struct firestore_account *account, int64_t now_s, struct buffer *out);

#endif
