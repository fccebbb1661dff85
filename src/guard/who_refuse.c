/* who_refuse: what every way in says when it lets nobody in. */
#include "guard_room.h"

enum who_found who_no_memory(struct error *err)
{
	error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	return WHO_REFUSED;
}

static enum who_found challenge(const struct who_ask *ask, struct slice with, struct error *err)
{
	response_header(ask->response, "WWW-Authenticate", with);
	error_set(err, ERROR_UNAUTHORIZED,
		  "Sign in: this needs a valid token in the header `Authorization: Bearer`.");
	return WHO_REFUSED;
}

enum who_found who_refuse(const struct who_ask *ask, struct error *err)
{
	return challenge(ask, SLICE("Bearer"), err);
}

enum who_found who_refuse_token(const struct who_ask *ask, struct error *err)
{
	return challenge(ask, SLICE("Bearer error=\"invalid_token\""), err);
}

bool who_comes_from_here(const struct who_ask *ask, struct error *err)
{
	if (ask->origin != ORIGIN_FOREIGN &&
	    !slice_is(ask->request->headers[HEADER_SEC_FETCH_SITE], "cross-site"))
		return true;
	return error_set(err, ERROR_FOREIGN_ORIGIN,
			 "This comes from a page of another site. What its browser sends by itself "
			 "does not count there: send the token in the header `Authorization: "
			 "Bearer`.");
}
