/* who_refuse: what every way in says when it lets nobody in. */
#include "guard_room.h"

enum who_found who_no_memory(struct error *err)
{
	error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	return WHO_REFUSED;
}

enum who_found who_refuse(const struct who_ask *ask, struct error *err)
{
	response_header(ask->response, "WWW-Authenticate", SLICE("Bearer"));
	error_set(err, ERROR_UNAUTHORIZED,
		  "Sign in: this needs a valid token in the header `Authorization: Bearer`.");
	return WHO_REFUSED;
}
