/*
 * address: one without a name is counted by the address that the web server saw. An IPv6 client has
 * a whole /64 to itself (RFC 4291, 2.5.4) and changes within it at will, so that is what counts as
 * one.
 */
#include "guard_room.h"

#include <arpa/inet.h>
#include <stdio.h>

#define NOBODY "anonymous"

const char *address_counted(struct arena *arena, struct slice address)
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
