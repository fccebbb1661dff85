/* jose_jwk: see jose_jwk.h. */
#include "jose_jwk.h"

#include "base/base64url.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>

#define NUMBER_MAX         2048 /* bytes of one member: far beyond what a key may have */
#define POINT_UNCOMPRESSED 4    /* SEC 1, 2.3.3 */

struct number {
	unsigned char bytes[NUMBER_MAX];
	size_t len;
};

static bool read_number(const struct json *jwk, const char *name, struct number *out)
{
	return base64url_read(json_text(json_get(jwk, name)), out->bytes, sizeof out->bytes,
			      &out->len) &&
	       out->len > 0;
}

static EVP_PKEY *pkey_of(const char *type, OSSL_PARAM_BLD *parts)
{
	OSSL_PARAM *params = parts ? OSSL_PARAM_BLD_to_param(parts) : NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

/* --- one function a kty --- */

static const char *read_rsa(const struct json *jwk, struct jose_key *out)
{
	OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
	BIGNUM *n = NULL, *e = NULL;
	EVP_PKEY *pkey = NULL;
	struct number number;

	if (read_number(jwk, "n", &number))
		n = BN_bin2bn(number.bytes, (int)number.len, NULL);
	if (read_number(jwk, "e", &number))
		e = BN_bin2bn(number.bytes, (int)number.len, NULL);
	if (parts && n && e && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, e))
		pkey = pkey_of("RSA", parts);
	OSSL_PARAM_BLD_free(parts);
	BN_free(n);
	BN_free(e);
	return jose_key_of_pkey(pkey, out);
}

static const struct jose_alg *alg_of_curve(struct slice curve)
{
	for (size_t i = 0; i < jose_alg_count; i++)
		if (jose_algs[i].curve && slice_is(curve, jose_algs[i].curve))
			return &jose_algs[i];
	return NULL;
}

static const char *read_ec(const struct json *jwk, struct jose_key *out)
{
	const struct jose_alg *alg = alg_of_curve(json_text(json_get(jwk, "crv")));
	OSSL_PARAM_BLD *parts;
	unsigned char point[1 + 2 * 66] = { POINT_UNCOMPRESSED };
	struct number x, y;
	EVP_PKEY *pkey = NULL;

	if (!alg)
		return "an EC key is on P-256, P-384 or P-521";
	if (!read_number(jwk, "x", &x) || !read_number(jwk, "y", &y) || x.len != alg->size ||
	    y.len != alg->size)
		return "an EC key's numbers are not as long as its curve's";
	memcpy(point + 1, x.bytes, alg->size);
	memcpy(point + 1 + alg->size, y.bytes, alg->size);
	parts = OSSL_PARAM_BLD_new();
	if (parts &&
	    OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, alg->curve, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point,
					     1 + 2 * alg->size))
		pkey = pkey_of("EC", parts);
	OSSL_PARAM_BLD_free(parts);
	return jose_key_of_pkey(pkey, out);
}

static const char *read_okp(const struct json *jwk, struct jose_key *out)
{
	struct number x;

	if (!slice_is(json_text(json_get(jwk, "crv")), "Ed25519"))
		return "an OKP key is on Ed25519";
	if (!read_number(jwk, "x", &x) || x.len != 32)
		return "an Ed25519 key has 32 bytes";
	return jose_key_of_pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.bytes, x.len),
				out);
}

static const char *read_oct(const struct json *jwk, struct jose_key *out)
{
	struct number k;
	const char *why =
		read_number(jwk, "k", &k)
			? jose_key_of_secret((struct slice){ (const char *)k.bytes, k.len }, out)
			: "an oct key without its bytes";

	OPENSSL_cleanse(&k, sizeof k);
	return why;
}

static const char *read_by_type(const struct json *jwk, struct jose_key *out)
{
	static const struct {
		const char *kty;
		const char *(*read)(const struct json *jwk, struct jose_key *out);
	} types[] = {
		{ "RSA", read_rsa }, { "EC", read_ec }, { "OKP", read_okp }, { "oct", read_oct }
	};
	struct slice kty = json_text(json_get(jwk, "kty"));

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (slice_is(kty, types[i].kty))
			return types[i].read(jwk, out);
	return "a key of another kty than RSA, EC, OKP and oct";
}

/* --- what it is for --- */

bool jose_jwk_is_for_checking(const struct json *jwk)
{
	const struct json *use = json_get(jwk, "use"), *ops = json_get(jwk, "key_ops");

	if (use && !slice_is(json_text(use), "sig"))
		return false;
	if (!ops)
		return true;
	if (json_type(ops) != JSON_ARRAY)
		return false;
	for (const struct json *op = json_first(ops); op; op = json_next(op))
		if (slice_is(json_text(op), "verify"))
			return true;
	return false;
}

static const char *read_names(const struct json *jwk, struct jose_key *key)
{
	const struct json *alg = json_get(jwk, "alg"), *kid = json_get(jwk, "kid");
	struct slice name = json_text(kid);

	if (kid && (json_type(kid) != JSON_STRING || name.len > JOSE_KID_MAX))
		return "a key's kid is a string of up to 255 bytes";
	memcpy(key->kid, name.ptr, name.len);
	key->kid[name.len] = '\0';
	if (alg) {
		const struct jose_alg *only = jose_alg_of(json_text(alg));

		key->algs &= only ? jose_alg_bit(only) : 0;
	}
	return key->algs ? NULL : "a key's alg is not one of its type";
}

const char *jose_jwk_read(const struct json *jwk, struct jose_key *out)
{
	struct jose_key key = { .pkey = NULL };
	const char *why = jose_jwk_is_for_checking(jwk)
				  ? read_by_type(jwk, &key)
				  : "a key for something else than signatures";

	if (!why)
		why = read_names(jwk, &key);
	if (why)
		jose_key_done(&key);
	else
		*out = key;
	return why;
}
