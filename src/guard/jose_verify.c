/*
 * jose_verify: see jose_verify.h.
 *
 * By OpenSSL itself and not by libjwt: the one of Debian 12 (1.10.2) knows neither PS256 nor EdDSA,
 * both it and Debian 13's (1.17.2) let the last of two members of the same name win, ignore what
 * follows the first foreign character of base64, compare MACs as text, and parse the PEM of the key
 * for each token. What would be left of them is this file.
 */
#include "jose_verify.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#define DER_MAX 160 /* of the largest EC signature */

/* In constant time, whatever is wrong with it (CVE-2024-25189 is what happens else). */
static bool is_mac(const struct jose_key *key, const struct jose_alg *alg, struct slice text,
		   const unsigned char *signature, size_t len)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	return HMAC(alg->digest(), key->secret, (int)key->secret_len,
		    (const unsigned char *)text.ptr, text.len, mac, &size) &&
	       len == size && CRYPTO_memcmp(mac, signature, size) == 0;
}

/* r || s, each as long as the curve (RFC 7518, 3.4), as OpenSSL takes it. Zeros are no signature:
 * it refuses them, too, and so did Java until CVE-2022-21449 showed that it did not. 0: it is none.
 */
static int der_of(const struct jose_alg *alg, const unsigned char *signature, size_t len,
		  unsigned char out[DER_MAX])
{
	ECDSA_SIG *parts = len == 2 * alg->size ? ECDSA_SIG_new() : NULL;
	BIGNUM *r = BN_bin2bn(signature, (int)(len / 2), NULL);
	BIGNUM *s = BN_bin2bn(signature + len / 2, (int)(len / 2), NULL);
	int size = 0;

	if (parts && r && s && !BN_is_zero(r) && !BN_is_zero(s) && ECDSA_SIG_set0(parts, r, s)) {
		r = s = NULL; /* they are its own now */
		size = i2d_ECDSA_SIG(parts, NULL);
		size = size > 0 && size <= DER_MAX ? i2d_ECDSA_SIG(parts, &out) : 0;
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(parts);
	return size;
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct jose_alg *alg)
{
	if (alg->kind == JOSE_RSA)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	return alg->kind != JOSE_RSA_PSS ||
	       (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0);
}

static bool is_signed(const struct jose_key *key, const struct jose_alg *alg, struct slice text,
		      const unsigned char *signature, size_t len)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	bool ok = digest &&
		  EVP_DigestVerifyInit(digest, &ctx, alg->digest ? alg->digest() : NULL, NULL,
				       key->pkey) == 1 &&
		  set_padding(ctx, alg) &&
		  EVP_DigestVerify(digest, signature, len, (const unsigned char *)text.ptr,
				   text.len) == 1;

	EVP_MD_CTX_free(digest);
	ERR_clear_error();
	return ok;
}

bool jose_verify(const struct jose_key *key, const struct jose_alg *alg, struct slice text,
		 const unsigned char *signature, size_t len)
{
	unsigned char der[DER_MAX];
	int size;

	if (!(key->algs & jose_alg_bit(alg)))
		return false;
	switch (alg->kind) {
	case JOSE_HMAC: return is_mac(key, alg, text, signature, len);
	case JOSE_EC:
		size = der_of(alg, signature, len, der);
		return size > 0 && is_signed(key, alg, text, der, (size_t)size);
	case JOSE_ED: return len == alg->size && is_signed(key, alg, text, signature, len);
	default: /* a signature is as long as the modulus */
		return len == (size_t)EVP_PKEY_get_size(key->pkey) &&
		       is_signed(key, alg, text, signature, len);
	}
}
