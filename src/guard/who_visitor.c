/*
 * who_visitor: each browser is a user of its own. Its first answer brings a cookie that we have
 * signed, and nobody has to sign in:
 *
 *   v1.<id>.<made>.<signature>      id: 128 random bits · made: unix seconds
 *
 * The signature covers the host, too, so that a site's cookie is none of another site that shares
 * the secret. The name says what the browser vouches for: with __Host- (RFC 6265bis, 4.1.3.2) no
 * other host, not even one of the same domain, can have set it. That needs TLS; without it the name
 * is a plain one, and the one is not taken for the other.
 *
 * What is no cookie of ours gives access to nothing: its sender becomes a new visitor, since it may
 * as well be an honest browser behind a lost secret.
 */
#include "guard_room.h"

#include "base/base64url.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/metrics.h"
#include "cookie.h"
#include <stdio.h>
#include <sys/random.h>

#define PURPOSE     "visitor"
#define VERSION     "v1."
#define ID_BYTES    16
#define ID_LEN      BASE64URL_LEN(ID_BYTES)
#define MAC_LEN     BASE64URL_LEN(SECRET_MAC_SIZE)
#define MADE_MAX    12 /* digits */
#define VALUE_MAX   128
#define LIFE_S      34560000              /* 400 days: browsers keep none for longer */
#define RENEW_S     ((int64_t)30 * 86400) /* so that who comes back now and then stays */
#define COOKIES_MAX 8 /* of our name, each of which takes its time; browsers send one */
#define USER_PREFIX "visitor-"

struct visitor {
	char id[ID_LEN + 1];
	int64_t made_s;
	bool is_fresh; /* signed lately, by the newest secret */
};

/* --- the signature --- */

/* Lower case, without a port: a site is the same on each. NULL: no memory. */
static const char *host_of(const struct request *request)
{
	struct slice host = request->headers[HEADER_HOST];
	const char *colon = memrchr(host.ptr, ':', host.len);
	char *lower;

	if (colon && !memchr(colon, ']', host.len - (size_t)(colon - host.ptr)))
		host.len = (size_t)(colon - host.ptr);
	if (!(lower = arena_copy(request->arena, host)))
		return NULL;
	for (char *c = lower; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	return lower;
}

/* What is signed; NULL: no memory. An id and a time hold no '|'. */
static const char *signed_text(const struct request *request, const char *id, int64_t made_s)
{
	const char *host = host_of(request);

	return host ? arena_printf(request->arena, VERSION "|%s|%lld|%s", id, (long long)made_s,
				   host)
		    : NULL;
}

static bool is_signed(struct guard *guard, const struct request *request, struct slice mac,
		      struct visitor *visitor)
{
	unsigned char bytes[SECRET_MAC_SIZE];
	const char *text = signed_text(request, visitor->id, visitor->made_s);
	bool is_newest;
	size_t len;

	if (!text || !base64url_read(mac, bytes, sizeof bytes, &len) || len != sizeof bytes ||
	    !secret_is_mac(guard->secrets, PURPOSE, slice_of(text), bytes, &is_newest))
		return false;
	visitor->is_fresh = is_newest && clock_wall_ms() / 1000 - visitor->made_s < RENEW_S;
	return true;
}

/* --- reading --- */

static bool take_id(struct slice text, struct visitor *visitor)
{
	unsigned char bytes[ID_BYTES];
	size_t len;

	if (!base64url_read(text, bytes, sizeof bytes, &len) || len != sizeof bytes)
		return false;
	memcpy(visitor->id, text.ptr, ID_LEN);
	visitor->id[ID_LEN] = '\0';
	return true;
}

static bool take_made(struct slice text, struct visitor *visitor)
{
	return !(text.len > 1 && text.ptr[0] == '0') &&
	       digits_read(text, MADE_MAX, &visitor->made_s);
}

/* METRIC_COOKIE_KINDS: it is a good one. */
static enum metric_cookie_kind judge(struct guard *guard, const struct request *request,
				     struct slice value, struct visitor *visitor)
{
	const struct slice version = SLICE(VERSION);
	struct slice rest;
	const char *dot;

	if (!slice_starts(value, version) || value.len < version.len + ID_LEN + 1 + 1 + 1 + MAC_LEN)
		return METRIC_COOKIE_form;
	rest = slice_skip(value, version.len + ID_LEN + 1);
	dot = memchr(rest.ptr, '.', rest.len);
	if (!dot || rest.ptr[-1] != '.' ||
	    !take_id((struct slice){ value.ptr + version.len, ID_LEN }, visitor) ||
	    !take_made((struct slice){ rest.ptr, (size_t)(dot - rest.ptr) }, visitor))
		return METRIC_COOKIE_form;
	rest = slice_skip(rest, (size_t)(dot - rest.ptr) + 1);
	if (!is_signed(guard, request, rest, visitor))
		return METRIC_COOKIE_signature;
	return clock_wall_ms() / 1000 - visitor->made_s > LIFE_S ? METRIC_COOKIE_expired
								 : METRIC_COOKIE_KINDS;
}

static const char *cookie_name(const struct request *request)
{
	return request->is_https ? "__Host-c1d_visitor" : "c1d_visitor";
}

enum cookies { NONE, ONE, SEVERAL };

/* Somebody between (a host of the same domain, without TLS) may have added a second one. Two that
 * name different visitors name nobody. */
static enum cookies read_cookie(struct guard *guard, const struct request *request,
				struct visitor *out)
{
	struct slice rest = request->headers[HEADER_COOKIE], value;
	enum cookies found = NONE;

	for (int count = 0; cookie_next(&rest, cookie_name(request), &value); count++) {
		struct visitor visitor;
		enum metric_cookie_kind kind;

		if (count == COOKIES_MAX)
			return SEVERAL;
		kind = judge(guard, request, value, &visitor);
		if (kind == METRIC_COOKIE_KINDS && found && strcmp(visitor.id, out->id) != 0)
			kind = METRIC_COOKIE_twice;
		if (kind != METRIC_COOKIE_KINDS)
			metrics_add(M_COOKIES_REFUSED, (int)kind, 0, 1);
		if (kind == METRIC_COOKIE_twice)
			return SEVERAL;
		if (kind == METRIC_COOKIE_KINDS && found == NONE) {
			*out = visitor;
			found = ONE;
		}
	}
	return found;
}

/* --- writing --- */

static bool set_cookie(const struct request *request, struct response *response, const char *value,
		       int life_s)
{
	return response_headerf(
		response, "Set-Cookie", "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s",
		cookie_name(request), value, life_s, request->is_https ? "; Secure" : "");
}

static bool write_cookie(struct guard *guard, const struct who_ask *ask, const char *id)
{
	int64_t made_s = clock_wall_ms() / 1000;
	const char *text = signed_text(ask->request, id, made_s);
	unsigned char mac[SECRET_MAC_SIZE];
	char letters[MAC_LEN + 1], value[VALUE_MAX];

	if (!text || !secret_mac(guard->secrets, PURPOSE, slice_of(text), mac))
		return false;
	base64url_write(mac, sizeof mac, letters);
	snprintf(value, sizeof value, VERSION "%s.%lld.%s", id, (long long)made_s, letters);
	return set_cookie(ask->request, ask->response, value, LIFE_S);
}

void guard_forget_visitor(const struct request *request, struct response *response)
{
	set_cookie(request, response, "", 0);
}

static bool make_visitor(struct visitor *out)
{
	unsigned char bytes[ID_BYTES];

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return false;
	base64url_write(bytes, sizeof bytes, out->id);
	out->made_s = clock_wall_ms() / 1000;
	out->is_fresh = false;
	metrics_add(M_VISITORS, 0, 0, 1);
	return true;
}

/* --- the way in --- */

static const char *user_of(const struct request *request, const struct visitor *visitor)
{
	return arena_printf(request->arena, USER_PREFIX "%s", visitor->id);
}

const char *visitor_of(struct guard *guard, const struct request *request)
{
	struct visitor visitor;
	const char *user_id;

	if (read_cookie(guard, request, &visitor) != ONE)
		return NULL;
	user_id = user_of(request, &visitor);
	return user_id && revoked_is(guard, user_id, visitor.made_s) ? NULL : user_id;
}

/* Cookies go with a request whoever made the browser send it. Another site's page gets none, and is
 * told nothing; one that C1D_ORIGINS lists would be a new visitor with each request. */
static bool comes_from_here(const struct who_ask *ask, struct error *err)
{
	if (ask->origin == ORIGIN_FOREIGN)
		return error_set(err, ERROR_FOREIGN_ORIGIN,
				 "This comes from a page of another site, which may not act as a "
				 "visitor of this one.");
	return !slice_is(ask->request->headers[HEADER_SEC_FETCH_SITE], "cross-site") ||
	       error_set(err, ERROR_FOREIGN_ORIGIN,
			 "Browsers keep a visitor's cookie from pages of another site, also where "
			 "C1D_ORIGINS lists it: there people have to sign in.");
}

static enum who_found who(struct guard *guard, const struct who_ask *ask, struct caller *out,
			  struct error *err)
{
	const struct request *request = ask->request;
	struct visitor visitor;
	enum cookies cookies;

	if (!comes_from_here(ask, err))
		return WHO_REFUSED;
	cookies = read_cookie(guard, request, &visitor);
	if (cookies != ONE && !make_visitor(&visitor))
		return who_no_memory(err);
	*out = (struct caller){ .kind = CALLER_VISITOR,
				.user_id = user_of(request, &visitor),
				.also_counted_as =
					address_counted(request->arena, request->remote_addr),
				.enforced = true,
				.scopes = SCOPES_ORDINARY };
	out->counted_as = out->user_id;
	/* Before a cookie is renewed: it would be a new one. */
	if (out->user_id && revoked_is(guard, out->user_id, visitor.made_s)) {
		metrics_add(M_AUTH_REFUSED, METRIC_REFUSAL_revoked, 0, 1);
		return who_refuse(ask, err);
	}
	/* What could not be judged for want of memory may be a good one; there is none for a
	 * user_id then either. Among several is the browser's own: a new one would take its place
	 * for good. */
	if (!out->user_id || !out->also_counted_as ||
	    (cookies != SEVERAL && !visitor.is_fresh && !write_cookie(guard, ask, visitor.id)))
		return who_no_memory(err);
	return WHO_FOUND;
}

const struct who_mode who_visitor = { .who = who };
