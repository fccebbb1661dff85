/*
 * origin: see guard/origin.h.
 *
 * Browsers say where a request comes from in two headers that no page can set. Sec-Fetch-Site (any
 * browser of today, on https and localhost) is right whatever stands between browser and us, so it
 * goes first. Where it is missing, Origin is compared with the host that was asked for; it comes
 * with every request of a browser that is no GET or HEAD.
 */
#include "guard/origin.h"

#include <strings.h>

/* "host", "host:port", "[2001:db8::1]:port" */
struct authority {
	struct slice host, port; /* port "" without one */
};

static struct authority split(struct slice text)
{
	const char *colon = memrchr(text.ptr, ':', text.len);
	size_t len = colon ? (size_t)(colon - text.ptr) : text.len;

	if (!colon || memchr(colon, ']', text.len - len))
		return (struct authority){ text, SLICE("") };
	return (struct authority){ { text.ptr, len }, slice_skip(text, len + 1) };
}

static bool same_name(struct slice a, struct slice b)
{
	return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* Web servers may pass the host without its port, so a missing one matches any; a default one is
 * not written in an Origin. */
static bool same_port(struct slice ours, struct slice theirs, const char *fallback)
{
	return ours.len == 0 || slice_equal(ours, theirs) ||
	       (theirs.len == 0 && slice_is(ours, fallback));
}

/* Is it a page of the host that was asked for? A page without TLS is none of a site with it; the
 * other way round TLS may have ended before the web server. */
static bool is_same_host(struct slice origin, const struct request *request)
{
	bool secure = slice_starts(origin, SLICE("https://"));
	struct authority ours = split(request->headers[HEADER_HOST]), theirs;

	if (!secure && (request->is_https || !slice_starts(origin, SLICE("http://"))))
		return false;
	theirs = split(slice_skip(origin, secure ? 8 : 7));
	return ours.host.len > 0 && same_name(ours.host, theirs.host) &&
	       same_port(ours.port, theirs.port, secure ? "443" : "80");
}

static bool is_listed(const char *list, struct slice origin)
{
	const char *at = list ? list : "";

	while (*(at += strspn(at, " \t,"))) {
		size_t len = strcspn(at, " \t,");

		if (slice_equal(origin, (struct slice){ at, len }))
			return true;
		at += len;
	}
	return false;
}

enum origin origin_of(const struct config *config, const struct request *request)
{
	struct slice origin = request->headers[HEADER_ORIGIN];
	struct slice site = request->headers[HEADER_SEC_FETCH_SITE];

	/* "none": typed into the address bar. */
	if (slice_is(site, "same-origin") || slice_is(site, "none"))
		return ORIGIN_OURS;
	if (origin.len > 0 && is_listed(config->origins, origin))
		return ORIGIN_LISTED;
	if (site.len > 0)
		return ORIGIN_FOREIGN;
	return origin.len == 0 || is_same_host(origin, request) ? ORIGIN_OURS : ORIGIN_FOREIGN;
}
