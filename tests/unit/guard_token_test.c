/* Tokens: what is believed, and all that is not. Each row of the list of attacks that needs no web
 * server. */
#include "token_maker.h"

#include "../../src/guard/token.h"

#define NOW_S  1800000000
#define NOW_MS (NOW_S * INT64_C(1000))
#define GOOD   "{\"sub\":\"ann\",\"exp\":1800000100}"

static EVP_PKEY *rsa, *small_rsa, *p256, *p384, *ed;
static struct keyset *secret_set;
static struct arena arena;

static int set_up(void **state)
{
	struct error err = { 0 };

	(void)state;
	rsa = EVP_RSA_gen(2048);
	small_rsa = EVP_RSA_gen(1024);
	p256 = EVP_EC_gen("P-256");
	p384 = EVP_EC_gen("P-384");
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	secret_set = keyset_of_secret(SLICE(TOKEN_SECRET), &err);
	arena_init(&arena, 64 << 20);
	return rsa && small_rsa && p256 && p384 && ed && secret_set ? 0 : -1;
}

static int tear_down(void **state)
{
	EVP_PKEY *keys[] = { rsa, small_rsa, p256, p384, ed };

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		EVP_PKEY_free(keys[i]);
	keyset_unref(secret_set);
	arena_done(&arena);
	return 0;
}

static unsigned algs(const char *words)
{
	unsigned set = 0;

	for (size_t i = 0; i < jose_alg_count; i++)
		if (strstr(words, jose_algs[i].name))
			set |= jose_alg_bit(&jose_algs[i]);
	return set;
}

/* A public key's set, whatever algorithms it is asked about. */
static struct keyset *set_of(EVP_PKEY *key)
{
	char *pem = pem_of(key);
	struct error err = { 0 };
	struct keyset *set = keyset_of_text(slice_of(pem), ~0u, &err);

	free(pem);
	return set;
}

static int verdict(const struct keyset *set, unsigned allowed, const char *token)
{
	struct slice payload;

	return token_verify(&arena, allowed, set, slice_of(token), &payload);
}

/* Of a token that is let go. */
static int verdict_of(const struct keyset *set, const char *allowed, char *token)
{
	int reason = verdict(set, algs(allowed), token);

	free(token);
	return reason;
}

static int of_header(const char *header)
{
	return verdict_of(secret_set, "HS256", mac_of(EVP_sha256(), TOKEN_SECRET, header, GOOD));
}

static int claims_of(const struct token_policy *policy, const char *payload, struct token *out)
{
	struct token ignored;

	return token_claims(&arena, policy, slice_of(payload), NOW_MS, out ? out : &ignored);
}

static const struct token_policy plain = { .user_claim = "sub" };

static int claim(const char *payload)
{
	return claims_of(&plain, payload, NULL);
}

/* --- base64url --- */

static bool decodes(const char *text, size_t wanted)
{
	unsigned char out[64];
	size_t len = 0;

	return base64url_read(slice_of(text), out, sizeof out, &len) && len == wanted;
}

static void e10_one_text_stands_for_one_value(void **state)
{
	static const char *const bad[] = { "A",   "AAAAA", "AB",   "AAB",  "AA==", "AAA=",
					   "A A", "AA\n",  "A+AA", "A/AA", "AA.A", "\xC3\xA4PA" };
	unsigned char out[2];
	size_t len = 7;

	(void)state;
	assert_true(decodes("", 0) && decodes("AA", 1) && decodes("AAA", 2) && decodes("AAAA", 3) &&
		    decodes("_-__", 3) && decodes("__8", 2) && decodes("_w", 1));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (decodes(bad[i], 0) || decodes(bad[i], 1) || decodes(bad[i], 2) ||
		    decodes(bad[i], 3))
			fail_msg("%s is taken", bad[i]);
	assert_false(base64url_read(SLICE("AAAA"), out, sizeof out, &len));
	assert_int_equal(len, 7);
}

/* --- what is good --- */

static void each_algorithm_is_taken_from_its_key_alone(void **state)
{
	const struct {
		EVP_PKEY *key;
		const char *alg;
	} rows[] = { { rsa, "RS256" },  { rsa, "RS384" },  { rsa, "RS512" },
		     { rsa, "PS256" },  { rsa, "PS384" },  { rsa, "PS512" },
		     { p256, "ES256" }, { p384, "ES384" }, { ed, "EdDSA" } };
	EVP_PKEY *keys[] = { rsa, p256, p384, ed };
	char header[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
			struct keyset *set = set_of(keys[k]);
			int reason;

			snprintf(header, sizeof header, "{\"alg\":\"%s\"}", rows[i].alg);
			reason = verdict_of(set, rows[i].alg,
					    signed_by(rows[i].key, rows[i].alg, header, GOOD));
			if ((reason == TOKEN_GOOD) != (keys[k] == rows[i].key))
				fail_msg("%s by key %zu: %d", rows[i].alg, k, reason);
			keyset_unref(set);
		}
}

static void a_good_token_says_who_and_until_when(void **state)
{
	struct token token = { 0 };

	(void)state;
	assert_int_equal(verdict_of(secret_set, "HS256", hs256(GOOD)), TOKEN_GOOD);
	assert_int_equal(
		claims_of(&plain,
			  "{\"sub\":\"a\xC3\xA9\",\"exp\":1800000100.25,\"iat\":1799999000}",
			  &token),
		TOKEN_GOOD);
	assert_string_equal(token.user_id, "a\xC3\xA9");
	assert_int_equal(token.until_ms, NOW_MS + 100250);
	assert_int_equal(token.signed_in_ms, INT64_C(1799999000000));
	assert_false(token.is_admin);
}

/* --- the header --- */

static void e1_none_is_no_algorithm(void **state)
{
	static const char *const headers[] = { "{\"alg\":\"none\"}",
					       "{\"alg\":\"None\"}",
					       "{\"alg\":\"nOnE\"}",
					       "{\"alg\":\"\"}",
					       "{}",
					       "{\"alg\":null}",
					       "{\"alg\":[\"HS256\"]}",
					       "{\"alg\":\"hs256\"}" };
	char *text = unsigned_of("{\"alg\":\"HS256\"}", GOOD), *none;

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		if (of_header(headers[i]) != METRIC_REFUSAL_algorithm)
			fail_msg("%s", headers[i]);
		none = unsigned_of(headers[i], GOOD);
		assert_int_equal(verdict(secret_set, ~0u, none), METRIC_REFUSAL_form);
		assert_int_equal(verdict_of(secret_set, "HS256", joined(none, ".", "")),
				 METRIC_REFUSAL_form);
		free(none);
	}
	assert_int_equal(verdict_of(secret_set, "HS256", joined(text, ".", "")),
			 METRIC_REFUSAL_form);
	free(text);
}

static void e2_a_public_key_is_no_secret(void **state)
{
	EVP_PKEY *keys[] = { rsa, p256 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct keyset *set = set_of(keys[i]);
		char *pem = pem_of(keys[i]);
		unsigned char *der = NULL;
		int len = i2d_PUBKEY(keys[i], &der);
		char *encoded = base64url_of(der, (size_t)len);
		const char *secrets[] = { pem, encoded };

		for (size_t k = 0; k < 2; k++) {
			char *token = mac_of(EVP_sha256(), secrets[k], "{\"alg\":\"HS256\"}", GOOD);

			/* Pinned; and the type would do, even if somebody pinned both. */
			assert_int_equal(verdict(set, algs("RS256 ES256"), token),
					 METRIC_REFUSAL_algorithm);
			assert_int_equal(verdict(set, ~0u, token), METRIC_REFUSAL_key);
			free(token);
		}
		free(encoded);
		OPENSSL_free(der);
		free(pem);
		keyset_unref(set);
	}
}

static void e3_another_algorithm_than_the_pinned_one(void **state)
{
	struct keyset *set = set_of(rsa), *curve = set_of(p256);
	static const char *const others[] = { "RS512", "PS256", "RS384" };
	char header[64];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(header, sizeof header, "{\"alg\":\"%s\"}", others[i]);
		assert_int_equal(verdict_of(set, "RS256", signed_by(rsa, others[i], header, GOOD)),
				 METRIC_REFUSAL_algorithm);
		/* The header lies about it. */
		assert_int_equal(verdict_of(set, "RS256",
					    signed_by(rsa, others[i], "{\"alg\":\"RS256\"}", GOOD)),
				 METRIC_REFUSAL_signature);
	}
	assert_int_equal(verdict_of(curve, "ES256 ES384",
				    signed_by(p384, "ES384", "{\"alg\":\"ES384\"}", GOOD)),
			 METRIC_REFUSAL_key);
	assert_int_equal(verdict_of(curve, "ES256 ES384",
				    signed_by(p384, "ES384", "{\"alg\":\"ES256\"}", GOOD)),
			 METRIC_REFUSAL_signature);
	assert_null(set_of(small_rsa));
	keyset_unref(set);
	keyset_unref(curve);
}

static void e3_a_signature_of_zeros_or_in_der(void **state)
{
	struct keyset *set = set_of(p256);
	unsigned char signature[80] = { 0 };
	size_t len = sizeof signature;
	char *text = unsigned_of("{\"alg\":\"ES256\"}", GOOD);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	(void)state;
	assert_int_equal(verdict_of(set, "ES256", with_signature(strdup(text), signature, 64)),
			 METRIC_REFUSAL_signature);
	signature[31] = 1; /* s is zero still */
	assert_int_equal(verdict_of(set, "ES256", with_signature(strdup(text), signature, 64)),
			 METRIC_REFUSAL_signature);
	EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, p256);
	assert_int_equal(EVP_DigestSign(ctx, signature, &len, (unsigned char *)text, strlen(text)),
			 1);
	EVP_MD_CTX_free(ctx);
	assert_int_equal(verdict_of(set, "ES256", with_signature(strdup(text), signature, len)),
			 METRIC_REFUSAL_signature);
	len = raw_of(signature, len, 32);
	assert_int_equal(verdict_of(set, "ES256", with_signature(strdup(text), signature, len)),
			 TOKEN_GOOD);
	free(text);
	keyset_unref(set);
}

/* A set of two named keys, and one without. */
static struct keyset *named_set(void)
{
	static const char *const names[] = { "one", "two" };
	EVP_PKEY *keys[] = { p256, ed };
	unsigned char point[65], bytes[32];
	char *x, *y, *text = NULL;
	size_t len = sizeof bytes;
	struct error err = { 0 };
	struct keyset *set;

	EVP_PKEY_get_octet_string_param(keys[0], "pub", point, sizeof point, NULL);
	EVP_PKEY_get_raw_public_key(keys[1], bytes, &len);
	x = base64url_of(point + 1, 32), y = base64url_of(point + 33, 32);
	assert_true(
		asprintf(&text,
			 "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\","
			 "\"y\":\"%s\"},{\"kty\":\"EC\",\"use\":\"enc\",\"kid\":\"%s\"}]}",
			 names[0], x, y, names[1]) > 0);
	set = keyset_of_text(slice_of(text), ~0u, &err);
	free(text);
	free(x);
	free(y);
	return set;
}

static void e4_a_key_is_looked_up_by_its_exact_name(void **state)
{
	static const char *const kids[] = { "\"One\"",
					    "\"two\"",
					    "\"\"",
					    "\"../../dev/null\"",
					    "\"' OR 1=1 --\"",
					    "\"https://keys.example/one\"",
					    "\"one \"" };
	static const char *const malformed[] = { "1", "null", "[\"one\"]", "{}", "\"one\\u0000\"" };
	struct keyset *set = named_set();
	char header[64], *long_kid, *token;

	(void)state;
	assert_non_null(set);
	assert_int_equal(
		verdict_of(set, "ES256",
			   signed_by(p256, "ES256", "{\"alg\":\"ES256\",\"kid\":\"one\"}", GOOD)),
		TOKEN_GOOD);
	assert_int_equal(
		verdict_of(set, "ES256", signed_by(p256, "ES256", "{\"alg\":\"ES256\"}", GOOD)),
		METRIC_REFUSAL_key);
	for (size_t i = 0; i < sizeof kids / sizeof kids[0]; i++) {
		snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":%s}", kids[i]);
		assert_int_equal(verdict_of(set, "ES256", signed_by(p256, "ES256", header, GOOD)),
				 METRIC_REFUSAL_key);
	}
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":%s}", malformed[i]);
		assert_int_equal(verdict_of(set, "ES256", signed_by(p256, "ES256", header, GOOD)),
				 METRIC_REFUSAL_header);
	}
	long_kid = calloc(1, 1100000);
	memset(long_kid + sprintf(long_kid, "{\"alg\":\"ES256\",\"kid\":\""), 'k', 1000000);
	strcat(long_kid, "\"}");
	token = signed_by(p256, "ES256", long_kid, GOOD);
	assert_int_equal(verdict_of(set, "ES256", token), METRIC_REFUSAL_form);
	free(long_kid);
	keyset_unref(set);
}

static void e5_what_a_header_brings_along_is_not_used(void **state)
{
	static const char *const passed_over[] = { "\"jku\":\"http://127.0.0.1:9/keys\"",
						   "\"x5u\":\"http://127.0.0.1:9/cert\"",
						   "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}",
						   "\"x5c\":[\"AAAA\"]", "\"typ\":\"JWT\"" };
	static const char *const refused[] = { "\"crit\":[\"exp\"]", "\"crit\":[]",
					       "\"b64\":false",      "\"b64\":true",
					       "\"zip\":\"DEF\"",    "\"enc\":\"A256GCM\"",
					       "\"typ\":1" };
	char header[128];

	(void)state;
	for (size_t i = 0; i < sizeof passed_over / sizeof passed_over[0]; i++) {
		snprintf(header, sizeof header, "{\"alg\":\"HS256\",%s}", passed_over[i]);
		assert_int_equal(of_header(header), TOKEN_GOOD);
		/* Its own key does not help it. */
		assert_int_equal(verdict_of(secret_set, "HS256",
					    mac_of(EVP_sha256(), "another secret", header, GOOD)),
				 METRIC_REFUSAL_signature);
	}
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		snprintf(header, sizeof header, "{\"alg\":\"HS256\",%s}", refused[i]);
		assert_int_equal(of_header(header), METRIC_REFUSAL_header);
	}
}

static void e10_malformed_tokens(void **state)
{
	static const char *const headers[] = { "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
					       "{\"alg\":\"HS256\",\"x\":{\"a\":1,\"a\":1}}",
					       "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
					       "{\"alg\":\"HS256\"} ",
					       "[\"HS256\"]",
					       "\"HS256\"",
					       "{\"alg\":\"HS256\"",
					       "{alg:\"HS256\"}",
					       "" };
	char deep[512] = "{\"alg\":\"HS256\",\"x\":";
	char *good = hs256(GOOD), *text;
	const char *first = strchr(good, '.'), *second = strchr(first + 1, '.');

	(void)state;
	memset(deep + strlen(deep), '[', 200);
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		int reason = of_header(headers[i]);

		if (i == 3) /* white space is JSON, and this one's own */
			assert_int_equal(reason, TOKEN_GOOD);
		else if (reason != METRIC_REFUSAL_header && reason != METRIC_REFUSAL_form)
			fail_msg("%s: %d", headers[i], reason);
	}
	assert_int_equal(of_header(deep), METRIC_REFUSAL_header);

	for (size_t len = 0; len < strlen(good); len++) {
		text = strndup(good, len);
		assert_int_not_equal(verdict(secret_set, algs("HS256"), text), TOKEN_GOOD);
		free(text);
	}
	static const char *const behind[] = {
		".", ".AAAA", ".AAAA.AAAA", "=", "==", " ", "\n", "A"
	};
	for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++)
		assert_int_not_equal(verdict_of(secret_set, "HS256", joined(good, behind[i], "")),
				     TOKEN_GOOD);
	text = strndup(good, (size_t)(second - good)); /* one dot */
	assert_int_equal(verdict_of(secret_set, "HS256", text), METRIC_REFUSAL_form);
	text = strndup(good, (size_t)(first - good));
	assert_int_equal(verdict_of(secret_set, "HS256", joined(text, "=", first)),
			 METRIC_REFUSAL_form);
	free(text);
	/* The unused bits of the last character say something: the same bytes, another text. */
	text = strdup(good);
	text[strlen(text) - 1]++;
	assert_int_equal(verdict_of(secret_set, "HS256", text), METRIC_REFUSAL_form);
	free(good);
}

static void e11_a_long_token_is_none(void **state)
{
	static char payload[9000];
	char *token;

	(void)state;
	for (int pad = 100; pad < 8500; pad += 100) {
		snprintf(payload, sizeof payload, "{\"sub\":\"ann\",\"x\":\"%0*d\"}", pad, 0);
		token = hs256(payload);
		assert_int_equal(verdict(secret_set, algs("HS256"), token),
				 strlen(token) <= 8192 ? TOKEN_GOOD : METRIC_REFUSAL_form);
		free(token);
	}
}

/* Each byte of a good one changed: it is signed, so nothing else is good. */
static void e12_no_other_text_is_as_good(void **state)
{
	char *good = hs256(GOOD);

	(void)state;
	for (size_t i = 0; good[i]; i++) {
		char kept = good[i];

		for (const char *c = "AZaz09-_.+=/ \"{"; *c; c++) {
			good[i] = *c;
			if (*c != kept && verdict(secret_set, algs("HS256"), good) == TOKEN_GOOD)
				fail_msg("%c at %zu", *c, i);
		}
		good[i] = kept;
	}
	assert_int_equal(verdict(secret_set, algs("HS256"), good), TOKEN_GOOD);
	free(good);
}

/* --- claims --- */

static int timed(const char *name, const char *number)
{
	bool is_exp = strcmp(name, "exp") == 0;
	char payload[256];

	snprintf(payload, sizeof payload, "{\"sub\":\"ann\",\"%s\":%s%s}", name, number,
		 is_exp ? "" : ",\"exp\":1800009999");
	return claim(payload);
}

static void e6_times_to_the_millisecond(void **state)
{
	static const struct {
		const char *name, *number;
		int wanted;
	} rows[] = {
		{ "exp", "1799999940", METRIC_REFUSAL_expired },
		{ "exp", "1799999939.999", METRIC_REFUSAL_expired },
		{ "exp", "1799999940.001", TOKEN_GOOD },
		{ "exp", "1799999941", TOKEN_GOOD },
		{ "exp", "0", METRIC_REFUSAL_expired },
		{ "exp", "253402300799", TOKEN_GOOD },
		{ "nbf", "1800000060", TOKEN_GOOD },
		{ "nbf", "1800000060.001", METRIC_REFUSAL_early },
		{ "nbf", "1800000061", METRIC_REFUSAL_early },
		{ "iat", "1800000060", TOKEN_GOOD },
		{ "iat", "1800000061", METRIC_REFUSAL_early },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (timed(rows[i].name, rows[i].number) != rows[i].wanted)
			fail_msg("%s of %s", rows[i].number, rows[i].name);
}

static void e6_a_time_is_a_plain_number(void **state)
{
	static const char *const numbers[] = { "\"1800000100\"",
					       "1e300",
					       "1.8e9",
					       "18E8",
					       "-1",
					       "-0",
					       "253402300800",
					       "99999999999999999999999999",
					       "9223372036854775807",
					       "1800000100.00000000000000000000000000001",
					       "null",
					       "true",
					       "[1800000100]",
					       "{}" };
	static const char *const names[] = { "exp", "nbf", "iat" };

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		for (size_t k = 0; k < 3; k++)
			if (timed(names[k], numbers[i]) != METRIC_REFUSAL_claims)
				fail_msg("%s", numbers[i]);
	assert_int_equal(claim("{\"sub\":\"ann\"}"), METRIC_REFUSAL_claims); /* no exp */
}

static void e7_whom_it_is_from_and_for(void **state)
{
#define REST ",\"sub\":\"ann\",\"exp\":1800000100}"
	const struct token_policy ours = { .user_claim = "sub",
					   .issuer = "https://id.example",
					   .audience = "c1d" };
	static const struct {
		const char *payload;
		int wanted;
	} rows[] = {
		{ "{\"iss\":\"https://id.example\",\"aud\":\"c1d\"" REST, TOKEN_GOOD },
		{ "{\"iss\":\"https://id.example\",\"aud\":[\"x\",\"c1d\"]" REST, TOKEN_GOOD },
		{ "{\"iss\":\"https://id.example\",\"aud\":[]" REST, METRIC_REFUSAL_audience },
		{ "{\"iss\":\"https://id.example\",\"aud\":\"c1\"" REST, METRIC_REFUSAL_audience },
		{ "{\"iss\":\"https://id.example\"" REST, METRIC_REFUSAL_audience },
		{ "{\"iss\":\"https://id.example\",\"aud\":[\"c1d\",1]" REST,
		  METRIC_REFUSAL_claims },
		{ "{\"iss\":\"https://id.example\",\"aud\":{\"c1d\":1}" REST,
		  METRIC_REFUSAL_claims },
		{ "{\"iss\":\"https://id.example/\",\"aud\":\"c1d\"" REST, METRIC_REFUSAL_issuer },
		{ "{\"iss\":\"\",\"aud\":\"c1d\"" REST, METRIC_REFUSAL_issuer },
		{ "{\"aud\":\"c1d\"" REST, METRIC_REFUSAL_issuer },
		{ "{\"iss\":[\"https://id.example\"],\"aud\":\"c1d\"" REST, METRIC_REFUSAL_claims },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (claims_of(&ours, rows[i].payload, NULL) != rows[i].wanted)
			fail_msg("%s", rows[i].payload);
	/* Who has no name is not meant. */
	assert_int_equal(claim("{\"aud\":\"c1d\"" REST), METRIC_REFUSAL_audience);
	assert_int_equal(claim("{\"aud\":\"\"" REST), METRIC_REFUSAL_audience);
}

static void e7_who_it_is_of(void **state)
{
	static const char *const bad[] = {
		"\"\"",          "null",          "17",
		"true",          "[\"ann\"]",     "\"a\\nb\"",
		"\"a\\u007fb\"", "\"a\\u0085b\"", "\"visitor-AAAAAAAAAAAAAAAAAAAAAA\"",
		"\"key-site\"",  "\"anonymous\""
	};
	char payload[1024], name[600] = "\"";

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(payload, sizeof payload, "{\"exp\":1800000100,\"sub\":%s}", bad[i]);
		if (claim(payload) != METRIC_REFUSAL_user)
			fail_msg("%s", bad[i]);
	}
	assert_int_equal(claim("{\"exp\":1800000100}"), METRIC_REFUSAL_user);
	for (int i = 0; i < 129; i++) {
		strcat(name, "\xF0\x9F\x98\x80");
		snprintf(payload, sizeof payload, "{\"exp\":1800000100,\"sub\":%s\"}", name);
		assert_int_equal(claim(payload), i < 128 ? TOKEN_GOOD : METRIC_REFUSAL_user);
	}
}

static void e7_another_claim_may_name_the_user(void **state)
{
	const struct token_policy by_email = { .user_claim = "email" };
	struct token token;

	(void)state;
	assert_int_equal(claims_of(&by_email, "{\"email\":\"a@b\"" REST, &token), TOKEN_GOOD);
	assert_string_equal(token.user_id, "a@b");
	assert_int_equal(
		claims_of(&by_email, "{\"email\":\"a@b\",\"email_verified\":true" REST, NULL),
		TOKEN_GOOD);
	assert_int_equal(
		claims_of(&by_email, "{\"email\":\"a@b\",\"email_verified\":false" REST, NULL),
		METRIC_REFUSAL_user);
	assert_int_equal(claims_of(&by_email, "{\"x\":1" REST, NULL), METRIC_REFUSAL_user);
}

static void e7_firebase_wants_all_of_its_own(void **state)
{
	const struct token_policy firebase = { .user_claim = "sub",
					       .issuer = "https://securetoken.google.com/p1",
					       .audience = "p1",
					       .is_firebase = true };
#define FIREBASE(project, times)                                                                   \
	"{\"iss\":\"https://securetoken.google.com/" project "\",\"aud\":\"" project "\"," times   \
	"\"sub\":\"ann\",\"exp\":1800000100}"
	static const struct {
		const char *payload;
		int wanted;
	} rows[] = {
		{ FIREBASE("p1", "\"iat\":1800000000,\"auth_time\":1799990000,"), TOKEN_GOOD },
		{ FIREBASE("p2", "\"iat\":1800000000,\"auth_time\":1799990000,"),
		  METRIC_REFUSAL_issuer },
		{ FIREBASE("p1", "\"iat\":1800000000,"), METRIC_REFUSAL_claims },
		{ FIREBASE("p1", "\"auth_time\":1799990000,"), METRIC_REFUSAL_claims },
		{ FIREBASE("p1", "\"iat\":1800000000,\"auth_time\":1800000061,"),
		  METRIC_REFUSAL_early },
		{ FIREBASE("p1", "\"iat\":1800000000,\"auth_time\":1800000060,"), TOKEN_GOOD },
		{ FIREBASE("p1", "\"iat\":1800000000,\"auth_time\":\"1799990000\","),
		  METRIC_REFUSAL_claims },
	};
	struct token token;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (claims_of(&firebase, rows[i].payload, &token) != rows[i].wanted)
			fail_msg("%s", rows[i].payload);
	assert_int_equal(claims_of(&firebase, rows[0].payload, &token), TOKEN_GOOD);
	assert_int_equal(token.signed_in_ms, INT64_C(1799990000000));
}

static void e10_claims_are_read_strictly(void **state)
{
	(void)state;
	assert_int_equal(claim("{\"sub\":\"ann\",\"sub\":\"bob\",\"exp\":1800000100}"),
			 METRIC_REFUSAL_claims);
	assert_int_equal(claim("{\"sub\":\"ann\",\"exp\":1800000100,\"x\":{\"a\":1,\"a\":2}}"),
			 METRIC_REFUSAL_claims);
	assert_int_equal(claim("[]"), METRIC_REFUSAL_claims);
	assert_int_equal(claim(""), METRIC_REFUSAL_claims);
	assert_int_equal(claim(GOOD "x"), METRIC_REFUSAL_claims);
	assert_int_equal(claim("{\"sub\":\"\xFF\",\"exp\":1800000100}"), METRIC_REFUSAL_claims);
}

static void f_an_administrator_is_named_by_a_claim(void **state)
{
	const struct token_policy by_role = { .user_claim = "sub",
					      .admin_name = "role",
					      .admin_value = "admin" };
	const struct token_policy by_flag = { .user_claim = "sub",
					      .admin_name = "admin",
					      .admin_value = "true" };
	static const struct {
		const char *payload;
		bool by_role, by_flag;
	} rows[] = {
		{ "{\"role\":\"admin\"" REST, true, false },
		{ "{\"role\":[\"editor\",\"admin\"]" REST, true, false },
		{ "{\"role\":[\"admin\",1]" REST, false, false },
		{ "{\"role\":\"administrator\"" REST, false, false },
		{ "{\"role\":\"Admin\"" REST, false, false },
		{ "{\"role\":{\"admin\":true}" REST, false, false },
		{ "{\"role\":true" REST, false, false },
		{ "{\"admin\":true" REST, false, true },
		{ "{\"admin\":\"true\"" REST, false, true },
		{ "{\"admin\":1" REST, false, false },
		{ "{\"x\":{\"role\":\"admin\",\"admin\":true}" REST, false, false },
	};
	struct token token;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(claims_of(&by_role, rows[i].payload, &token), TOKEN_GOOD);
		assert_int_equal(token.is_admin, rows[i].by_role);
		assert_int_equal(claims_of(&by_flag, rows[i].payload, &token), TOKEN_GOOD);
		assert_int_equal(token.is_admin, rows[i].by_flag);
		assert_int_equal(claims_of(&plain, rows[i].payload, &token), TOKEN_GOOD);
		assert_false(token.is_admin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e10_one_text_stands_for_one_value),
		cmocka_unit_test(each_algorithm_is_taken_from_its_key_alone),
		cmocka_unit_test(a_good_token_says_who_and_until_when),
		cmocka_unit_test(e1_none_is_no_algorithm),
		cmocka_unit_test(e2_a_public_key_is_no_secret),
		cmocka_unit_test(e3_another_algorithm_than_the_pinned_one),
		cmocka_unit_test(e3_a_signature_of_zeros_or_in_der),
		cmocka_unit_test(e4_a_key_is_looked_up_by_its_exact_name),
		cmocka_unit_test(e5_what_a_header_brings_along_is_not_used),
		cmocka_unit_test(e10_malformed_tokens),
		cmocka_unit_test(e11_a_long_token_is_none),
		cmocka_unit_test(e12_no_other_text_is_as_good),
		cmocka_unit_test(e6_times_to_the_millisecond),
		cmocka_unit_test(e6_a_time_is_a_plain_number),
		cmocka_unit_test(e7_whom_it_is_from_and_for),
		cmocka_unit_test(e7_who_it_is_of),
		cmocka_unit_test(e7_another_claim_may_name_the_user),
		cmocka_unit_test(e7_firebase_wants_all_of_its_own),
		cmocka_unit_test(e10_claims_are_read_strictly),
		cmocka_unit_test(f_an_administrator_is_named_by_a_claim),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
