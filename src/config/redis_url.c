/* redis_url: see config/redis_url.h. */
#include "config/redis_url.h"

#include "base/digits.h"
#define PORT_MAX     65535
#define DATABASE_MAX 16383

static bool take_prefix(struct slice *text, struct slice prefix)
{
	if (!slice_starts(*text, prefix))
		return false;
	*text = slice_skip(*text, prefix.len);
	return true;
}

/* What stands before the mark, which is cut off too; all of it when there is no mark. */
static struct slice take_to(struct slice *text, char mark)
{
	const char *found = text->len > 0 ? memchr(text->ptr, mark, text->len) : NULL;
	struct slice before = { text->ptr, found ? (size_t)(found - text->ptr) : text->len };

	*text = slice_skip(*text, before.len + (found ? 1 : 0));
	return before;
}

static bool parse_number(struct slice text, int max, int *out)
{
	int64_t n;

	if (!digits_read(text, 5, &n))
		return false;
	*out = (int)n;
	return n <= max;
}

/* %XX becomes its byte. "" gives NULL. false: bad escape, or a NUL. */
static bool unescape(struct slice text, struct arena *arena, const char **out)
{
	char *made = text.len > 0 ? arena_copy(arena, text) : NULL;
	size_t n = 0;

	for (size_t i = 0; made && i < text.len; i++) {
		bool escaped = text.ptr[i] == '%';
		int high = escaped && i + 1 < text.len ? hex_value(text.ptr[i + 1]) : -1;
		int low = escaped && i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;

		if (escaped && (high < 0 || low < 0 || high + low == 0))
			return false;
		made[n++] = escaped ? (char)(high * 16 + low) : text.ptr[i];
		i += escaped ? 2 : 0;
	}
	if (made)
		made[n] = '\0';
	*out = made;
	return true;
}

/* "user:password@", "user@", ":password@" in front of the rest, or nothing. */
static const char *take_credentials(struct slice *rest, struct arena *arena, struct redis_url *url)
{
	const char *at = rest->len > 0 ? memrchr(rest->ptr, '@', rest->len) : NULL;
	struct slice both, user;

	if (!at)
		return NULL;
	both = (struct slice){ rest->ptr, (size_t)(at - rest->ptr) };
	*rest = slice_skip(*rest, both.len + 1);
	user = take_to(&both, ':');
	if (!unescape(user, arena, &url->user) || !unescape(both, arena, &url->password))
		return "has a bad %XX in its user or password";
	if (url->user && !url->password)
		return "names a user without a password";
	return NULL;
}

/* host, host:port, [2001:db8::1]:port */
static const char *take_host(struct slice text, struct arena *arena, struct redis_url *url)
{
	bool bracketed = take_prefix(&text, SLICE("["));
	bool closed = !bracketed || (text.len > 0 && memchr(text.ptr, ']', text.len));
	struct slice host = take_to(&text, bracketed ? ']' : ':');

	if (host.len == 0 || !closed ||
	    (bracketed && text.len > 0 && !take_prefix(&text, SLICE(":"))))
		return "names no host";
	if (text.len > 0 && (!parse_number(text, PORT_MAX, &url->port) || url->port == 0))
		return "has a port that is none";
	url->host = arena_copy(arena, host);
	return NULL;
}

static const char *parse_tcp(struct slice rest, struct arena *arena, struct redis_url *url)
{
	struct slice place = take_to(&rest, '/');
	const char *wrong = take_credentials(&place, arena, url);

	if (!wrong)
		wrong = take_host(place, arena, url);
	if (!wrong && rest.len > 0 && !parse_number(rest, DATABASE_MAX, &url->database))
		wrong = "has a database that is no number";
	return wrong;
}

static const char *parse_unix(struct slice rest, struct arena *arena, struct redis_url *url)
{
	struct slice place = take_to(&rest, '?');
	const char *wrong = NULL;

	if (take_prefix(&place, SLICE("//")))
		wrong = take_credentials(&place, arena, url);
	if (wrong)
		return wrong;
	if (!slice_starts(place, SLICE("/")))
		return "names no path of a socket";
	if (rest.len > 0 && (!take_prefix(&rest, SLICE("db=")) ||
			     !parse_number(rest, DATABASE_MAX, &url->database)))
		return "has a database that is no number";
	url->path = arena_copy(arena, place);
	return NULL;
}

const char *redis_url_parse(const char *text, struct arena *arena, struct redis_url *out)
{
	struct redis_url url = { .port = 6379 };
	struct slice rest = slice_of(text);
	const char *wrong;

	if (slice_starts(rest, SLICE("rediss:")))
		return "asks for TLS, which c1d does not speak to Redis: let stunnel listen beside "
		       "it and name its socket";
	if (take_prefix(&rest, SLICE("redis://")))
		wrong = parse_tcp(rest, arena, &url);
	else if (take_prefix(&rest, SLICE("unix:")))
		wrong = parse_unix(rest, arena, &url);
	else
		wrong = "begins neither with redis:// nor with unix:";
	if (!wrong)
		*out = url;
	return wrong;
}
