/*
 * redis_place: redis://[user:password@]host[:port][/database][?prefix=...], or redis+unix:/path
 * with db= and prefix= behind it. What both have in common with REDIS_URL config/redis_url.h reads;
 * the rest is read here.
 */
#include "redis_room.h"

#include "net/net.h"

#define PREFIX      "c1d:"
#define PREFIX_MAX  64
#define UNIX_SCHEME "redis+unix:"
#define CHARS_HERE  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._-"

struct options {
	const char *prefix, *database;
};

/* name=value&name=value; false: another name, or no value. */
static bool read_options(const char *text, bool is_unix, struct arena *arena, struct options *out)
{
	while (text && *text) {
		size_t len = strcspn(text, "&");
		struct slice option = { text, len };
		const char **to = NULL;
		size_t name = 0;

		if (slice_starts(option, SLICE("prefix=")))
			to = &out->prefix, name = strlen("prefix=");
		else if (is_unix && slice_starts(option, SLICE("db=")))
			to = &out->database, name = strlen("db=");
		if (!to || *to || len == name)
			return false;
		*to = arena_copy(arena, slice_skip(option, name));
		text += len + (text[len] == '&');
	}
	return true;
}

/* What is in front of the options, as redis_url_parse reads it. */
static const char *address_of(const char *uri, size_t len, const struct options *options,
			      struct arena *arena)
{
	if (!slice_starts(slice_of(uri), SLICE(UNIX_SCHEME)))
		return arena_copy(arena, (struct slice){ uri, len });
	return arena_printf(arena, "%.*s%s%s", (int)(len - strlen("redis+")),
			    uri + strlen("redis+"), options->database ? "?db=" : "",
			    options->database ? options->database : "");
}

bool redis_place_parse(const char *uri, struct arena *arena, struct redis_place *out,
		       struct error *err)
{
	bool is_unix = slice_starts(slice_of(uri), SLICE(UNIX_SCHEME));
	size_t len = strcspn(uri, "?");
	struct options options = { 0 };
	const char *address, *wrong, *prefix;

	if (!read_options(uri[len] ? uri + len + 1 : NULL, is_unix, arena, &options))
		return error_set(err, ERROR_CONFIG,
				 "The store's address may end with ?prefix=... (and of a socket "
				 "&db=NUMBER), and nothing else.");
	prefix = options.prefix ? options.prefix : PREFIX;
	if (strlen(prefix) > PREFIX_MAX || prefix[strspn(prefix, CHARS_HERE)])
		return error_set(err, ERROR_CONFIG,
				 "The prefix in the store's address has 1 to %d of these "
				 "characters: letters, digits and : . _ -",
				 PREFIX_MAX);
	address = address_of(uri, len, &options, arena);
	wrong = address ? redis_url_parse(address, arena, &out->url) : NULL;
	if (wrong)
		return error_set(err, ERROR_CONFIG, "The store's address %s.", wrong);
	/* The braces keep all keys in one slot of a cluster, and apart from the limits'. */
	out->base = arena_printf(arena, "%s{store}:", prefix);
	return !arena->failed || error_set(err, ERROR_INTERNAL, "No memory for the store.");
}

void redis_place_reach(const char *uri, const struct config *config, struct reach *reach)
{
	struct redis_place place = { 0 };
	struct arena arena;

	(void)config;
	arena_init(&arena, 1u << 16);
	if (redis_place_parse(uri, &arena, &place, NULL)) {
		if (place.url.host) {
			reach_port(reach, (uint16_t)place.url.port);
			net_reach(NULL, NULL, reach);
		}
	}
	arena_done(&arena);
}
