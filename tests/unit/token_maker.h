/* token_maker: signs tokens of any kind, good and bad, for tests. All texts are malloc'ed. */
#ifndef TESTS_UNIT_TOKEN_MAKER_H
#define TESTS_UNIT_TOKEN_MAKER_H

#include "../../src/guard/jose_alg.h"
#include "base/base64url.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define TOKEN_SECRET "0123456789abcdef0123456789abcdef"

static inline char *joined(const char *a, const char *b, const char *c)
{
	size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
	char *text = malloc(size);

	assert_non_null(text);
	snprintf(text, size, "%s%s%s", a, b, c);
	return text;
}

static inline char *base64url_of(const void *bytes, size_t len)
{
	char *text = malloc(BASE64URL_LEN(len) + 1);

	assert_non_null(text);
	base64url_write(bytes, len, text);
	return text;
}

/* header.payload */
static inline char *unsigned_of(const char *header, const char *payload)
{
	char *a = base64url_of(header, strlen(header)), *b = base64url_of(payload, strlen(payload));
	char *text = joined(a, ".", b);

	free(a);
	free(b);
	return text;
}

static inline char *with_signature(char *text, const void *signature, size_t len)
{
	char *encoded = base64url_of(signature, len), *token = joined(text, ".", encoded);

	free(encoded);
	free(text);
	return token;
}

static inline char *mac_of(const EVP_MD *digest, const char *secret, const char *header,
			   const char *payload)
{
	char *text = unsigned_of(header, payload);
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len;

	HMAC(digest, secret, (int)strlen(secret), (unsigned char *)text, strlen(text), mac, &len);
	return with_signature(text, mac, len);
}

static inline char *hs256(const char *payload)
{
	return mac_of(EVP_sha256(), TOKEN_SECRET, "{\"alg\":\"HS256\"}", payload);
}

/* r || s of an EC signature. */
static inline size_t raw_of(unsigned char *signature, size_t len, size_t size)
{
	const unsigned char *at = signature;
	ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)len);

	assert_non_null(parts);
	BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, (int)size);
	BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + size, (int)size);
	ECDSA_SIG_free(parts);
	return 2 * size;
}

/* alg: what is really done, whatever the header says. */
static inline char *signed_by(EVP_PKEY *key, const char *alg, const char *header,
			      const char *payload)
{
	const struct jose_alg *how = jose_alg_of(slice_of(alg));
	char *text = unsigned_of(header, payload);
	unsigned char signature[2048];
	size_t len = sizeof signature;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options;

	assert_int_equal(
		EVP_DigestSignInit(ctx, &options, how->digest ? how->digest() : NULL, NULL, key),
		1);
	if (how->kind == JOSE_RSA_PSS) {
		EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(ctx, signature, &len, (unsigned char *)text, strlen(text)),
			 1);
	EVP_MD_CTX_free(ctx);
	if (how->kind == JOSE_EC)
		len = raw_of(signature, len, how->size);
	return with_signature(text, signature, len);
}

static inline char *pem_of(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes, *text;
	long len;

	PEM_write_bio_PUBKEY(bio, key);
	len = BIO_get_mem_data(bio, &bytes);
	text = strndup(bytes, (size_t)len);
	BIO_free(bio);
	return text;
}

#endif
