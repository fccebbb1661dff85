/*
 * who_header: whoever the web server has signed in (auth_basic, auth_request, a proxy for OpenID
 * Connect) and names by a FastCGI parameter. It is believed, so it has to be one that no client can
 * set: nginx passes a client's header X as HTTP_X, and nothing else but what its files say. What
 * they say of $remote_user is the client's word, too, unless auth_basic checks it; that is beyond
 * us.
 */
#include "guard_room.h"

#include "base/metrics.h"
#include "user_id.h"

/* RFC 3875's, which tell of the request: a client has them in its hands. */
static const char *const of_clients[] = { "HTTP_",    "CONTENT_",  "QUERY_",    "REQUEST_",
					  "SCRIPT_",  "PATH_",     "DOCUMENT_", "SERVER_",
					  "GATEWAY_", "REDIRECT_", "HTTPS" };

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < 64 && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

static bool check(const struct config *config, struct error *err)
{
	const char *name = config->auth_header;

	if (!name)
		return error_set(err, ERROR_CONFIG,
				 "C1D_AUTH=header needs C1D_AUTH_HEADER: the FastCGI parameter by "
				 "which the web server says whom it has signed in.");
	for (size_t i = 0; i < sizeof of_clients / sizeof of_clients[0]; i++)
		if (slice_starts(slice_of(name), slice_of(of_clients[i])))
			return error_set(
				err, ERROR_CONFIG,
				"C1D_AUTH_HEADER=%.40s is what a client says itself: anybody "
				"could be anybody. Name one of your own, such as REMOTE_USER, "
				"and let nginx set it (fastcgi_param).",
				name);
	return is_name(name) ||
	       error_set(err, ERROR_CONFIG,
			 "C1D_AUTH_HEADER is no name of a parameter: write capital "
			 "letters, digits and _.");
}

static bool open_way(struct guard *guard, struct error *err)
{
	return check(guard->config, err);
}

static enum who_found who(struct guard *guard, const struct who_ask *ask, struct caller *out,
			  struct error *err)
{
	const struct request *request = ask->request;
	struct slice name =
		request->param ? request->param(request, guard->config->auth_header) : SLICE("");

	if (name.len == 0)
		return WHO_NOBODY;
	/* A browser sends what signs it in to the web server with each request, too. */
	if (!who_comes_from_here(ask, err))
		return WHO_REFUSED;
	if (!user_id_is_foreign(name)) {
		metrics_add(M_AUTH_REFUSED, METRIC_REFUSAL_user, 0, 1);
		return who_refuse(ask, err);
	}
	*out = (struct caller){ .kind = CALLER_USER,
				.user_id = arena_copy(request->arena, name),
				.enforced = true,
				.scopes = SCOPES_ORDINARY };
	if (!(out->counted_as = out->user_id))
		return who_no_memory(err);
	if (!revoked_is(guard, out->user_id, 0))
		return WHO_FOUND;
	metrics_add(M_AUTH_REFUSED, METRIC_REFUSAL_revoked, 0, 1);
	return who_refuse(ask, err);
}

const struct who_mode who_header = { .check = check, .open = open_way, .who = who };
