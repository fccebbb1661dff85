/* me: what concerns the caller alone. */
#include "api_room.h"

#include "base/log.h"

/* Who may have been a visitor until now is a person who signs in. */
static bool may_claim(struct call *call, struct error *err)
{
	const struct config *config = call->api->config;

	if (call->caller.kind == CALLER_USER)
		return true;
	if (call->caller.kind == CALLER_KEY)
		return error_set(err, ERROR_ACCESS_DENIED,
				 "An API key was never a visitor: this is for people who sign in.");
	if (config->auth_mode_count == 1) /* none, or visitor alone */
		return error_set(err, ERROR_CONFLICT,
				 "Nobody signs in here (C1D_AUTH=%s), so there is nobody to take "
				 "anything along.",
				 config->auth);
	response_header(call->response, "WWW-Authenticate", SLICE("Bearer"));
	response_keep(call->response);
	return error_set(err, ERROR_UNAUTHORIZED,
			 "Sign in first: then what this browser had as a visitor is taken along.");
}

static void tell_log(struct call *call, size_t claimed)
{
	char from[GUARD_TAG_SIZE], to[GUARD_TAG_SIZE];

	guard_tag(call->api->guard, call->caller.visitor_id, from);
	guard_tag(call->api->guard, call->caller.user_id, to);
	log_info("visitor's threads taken along", LOG_T("request_id", call->request->id),
		 LOG_T("visitor", from), LOG_T("user", to), LOG_I("threads", (int64_t)claimed));
}

bool me_claim(struct call *call, struct error *err)
{
	const struct caller *caller = &call->caller;
	struct json_writer w;
	size_t claimed = 0;

	if (!may_claim(call, err))
		return false;
	if (caller->visitor_id) {
		if (!service_claim(call->api->service, caller, caller->visitor_id, &claimed, err))
			return false;
		tell_log(call, claimed);
		guard_forget_visitor(call->request, call->response);
	}
	w = answer_json(call, 200);
	json_open(&w, '{');
	json_put_int(&w, "claimed", (int64_t)claimed);
	json_close(&w, '}');
	return answer_done(call, err);
}
