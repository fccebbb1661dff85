/*
 * who_token: whoever an issuer's signed token names, from `Authorization: Bearer` (RFC 6750, 2.1)
 * or, for clients that can set no header, from a cookie. An address (`?access_token=`) is never
 * looked at for one: addresses end up in logs.
 */
#include "guard_room.h"

#include "bad_tokens.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cookie.h"
#include "guard/limit.h"
#include "net/net.h"
#include "token_keys.h"
#include <stdlib.h>

#define SLOT AUTH_jwt /* jwt and firebase exclude each other, and are one thing */

struct token_way {
	struct token_settings settings;
	struct token_keys keys;
	struct bad_tokens *bad;
};

static const char *const reasons[] = {
#define X(name) #name,
	METRIC_REFUSAL_LIST(X)
#undef X
};

/* --- where it is --- */

/* A host of the same domain can plant a second one, so that somebody acts as somebody else without
 * knowing it: two that differ are no token. */
static struct slice cookie_of(const struct guard *guard, const struct request *request)
{
	struct slice rest = request->headers[HEADER_COOKIE], value, first = SLICE("");
	const char *name = guard->config->auth_cookie;

	while (name && cookie_next(&rest, name, &value)) {
		if (first.len > 0 && !slice_equal(first, value))
			return SLICE("two");
		first = value;
	}
	return first;
}

/* --- is it good? --- */

static int check_with(struct token_way *way, struct arena *arena, const struct keyset *set,
		      struct slice text, struct token *out)
{
	const struct token_policy *policy = &way->settings.policy;
	struct bad_token hash = bad_token_of(text, set->serial);
	struct slice payload;
	int reason;

	if (bad_tokens_has(way->bad, &hash))
		return METRIC_REFUSAL_signature;
	reason = token_verify(arena, policy->algs, set, text, &payload);
	if (reason == METRIC_REFUSAL_signature)
		bad_tokens_add(way->bad, &hash);
	return reason == TOKEN_GOOD ? token_claims(arena, policy, payload, clock_wall_ms(), out)
				    : reason;
}

static bool lacks_keys(int reason)
{
	return reason == METRIC_REFUSAL_key || reason == METRIC_REFUSAL_no_keys;
}

/* A token may name a key that was published a moment ago; and there may be no keys at all yet.
 * Twice: the first that come may be what another worker got before that. */
static int check_published(struct token_way *way, struct arena *arena, struct slice text,
			   struct token *out)
{
	struct keyset *set = jwks_get(way->keys.jwks), *newer = NULL;
	int reason = set ? check_with(way, arena, set, text, out) : METRIC_REFUSAL_no_keys;

	for (int i = 0; i < 2 && lacks_keys(reason); i++) {
		enum jwks_news news = jwks_renew(way->keys.jwks, set, &newer);

		if (news == JWKS_BUSY)
			reason = METRIC_REFUSAL_no_keys;
		if (news != JWKS_NEWER)
			break;
		keyset_unref(set);
		set = newer;
		reason = check_with(way, arena, set, text, out);
	}
	keyset_unref(set);
	return reason;
}

static int check(struct token_way *way, struct arena *arena, struct slice text, struct token *out)
{
	return way->keys.jwks ? check_published(way, arena, text, out)
			      : check_with(way, arena, way->keys.fixed, text, out);
}

/* --- the answer --- */

/* Signed by the issuer, and refused all the same: more likely a setting than an attack. */
static bool is_surprise(int reason)
{
	return reason == METRIC_REFUSAL_issuer || reason == METRIC_REFUSAL_audience ||
	       reason == METRIC_REFUSAL_user || reason == METRIC_REFUSAL_claims;
}

/* Nobody's token. One that has expired meanwhile is no attempt, and its sender may share an address
 * with many. */
static bool is_attempt(int reason)
{
	return reason == METRIC_REFUSAL_form || reason == METRIC_REFUSAL_header ||
	       reason == METRIC_REFUSAL_algorithm || reason == METRIC_REFUSAL_key ||
	       reason == METRIC_REFUSAL_signature;
}

static enum who_found refuse(struct guard *guard, const struct who_ask *ask, int reason,
			     struct error *err)
{
	if (reason == TOKEN_NO_MEMORY)
		return who_no_memory(err);
	metrics_add(M_AUTH_REFUSED, reason, 0, 1);
	LOG_AT(is_surprise(reason) ? LOG_NOTICE : LOG_DEBUG, "token refused",
	       LOG_T("reason", reasons[reason]), LOG_T("request", ask->request->id));
	if (is_attempt(reason) && !limit_failed_take(guard, ask->request, err))
		return WHO_REFUSED;
	if (reason != METRIC_REFUSAL_no_keys)
		return who_refuse_token(ask, err);
	error_set(err, ERROR_NO_KEYS,
		  "Tokens cannot be checked for now: the issuer's keys are not to be had. Try "
		  "again.");
	err->retry_after_s = 2;
	return WHO_REFUSED;
}

static enum who_found accept(const struct token *token, struct caller *out)
{
	*out = (struct caller){ .kind = CALLER_USER,
				.user_id = token->user_id,
				.counted_as = token->user_id,
				.enforced = !token->is_admin,
				.scopes = SCOPES_ORDINARY |
					  (token->is_admin ? SCOPE_ACT | SCOPE_ADMIN : 0u),
				.until_ms = token->until_ms + TOKEN_SKEW_MS };
	return WHO_FOUND;
}

static enum who_found who(struct guard *guard, const struct who_ask *ask, struct caller *out,
			  struct error *err)
{
	struct token_way *way = guard->states[SLOT];
	struct slice text = bearer_of(ask->request);
	struct token token;
	int reason;

	if (text.len == 0) {
		text = cookie_of(guard, ask->request);
		if (text.len == 0)
			return WHO_NOBODY;
		if (!who_comes_from_here(ask, err))
			return WHO_REFUSED;
	}
	if (!limit_failed_allows(guard, ask->request, err))
		return WHO_REFUSED;
	reason = check(way, ask->request->arena, text, &token);
	if (reason == TOKEN_GOOD && revoked_is(guard, token.user_id, token.signed_in_ms / 1000))
		reason = METRIC_REFUSAL_revoked;
	return reason == TOKEN_GOOD ? accept(&token, out) : refuse(guard, ask, reason, err);
}

/* --- life --- */

static bool check_settings(const struct config *config, struct error *err)
{
	struct token_settings settings;

	return token_settings_read(config, &settings, err);
}

static void reach(const struct config *config, struct reach *out)
{
	struct token_settings settings;

	if (!token_settings_read(config, &settings, NULL))
		return;
	if (settings.key_file)
		reach_read(out, settings.key_file);
	if (settings.url)
		net_reach(settings.url, NULL, out);
}

static bool open_way(struct guard *guard, struct error *err)
{
	struct token_way *way = calloc(1, sizeof *way);

	guard->states[SLOT] = way;
	if (!way || !(way->bad = bad_tokens_new()))
		return error_set(err, ERROR_INTERNAL, "No memory for tokens.");
	return token_settings_read(guard->config, &way->settings, err) &&
	       token_keys_open(guard->config, guard->shm, &way->settings, &way->keys, err);
}

static void close_way(struct guard *guard)
{
	struct token_way *way = guard->states[SLOT];

	if (!way)
		return;
	token_keys_close(&way->keys);
	bad_tokens_free(way->bad);
	free(way);
	guard->states[SLOT] = NULL;
}

static bool start(struct guard *guard, struct error *err)
{
	struct token_way *way = guard->states[SLOT];

	return !way->keys.jwks || jwks_start(way->keys.jwks, err);
}

static void stop(struct guard *guard)
{
	struct token_way *way = guard->states[SLOT];

	if (way && way->keys.jwks)
		jwks_stop(way->keys.jwks);
}

#define WAY                                                                                        \
	{                                                                                          \
		.check = check_settings, .reach = reach, .open = open_way, .close = close_way,     \
		.start = start, .stop = stop, .who = who                                           \
	}

const struct who_mode who_jwt = WAY;
const struct who_mode who_firebase = WAY;
