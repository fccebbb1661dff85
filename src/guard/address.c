/*
 * address: one without a name is counted by the address that the web server saw. An IPv6 client has
 * a whole /64 to itself (RFC 4291, 2.5.4) and changes within it at will, so that is what counts as
 * one.
 */
#include "guard_room.h"

#include <arpa/inet.h>
#include <stdio.h>

#define NOBODY "anonymous"

/* The network of so many bits around it. */
static const char *network_of(struct arena *arena, const struct in6_addr *address, int bits)
{
	struct in6_addr network = { .s6_addr = { 0 } };
	char text[INET6_ADDRSTRLEN];

	memcpy(&network, address, (size_t)bits / 8);
	return arena_printf(arena, NOBODY "@%s/%d",
			    inet_ntop(AF_INET6, &network, text, sizeof text), bits);
}

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
	return network_of(arena, &in6, 64);
}

const char *address_counted_wider(struct arena *arena, struct slice address)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(address));
	if (inet_pton(AF_INET6, text, &in6) != 1 || IN6_IS_ADDR_V4MAPPED(&in6))
		return NULL;
	return network_of(arena, &in6, 48);
}
