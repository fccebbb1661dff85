/* jose_key: see jose_key.h. */
#include "jose_key.h"

#include "jose_roca.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#define RSA_BITS_MIN      2048 /* RFC 7518, 3.3 */
#define RSA_BITS_MAX      8192 /* a check costs the square of them */
#define EXPONENT_BITS_MAX 64

const char *jose_key_of_secret(struct slice secret, struct jose_key *out)
{
	struct jose_key key = { .secret_len = secret.len };

	for (size_t i = 0; i < jose_alg_count; i++)
		if (jose_algs[i].kind == JOSE_HMAC && secret.len >= jose_algs[i].size)
			key.algs |= jose_alg_bit(&jose_algs[i]);
	if (!key.algs)
		return "a secret has 32 bytes or more";
	if (!(key.secret = malloc(secret.len)))
		return "no memory";
	memcpy(key.secret, secret.ptr, secret.len);
	*out = key;
	return NULL;
}

/* --- public keys --- */

static const char *weakness_of_rsa(EVP_PKEY *pkey)
{
	BIGNUM *n = NULL, *e = NULL;
	const char *why = NULL;

	if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) ||
	    !EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e))
		why = "an RSA key without its numbers";
	else if (BN_num_bits(n) < RSA_BITS_MIN || BN_num_bits(n) > RSA_BITS_MAX)
		why = "an RSA key has 2048 to 8192 bits";
	else if (BN_is_one(e) || !BN_is_odd(e) || BN_num_bits(e) > EXPONENT_BITS_MAX)
		why = "an RSA key's exponent proves nothing";
	else if (jose_roca_is(n))
		why = "an RSA key that is known to be factored (CVE-2017-15361)";
	BN_free(n);
	BN_free(e);
	return why;
}

static unsigned algs_of_curve(EVP_PKEY *pkey)
{
	/* As OpenSSL names them in a key. */
	static const char *const names[][2] = { { "prime256v1", "P-256" },
						{ "secp384r1", "P-384" },
						{ "secp521r1", "P-521" } };
	char group[64];
	size_t len;

	if (!EVP_PKEY_get_group_name(pkey, group, sizeof group, &len))
		return 0;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(group, names[i][0]) == 0)
			return jose_algs_of(JOSE_EC, names[i][1]);
	return 0;
}

/* Its numbers belong together: a point lies on its curve, a modulus has no small factor. */
static bool is_sound(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static const char *read_pkey(EVP_PKEY *pkey, struct jose_key *out)
{
	const char *why = NULL;

	if (EVP_PKEY_is_a(pkey, "RSA")) {
		why = weakness_of_rsa(pkey);
		out->algs = jose_algs_of(JOSE_RSA, NULL) | jose_algs_of(JOSE_RSA_PSS, NULL);
	} else if (EVP_PKEY_is_a(pkey, "EC")) {
		out->algs = algs_of_curve(pkey);
	} else if (EVP_PKEY_is_a(pkey, "ED25519")) {
		out->algs = jose_algs_of(JOSE_ED, NULL);
	}
	if (!out->algs)
		return "a key is RSA, EC on P-256, P-384 or P-521, or Ed25519";
	return why ? why : is_sound(pkey) ? NULL : "a key whose numbers do not belong together";
}

const char *jose_key_of_pkey(EVP_PKEY *pkey, struct jose_key *out)
{
	struct jose_key key = { .pkey = pkey };
	const char *why = pkey ? read_pkey(pkey, &key) : "it is no public key";

	if (why)
		EVP_PKEY_free(pkey);
	else
		*out = key;
	return why;
}

void jose_key_done(struct jose_key *key)
{
	EVP_PKEY_free(key->pkey);
	if (key->secret)
		OPENSSL_cleanse(key->secret, key->secret_len);
	free(key->secret);
	*key = (struct jose_key){ .pkey = NULL };
}
