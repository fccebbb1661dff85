/*
 * cidr: addresses and networks of them (RFC 4632, RFC 4291). IPv4 is kept as IPv6
 * (::ffff:192.0.2.7), so that one that comes either way is the same. Pure; any thread.
 */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>

struct address {
	unsigned char bytes[16];
};

struct cidr {
	struct address first;
	int bits; /* that all of its addresses share: 0 to 128 */
};

/* 192.0.2.7, 2001:db8::7; no port, brackets, zone or blanks. */
bool address_parse(struct slice text, struct address *out);
/* 192.0.2.0/24, 2001:db8::/32, or one address. No bit may be set behind the prefix: who writes
 * 10.0.0.1/8 may mean another network. */
bool cidr_parse(struct slice text, struct cidr *out);
bool cidr_holds(const struct cidr *cidr, const struct address *address);

#endif
