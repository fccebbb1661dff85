/*
 * base64url: bytes as letters (RFC 4648, section 5) without padding, as cookies and tokens carry
 * them. Each run of bytes has one form and no other is read, so that a signed text cannot be
 * written in two ways. Pure.
 */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include "base/slice.h"

/* Letters of so many bytes, without a NUL. */
#define BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)

/* BASE64URL_LEN(len) letters and a NUL. */
void base64url_write(const void *bytes, size_t len, char *out);
/* At most max bytes. false: not that form, or more; *out is then not to be used. */
bool base64url_read(struct slice text, void *out, size_t max, size_t *len);

#endif
