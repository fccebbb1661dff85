/* jose_alg: see jose_alg.h. */
#include "jose_alg.h"

const struct jose_alg jose_algs[] = {
	{ "HS256", JOSE_HMAC, EVP_sha256, 32, NULL },
	{ "HS384", JOSE_HMAC, EVP_sha384, 48, NULL },
	{ "HS512", JOSE_HMAC, EVP_sha512, 64, NULL },
	{ "RS256", JOSE_RSA, EVP_sha256, 0, NULL },
	{ "RS384", JOSE_RSA, EVP_sha384, 0, NULL },
	{ "RS512", JOSE_RSA, EVP_sha512, 0, NULL },
	{ "PS256", JOSE_RSA_PSS, EVP_sha256, 0, NULL },
	{ "PS384", JOSE_RSA_PSS, EVP_sha384, 0, NULL },
	{ "PS512", JOSE_RSA_PSS, EVP_sha512, 0, NULL },
	{ "ES256", JOSE_EC, EVP_sha256, 32, "P-256" },
	{ "ES384", JOSE_EC, EVP_sha384, 48, "P-384" },
	{ "ES512", JOSE_EC, EVP_sha512, 66, "P-521" },
	{ "EdDSA", JOSE_ED, NULL, 64, NULL },
};
const size_t jose_alg_count = sizeof jose_algs / sizeof jose_algs[0];

const struct jose_alg *jose_alg_of(struct slice name)
{
	for (size_t i = 0; i < jose_alg_count; i++)
		if (slice_is(name, jose_algs[i].name))
			return &jose_algs[i];
	return NULL;
}

unsigned jose_alg_bit(const struct jose_alg *alg)
{
	return 1u << (alg - jose_algs);
}

unsigned jose_algs_of(enum jose_kind kind, const char *curve)
{
	unsigned algs = 0;

	for (size_t i = 0; i < jose_alg_count; i++)
		if (jose_algs[i].kind == kind && (!curve || strcmp(jose_algs[i].curve, curve) == 0))
			algs |= jose_alg_bit(&jose_algs[i]);
	return algs;
}
