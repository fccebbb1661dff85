/*
 * h2_names: what addresses a host has. The system's resolver is asked by a thread of its own, since
 * it blocks for as long as it likes; an address that is written in numbers asks nobody.
 *
 * Answers come on the loop's thread. A lookup cannot be broken off: when the names are closed the
 * thread is left alone with what it is waiting for, and goes by itself.
 */
#ifndef NET_H2_NAMES_H
#define NET_H2_NAMES_H

#include "base/error.h"
#include "base/loop.h"
#include <netinet/in.h>

#define H2_ADDRESSES_MAX 8

struct h2_address {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
};

/* In the order in which they are to be tried: the resolver's (RFC 6724), families in turn. */
struct h2_addresses {
	size_t count;
	struct h2_address list[H2_ADDRESSES_MAX];
};

/* To be tried behind all others from now on; one that is not there changes nothing. */
void h2_addresses_put_last(struct h2_addresses *addresses, const struct h2_address *address);

struct h2_names;

/* found: none when the name has none, or could not be looked up; `no_memory` says why. */
typedef void h2_names_found(void *ctx, const struct h2_addresses *addresses, bool no_memory);

/* Its thread begins with the first name that needs it. NULL: no memory, or no descriptor. */
struct h2_names *h2_names_open(struct loop *loop);
void h2_names_free(struct h2_names *names); /* no answer comes any more */

/* Written in numbers? Then these are all there are. */
bool h2_names_numeric(const char *host, const char *port, struct h2_addresses *out);
/* False: no memory, or no thread; nothing will be found. */
bool h2_names_ask(struct h2_names *names, const char *host, const char *port, h2_names_found *found,
		  void *ctx);

#endif
