/* token_settings: see token_settings.h. */
#include "token_settings.h"

#include <stdio.h>

#define SEPARATORS " \t\n,"

static bool has_mode(const struct config *config, enum auth_mode mode)
{
	for (size_t i = 0; i < config->auth_mode_count; i++)
		if (config->auth_modes[i] == mode)
			return true;
	return false;
}

bool token_settings_wanted(const struct config *config)
{
	return has_mode(config, AUTH_jwt) || has_mode(config, AUTH_firebase);
}

/* --- the address of keys --- */

/* The host of what stands behind "http://". */
static struct slice host_of(const char *rest)
{
	size_t len = strcspn(rest, "/?#");
	const char *end = *rest == '[' ? memchr(rest, ']', len) : memchr(rest, ':', len);

	if (end)
		len = (size_t)(end - rest) + (*rest == '[');
	return (struct slice){ rest, len };
}

/* user@host: what stands before the host would be sent along. Behind it '@' is a letter as any:
 * Firebase's own address has one. */
static bool names_a_user(const char *url)
{
	const char *host = strstr(url, "//");
	const char *at = strchr(url, '@');

	return at && host && at < host + 2 + strcspn(host + 2, "/?");
}

/* Whoever can change keys on their way is whoever he likes. */
static bool check_url(const char *name, const char *url, struct error *err)
{
	static const char *const local[] = { "127.0.0.1", "[::1]", "localhost" };

	if (strpbrk(url, " \t\n#") || names_a_user(url) || strlen(url) > 2000)
		return error_set(err, ERROR_CONFIG,
				 "%s is no address of keys. Write https://host/path.", name);
	if (strncmp(url, "https://", 8) == 0 && host_of(url + 8).len > 0)
		return true;
	for (size_t i = 0; strncmp(url, "http://", 7) == 0 && i < 3; i++)
		if (slice_is(host_of(url + 7), local[i]))
			return true;
	return error_set(err, ERROR_CONFIG,
			 "%s has to begin with https://: whoever stands between could put keys of "
			 "his own there. Plain http:// is taken for this machine only.",
			 name);
}

/* --- jwt --- */

static bool choose_source(const struct config *config, struct token_settings *out,
			  struct error *err)
{
	out->secret = config->jwt_secret;
	out->key_file = config->jwt_key_file;
	out->url = config->jwt_jwks_url;
	switch ((out->secret != NULL) + (out->key_file != NULL) + (out->url != NULL)) {
	case 1: return !out->url || check_url("C1D_JWT_JWKS_URL", out->url, err);
	case 0:
		return error_set(err, ERROR_CONFIG,
				 "C1D_AUTH=jwt has nothing to check tokens with. Set one of "
				 "C1D_JWT_SECRET, C1D_JWT_KEY_FILE and C1D_JWT_JWKS_URL.");
	default:
		return error_set(err, ERROR_CONFIG,
				 "More than one of C1D_JWT_SECRET, C1D_JWT_KEY_FILE and "
				 "C1D_JWT_JWKS_URL is set. Leave one: a public key must never pass "
				 "for a secret.");
	}
}

/* The algorithms that the words name. */
static bool read_words(const char *at, unsigned *algs, struct error *err)
{
	*algs = 0;
	while (*(at += strspn(at, SEPARATORS))) {
		struct slice word = { at, strcspn(at, SEPARATORS) };
		const struct jose_alg *alg = jose_alg_of(word);

		if (!alg)
			return error_set(err, ERROR_CONFIG,
					 "C1D_JWT_ALGORITHMS: %.*s is not taken. There are HS256, "
					 "RS256, PS256, ES256, each with 384 and 512, and EdDSA.",
					 (int)(word.len < 32 ? word.len : 32), word.ptr);
		*algs |= jose_alg_bit(alg);
		at += word.len;
	}
	return *algs || error_set(err, ERROR_CONFIG,
				  "C1D_JWT_ALGORITHMS names none. Leave it out or name one.");
}

static bool check_algorithms(const struct token_settings *settings, struct error *err)
{
	unsigned algs = settings->policy.algs, secret = jose_algs_of(JOSE_HMAC, NULL);

	if ((algs & secret) && (algs & ~secret))
		return error_set(err, ERROR_CONFIG,
				 "C1D_JWT_ALGORITHMS mixes those of secrets (HS...) and of public "
				 "keys. An issuer has one kind: name only that.");
	if (settings->secret && (algs & ~secret))
		return error_set(err, ERROR_CONFIG,
				 "C1D_JWT_ALGORITHMS names some of public keys, and "
				 "C1D_JWT_SECRET is none. Name HS256, or set C1D_JWT_KEY_FILE.");
	return !settings->url || !(algs & secret) ||
	       error_set(err, ERROR_CONFIG,
			 "C1D_JWT_ALGORITHMS names HS..., whose keys are secrets, and what is at "
			 "C1D_JWT_JWKS_URL everybody can read. Set C1D_JWT_SECRET instead.");
}

/* RFC 7518, 3.2: as long as the digest. A shorter one can be guessed from one token, in peace. */
static bool check_secret(const struct token_settings *settings, struct error *err)
{
	size_t len = strlen(settings->secret);

	for (size_t i = 0; i < jose_alg_count; i++)
		if ((settings->policy.algs & jose_alg_bit(&jose_algs[i])) &&
		    len < jose_algs[i].size)
			return error_set(
				err, ERROR_CONFIG,
				"C1D_JWT_SECRET has %zu bytes, which can be guessed; %s needs "
				"%zu. `openssl rand -hex 64` prints a good one, which the "
				"issuer has to use, too.",
				len, jose_algs[i].name, jose_algs[i].size);
	return true;
}

static bool read_jwt(const struct config *config, struct token_settings *out, struct error *err)
{
	const char *words = config->jwt_algorithms;

	if (!choose_source(config, out, err))
		return false;
	if (!words)
		words = out->secret ? "HS256" : "RS256 ES256 EdDSA";
	if (!config->jwt_user_claim)
		return error_set(
			err, ERROR_CONFIG,
			"C1D_JWT_USER_CLAIM is empty. Leave it out (sub) or name the claim "
			"that tells users apart.");
	out->policy.issuer = config->jwt_issuer;
	out->policy.audience = config->jwt_audience;
	out->policy.user_claim = config->jwt_user_claim;
	return read_words(words, &out->policy.algs, err) && check_algorithms(out, err) &&
	       (!out->secret || check_secret(out, err));
}

/* --- firebase: https://firebase.google.com/docs/auth/admin/verify-id-tokens --- */

static bool read_firebase(const struct config *config, struct token_settings *out,
			  struct error *err)
{
	const char *project = config->firebase_project;

	if (!project || strlen(project) > 100 ||
	    strspn(project, "abcdefghijklmnopqrstuvwxyz0123456789-.:") < strlen(project))
		return error_set(err, ERROR_CONFIG,
				 "C1D_AUTH=firebase needs the project's id: set "
				 "C1D_FIREBASE_PROJECT to what the console calls \"Project ID\".");
	if (!config->firebase_keys_url)
		return error_set(
			err, ERROR_CONFIG,
			"C1D_FIREBASE_KEYS_URL is empty. Leave it out: then it is Google's.");
	snprintf(out->issuer, sizeof out->issuer, "https://securetoken.google.com/%s", project);
	out->url = config->firebase_keys_url;
	out->policy.algs = jose_alg_bit(jose_alg_of(SLICE("RS256")));
	out->policy.issuer = out->issuer;
	out->policy.audience = project;
	out->policy.user_claim = "sub";
	out->policy.is_firebase = true;
	return check_url("C1D_FIREBASE_KEYS_URL", out->url, err);
}

/* --- both --- */

static bool read_admin(const struct config *config, struct token_settings *out, struct error *err)
{
	char *equals;

	if (!config->admin_claim)
		return true;
	snprintf(out->admin, sizeof out->admin, "%s", config->admin_claim);
	equals = strchr(out->admin, '=');
	if (!equals || equals == out->admin || !equals[1] ||
	    strlen(config->admin_claim) >= sizeof out->admin)
		return error_set(err, ERROR_CONFIG,
				 "C1D_ADMIN_CLAIM is not name=value. Write, say, role=admin.");
	*equals = '\0';
	out->policy.admin_name = out->admin;
	out->policy.admin_value = equals + 1;
	return true;
}

bool token_settings_read(const struct config *config, struct token_settings *out, struct error *err)
{
	*out = (struct token_settings){ .secret = NULL };
	if (has_mode(config, AUTH_jwt) && has_mode(config, AUTH_firebase))
		return error_set(
			err, ERROR_CONFIG,
			"C1D_AUTH has jwt and firebase: tokens are of one issuer. Leave one "
			"of the two.");
	return (has_mode(config, AUTH_firebase) ? read_firebase : read_jwt)(config, out, err) &&
	       read_admin(config, out, err);
}
