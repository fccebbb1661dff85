/* scopes: what an API key may do at all, by the routes' flags. Everybody else may do all that is
 * ordinary. */
#include "api_room.h"

static const struct {
	int flag;
	enum caller_scope scope;
} needs[] = {
	{ ROUTE_READS, SCOPE_READ },
	{ ROUTE_WRITES, SCOPE_WRITE },
	{ ROUTE_CHATS, SCOPE_CHAT },
};

unsigned scopes_of(const struct route *route)
{
	unsigned scopes = 0;

	for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
		if (route->flags & needs[i].flag)
			scopes |= needs[i].scope;
	return scopes;
}

bool scopes_check(struct call *call, struct error *err)
{
	unsigned wanted = scopes_of(call->route);
	char words[CALLER_SCOPES_TEXT];

	if (!wanted || (call->caller.scopes & wanted))
		return true;
	caller_scopes_text(wanted, words);
	/* RFC 6750, 3.1 */
	response_header(call->response, "WWW-Authenticate",
			SLICE("Bearer error=\"insufficient_scope\""));
	response_keep(call->response);
	return error_set(err, ERROR_ACCESS_DENIED,
			 "This API key may not do that: it needs one of these scopes: %s.", words);
}
