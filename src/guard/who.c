/*
 * who: see guard/who.h.
 *
 * One without a name is counted by the address that the web server saw. An IPv6 client has a whole
 * /64 to itself (RFC 4291, 2.5.4) and changes within it at will, so that is what counts as one.
 */
#include "guard/who.h"

#include "base/utf8.h"
#include <arpa/inet.h>
#include <stdio.h>

#define NOBODY "anonymous"

/* 192.0.2.7, also out of ::ffff:192.0.2.7; 2001:db8:0:1::/64; NULL: no memory. An address that is
 * none (a web server on a socket) makes all of its visitors one. */
static const char *network_of(struct arena *arena, struct slice address)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	struct in_addr in4;

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(address));
	if (inet_pton(AF_INET, text, &in4) == 1)
		return arena_printf(arena, NOBODY "@%s", text);
	if (inet_pton(AF_INET6, text, &in6) != 1)
		return NOBODY;
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		return arena_printf(arena, NOBODY "@%s",
				    inet_ntop(AF_INET, &in6.s6_addr[12], text, sizeof text));
	memset(&in6.s6_addr[8], 0, 8);
	return arena_printf(arena, NOBODY "@%s/64", inet_ntop(AF_INET6, &in6, text, sizeof text));
}

static bool is_name(struct slice name, struct error *err)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7F)
			return error_field(err, ERROR_VALIDATION, "user_id",
					   "user_id holds a control character.");
	return utf8_prefix(name, USER_ID_MAX).len == name.len ||
	       error_field(err, ERROR_VALIDATION, "user_id", "user_id has more than %d characters.",
			   USER_ID_MAX);
}

bool who_is(const struct request *request, struct slice claimed, struct caller *out,
	    struct error *err)
{
	struct caller caller = { .user_id = NOBODY, .named = claimed.len > 0 };

	_Static_assert(USER_ID_MAX * 4 <= COUNTED_AS_MAX, "a name is counted as itself");
	if (caller.named) {
		if (!is_name(claimed, err))
			return false;
		caller.user_id = caller.counted_as = arena_copy(request->arena, claimed);
	} else {
		caller.counted_as = network_of(request->arena, request->remote_addr);
	}
	if (!caller.user_id || !caller.counted_as)
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	*out = caller;
	return true;
}
