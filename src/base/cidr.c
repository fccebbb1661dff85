/* cidr: see base/cidr.h. */
#include "base/cidr.h"

#include "base/digits.h"
#include <arpa/inet.h>
#include <string.h>

#define IPV4_BITS 96 /* of ::ffff:0:0/96, before an IPv4 address */

static bool is_ipv4(const struct address *address)
{
	static const unsigned char prefix[IPV4_BITS / 8] = { [10] = 0xFF, [11] = 0xFF };

	return memcmp(address->bytes, prefix, sizeof prefix) == 0;
}

bool address_parse(struct slice text, struct address *out)
{
	struct address made = { .bytes = { [10] = 0xFF, [11] = 0xFF } };
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, &made.bytes[IPV4_BITS / 8]) != 1 &&
	    inet_pton(AF_INET6, copy, made.bytes) != 1)
		return false;
	*out = made;
	return true;
}

static bool same_bits(const struct address *a, const struct address *b, int bits)
{
	size_t whole = (size_t)bits / 8;
	unsigned mask = 0xFF00u >> bits % 8 & 0xFF;

	return memcmp(a->bytes, b->bytes, whole) == 0 &&
	       (bits % 8 == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0);
}

static bool is_zero_from(const struct address *address, int bits)
{
	const struct address zero = { { 0 } };
	struct address rest = *address;

	memset(rest.bytes, 0, (size_t)bits / 8);
	if (bits % 8)
		rest.bytes[bits / 8] &= 0xFF >> bits % 8;
	return same_bits(&rest, &zero, 128);
}

/* "0" to "128", no sign, no zero in front. */
static bool parse_bits(struct slice text, int *out)
{
	int64_t n;

	if (!digits_read(text, 3, &n) || (text.len > 1 && text.ptr[0] == '0'))
		return false;
	*out = (int)n;
	return true;
}

bool cidr_parse(struct slice text, struct cidr *out)
{
	const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
	size_t len = slash ? (size_t)(slash - text.ptr) : text.len;
	struct cidr made = { .bits = 128 };

	if (!address_parse((struct slice){ text.ptr, len }, &made.first))
		return false;
	if (slash) {
		bool written_short = !memchr(text.ptr, ':', len);

		if (!parse_bits(slice_skip(text, len + 1), &made.bits))
			return false;
		made.bits += written_short && is_ipv4(&made.first) ? IPV4_BITS : 0;
		if (made.bits > 128 || !is_zero_from(&made.first, made.bits))
			return false;
	}
	*out = made;
	return true;
}

bool cidr_holds(const struct cidr *cidr, const struct address *address)
{
	return same_bits(&cidr->first, address, cidr->bits);
}
