/*
 * cache_place: where in Redis the values of this store lie, see cache_room.h. Two stores behind one
 * Redis may well have the same threads: one is the other's copy.
 *
 * A store's place is its kind and its address, without what may differ between nodes of the same
 * one or is a secret: who signs in, and all options but those that say which store it is.
 */
#include "cache_room.h"

#include "base/siphash.h"
#include <stdio.h>

static const char *const telling[] = { "host=",   "hostaddr=", "port=",
				       "dbname=", "schema=",   "options=" };

/* Each piece is hashed with what came of those before it as the key. */
static void add(struct siphash *sum, const char *piece, size_t len)
{
	const uint64_t key[2] = { sum->a, sum->b };

	*sum = siphash(key, (struct slice){ piece, len });
}

static void add_options(struct siphash *sum, const char *option)
{
	for (;;) {
		size_t len = strcspn(option, "&");

		for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
			if (strncmp(option, telling[i], strlen(telling[i])) == 0)
				add(sum, option, len);
		if (!option[len])
			return;
		option += len + 1;
	}
}

/* Behind "kind://user:password@", or "kind:". */
static const char *skip_user(const char *uri)
{
	const char *at = strchr(uri, ':') + 1;
	size_t len;

	if (strncmp(at, "//", 2) != 0)
		return at;
	at += 2;
	len = strcspn(at, "/?");
	while (len > 0 && at[len - 1] != '@')
		len--;
	return at + len;
}

static void set_name(const struct cache *cache, const char *name, char out[CACHE_NAME_SIZE])
{
	snprintf(out, CACHE_NAME_SIZE, "%s%s", cache->prefix, name);
}

void cache_set_place(struct cache *cache, const char *kind, const char *uri)
{
	const char *address = skip_user(uri);
	size_t len = strcspn(address, "?");
	struct siphash sum = { 0, 0 };

	add(&sum, kind, strlen(kind));
	add(&sum, address, len);
	if (address[len])
		add_options(&sum, address + len + 1);
	snprintf(cache->prefix, sizeof cache->prefix,
		 "c1d:cache:%016llx:", (unsigned long long)sum.a);
	set_name(cache, "era", cache->era);
	set_name(cache, "run", cache->run);
	set_name(cache, "nodes", cache->nodes);
}
