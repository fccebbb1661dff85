/* firestore_address: see firestore_address.h. */
#include "firestore_address.h"

#include <strings.h>

#define ENDPOINT     "https://firestore.googleapis.com"
#define NAME_MAX_LEN 100

static struct slice take_to(struct slice *text, const char *marks)
{
	struct slice before = { text->ptr, strcspn(text->ptr, marks) };

	*text = slice_skip(*text, before.len);
	return before;
}

static bool is_name(struct slice name, const char *besides)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";

	for (size_t i = 0; i < name.len; i++)
		if (!strchr(letters, name.ptr[i]) && !strchr(besides, name.ptr[i]))
			return false;
	return name.len > 0 && name.len <= NAME_MAX_LEN;
}

bool firestore_is_safe(const char *url)
{
	static const char *const here[] = { "http://127.0.0.1", "http://localhost",
					    "http://[::1]" };

	if (strpbrk(url, " \t\r\n@#"))
		return false;
	if (strncasecmp(url, "https://", 8) == 0)
		return url[8] != '\0' && url[8] != '/' && url[8] != ':';
	for (size_t i = 0; i < sizeof here / sizeof *here; i++)
		if (strncmp(url, here[i], strlen(here[i])) == 0)
			return strchr(":/", url[strlen(here[i])]) != NULL;
	return false;
}

static const char *take_option(struct slice option, struct arena *arena,
			       struct firestore_address *out)
{
	static const struct slice endpoint = { "endpoint=", 9 }, ca_file = { "ca_file=", 8 };

	if (slice_starts(option, endpoint)) {
		option = slice_skip(option, endpoint.len);
		while (option.len > 0 && option.ptr[option.len - 1] == '/')
			option.len--;
		out->endpoint = arena_copy(arena, option);
		return !out->endpoint || firestore_is_safe(out->endpoint)
			       ? NULL
			       : "has an endpoint that is no https://HOST[:PORT]";
	}
	if (slice_starts(option, ca_file) && option.len > ca_file.len) {
		out->ca_file = arena_copy(arena, slice_skip(option, ca_file.len));
		return NULL;
	}
	return "has an option that is neither endpoint=https://HOST nor ca_file=PATH";
}

static const char *take_options(struct slice rest, struct arena *arena,
				struct firestore_address *out)
{
	const char *wrong = NULL;

	while (!wrong && rest.len > 0) {
		rest = slice_skip(rest, 1); /* ? or & */
		wrong = take_option(take_to(&rest, "&"), arena, out);
	}
	return wrong;
}

const char *firestore_address_read(const char *uri, struct arena *arena,
				   struct firestore_address *out)
{
	struct firestore_address found = { .endpoint = ENDPOINT, .database = "(default)" };
	struct slice rest = slice_of(uri), name;
	const char *wrong;

	if (!slice_starts(rest, SLICE("firestore:")))
		return "begins not with firestore:";
	rest = slice_skip(rest, sizeof "firestore:" - 1);
	name = take_to(&rest, "/?");
	if (!is_name(name, ".:"))
		return "names no project: firestore:PROJECT";
	found.project = arena_copy(arena, name);
	if (rest.len > 0 && *rest.ptr == '/') {
		rest = slice_skip(rest, 1);
		name = take_to(&rest, "?");
		if (!is_name(name, "()"))
			return "names no database behind its project: firestore:PROJECT/DATABASE";
		found.database = arena_copy(arena, name);
	}
	wrong = take_options(rest, arena, &found);
	if (!wrong)
		*out = found;
	return wrong;
}
