/*
 * who_key: a server, by its API key. It is the user key-<name>, or, where its scopes allow that,
 * whomever it names.
 */
#include "guard_room.h"

#include "base/log.h"
#include "base/metrics.h"
#include "guard/limit.h"
#include "key_text.h"

#define USER_PREFIX "key-"

static enum who_found refuse(struct guard *guard, const struct who_ask *ask,
			     enum metric_refusal why, struct error *err)
{
	metrics_add(M_AUTH_REFUSED, (int)why, 0, 1);
	if (why == METRIC_REFUSAL_api_key && !limit_failed_take(guard, ask->request, err))
		return WHO_REFUSED;
	return who_refuse_token(ask, err);
}

enum who_found who_key(struct guard *guard, const struct who_ask *ask, struct caller *out,
		       struct error *err)
{
	struct slice text = bearer_of(ask->request);
	const char *user_id;
	struct api_key key;

	if (!slice_starts(text, SLICE(KEY_PREFIX)))
		return WHO_NOBODY;
	if (!limit_failed_allows(guard, ask->request, err))
		return WHO_REFUSED;
	switch (key_ring_find(guard->keys, text, &key)) {
	case KEY_UNKNOWN: return refuse(guard, ask, METRIC_REFUSAL_api_key, err);
	case KEY_EXPIRED:
		log_info("expired API key", LOG_T("name", key.name));
		return refuse(guard, ask, METRIC_REFUSAL_expired, err);
	case KEY_GOOD: break;
	}
	user_id = arena_printf(ask->request->arena, USER_PREFIX "%s", key.name);
	if (!user_id)
		return who_no_memory(err);
	if (revoked_is(guard, user_id, key.made_s))
		return refuse(guard, ask, METRIC_REFUSAL_revoked, err);
	*out = (struct caller){ .kind = CALLER_KEY,
				.user_id = user_id,
				.counted_as = user_id,
				.enforced = !(key.scopes & SCOPE_ADMIN),
				.scopes = key.scopes,
				.until_ms = key.expires_s * 1000 };
	return WHO_FOUND;
}
