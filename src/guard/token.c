/* token: see token.h. */
#include "token.h"

#include "jose.h"
#include "jose_verify.h"
#include "user_id.h"
#include <stdlib.h>

/* --- the signature --- */

int token_verify(struct arena *arena, unsigned algs, const struct keyset *set, struct slice text,
		 struct slice *payload)
{
	static const int reasons[] = { [JOSE_FORM] = METRIC_REFUSAL_form,
				       [JOSE_HEADER] = METRIC_REFUSAL_header,
				       [JOSE_ALG] = METRIC_REFUSAL_algorithm,
				       [JOSE_NO_MEMORY] = TOKEN_NO_MEMORY };
	const struct jose_key *key = NULL;
	struct jose jose;
	enum jose_fault fault = jose_read(arena, text, algs, &jose);

	if (fault != JOSE_FINE)
		return reasons[fault];
	if (!keyset_next(set, NULL, jose.kid, jose.alg))
		return METRIC_REFUSAL_key;
	while ((key = keyset_next(set, key, jose.kid, jose.alg)))
		if (jose_verify(key, jose.alg, jose.text, jose.signature, jose.signature_len)) {
			*payload = jose.payload;
			return TOKEN_GOOD;
		}
	return METRIC_REFUSAL_signature;
}

/* --- claims --- */

/* The claims of one token, and what they are held against. */
struct claims {
	const struct token_policy *policy;
	const struct json *root;
	int64_t now_ms;
};

#define NUMBER_SIZE 24
#define SECONDS_MAX 253402300799 /* the last of the year 9999 */

/* Seconds since 1970 (RFC 7519, 2), perhaps with a fraction, of which milliseconds count. No sign,
 * no exponent: nobody writes a time so but to see what happens. */
static bool time_of(const struct json *value, int64_t *ms)
{
	struct slice number = json_number(value);
	char text[NUMBER_SIZE];
	long long seconds;
	char *end;
	int thousandths = 0;

	if (number.len == 0 || number.len >= sizeof text)
		return false;
	memcpy(text, number.ptr, number.len);
	text[number.len] = '\0';
	if (strspn(text, "0123456789.") < number.len)
		return false;
	seconds = strtoll(text, &end, 10);
	if (seconds > SECONDS_MAX)
		return false;
	if (*end == '.')
		for (int place = 100; place > 0 && *++end; place /= 10)
			thousandths += (*end - '0') * place;
	*ms = seconds * 1000 + thousandths;
	return true;
}

/* A time that may be missing: *ms stays then. */
static bool read_time(const struct claims *claims, const char *name, int64_t *ms)
{
	const struct json *value = json_get(claims->root, name);

	return !value || time_of(value, ms);
}

static bool is_said(const struct claims *claims, const char *name)
{
	return json_get(claims->root, name) != NULL;
}

static int check_times(const struct claims *claims, struct token *out)
{
	int64_t exp_ms = 0, nbf_ms = 0, iat_ms = 0, auth_ms = 0;
	int64_t latest_ms = claims->now_ms + TOKEN_SKEW_MS;

	if (!is_said(claims, "exp") || !read_time(claims, "exp", &exp_ms) ||
	    !read_time(claims, "nbf", &nbf_ms) || !read_time(claims, "iat", &iat_ms) ||
	    !read_time(claims, "auth_time", &auth_ms))
		return METRIC_REFUSAL_claims;
	if (claims->policy->is_firebase &&
	    !(is_said(claims, "iat") && is_said(claims, "auth_time")))
		return METRIC_REFUSAL_claims;
	if (claims->now_ms >= exp_ms + TOKEN_SKEW_MS)
		return METRIC_REFUSAL_expired;
	if (nbf_ms > latest_ms || iat_ms > latest_ms || auth_ms > latest_ms)
		return METRIC_REFUSAL_early;
	out->until_ms = exp_ms;
	out->signed_in_ms = auth_ms ? auth_ms : iat_ms;
	return TOKEN_GOOD;
}

static int check_issuer(const struct claims *claims)
{
	const struct json *iss = json_get(claims->root, "iss");

	if (iss && json_type(iss) != JSON_STRING)
		return METRIC_REFUSAL_claims;
	return !claims->policy->issuer || slice_is(json_text(iss), claims->policy->issuer)
		       ? TOKEN_GOOD
		       : METRIC_REFUSAL_issuer;
}

/* Is `wanted` the string, or one of an array of strings? -1: it is neither of the two. */
static int holds(const struct json *value, const char *wanted)
{
	bool found = false;

	if (json_type(value) == JSON_STRING)
		return slice_is(json_text(value), wanted);
	if (json_type(value) != JSON_ARRAY)
		return -1;
	for (const struct json *each = json_first(value); each; each = json_next(each)) {
		if (json_type(each) != JSON_STRING)
			return -1;
		found |= slice_is(json_text(each), wanted);
	}
	return found;
}

/* RFC 7519, 4.1.3: who is not named may not take it. So a token for somebody is for nobody when we
 * have no name ourselves. */
static int check_audience(const struct claims *claims)
{
	const struct json *aud = json_get(claims->root, "aud");
	const char *ours = claims->policy->audience;
	int is_for_us;

	if (!aud)
		return ours ? METRIC_REFUSAL_audience : TOKEN_GOOD;
	is_for_us = holds(aud, ours ? ours : "");
	if (is_for_us < 0)
		return METRIC_REFUSAL_claims;
	return ours && is_for_us ? TOKEN_GOOD : METRIC_REFUSAL_audience;
}

/* An address that nobody has proved is anybody's. */
static bool is_unproved_address(const struct claims *claims)
{
	const struct json *verified = json_get(claims->root, "email_verified");

	return strcmp(claims->policy->user_claim, "email") == 0 && verified && !json_true(verified);
}

static int check_user(struct arena *arena, const struct claims *claims, struct token *out)
{
	const struct json *user = json_get(claims->root, claims->policy->user_claim);

	if (!user || json_type(user) != JSON_STRING || !user_id_is_foreign(json_text(user)) ||
	    is_unproved_address(claims))
		return METRIC_REFUSAL_user;
	out->user_id = arena_copy(arena, json_text(user));
	return out->user_id ? TOKEN_GOOD : TOKEN_NO_MEMORY;
}

static bool is_admin(const struct claims *claims)
{
	const char *name = claims->policy->admin_name, *value = claims->policy->admin_value;
	const struct json *claim = name ? json_get(claims->root, name) : NULL;

	if (!claim)
		return false;
	if (json_type(claim) == JSON_BOOL)
		return json_true(claim) && strcmp(value, "true") == 0;
	return holds(claim, value) > 0;
}

static int check_all(struct arena *arena, const struct claims *claims, struct token *out)
{
	int reason;

	if (json_type(claims->root) != JSON_OBJECT)
		return METRIC_REFUSAL_claims;
	if ((reason = check_times(claims, out)) != TOKEN_GOOD ||
	    (reason = check_issuer(claims)) != TOKEN_GOOD ||
	    (reason = check_audience(claims)) != TOKEN_GOOD ||
	    (reason = check_user(arena, claims, out)) != TOKEN_GOOD)
		return reason;
	out->is_admin = is_admin(claims);
	return TOKEN_GOOD;
}

int token_claims(struct arena *arena, const struct token_policy *policy, struct slice payload,
		 int64_t now_ms, struct token *out)
{
	struct error err = { 0 };
	struct json *root = json_parse(payload, &err);
	struct claims claims = { policy, root, now_ms };
	struct token token = { .user_id = NULL };
	int reason;

	if (!root)
		return err.code == ERROR_OVERLOADED ? TOKEN_NO_MEMORY : METRIC_REFUSAL_claims;
	reason = check_all(arena, &claims, &token);
	json_free(root);
	if (reason == TOKEN_GOOD)
		*out = token;
	return reason;
}
