/* keys: `c1d keys`: the API keys of servers, made, listed and revoked. What is printed on stdout is
 * for programs too. */
#include "guard/keys.h"

#include "base/clock.h"
#include "commands.h"
#include "model/caller.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_MAX 3650
#define DAY_S    86400

static int failed(const struct error *err)
{
	fprintf(stderr, "c1d keys: %s\n", err->detail);
	return err->code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

static bool wrong_word(const char *option, const char *wanted)
{
	fprintf(stderr, "c1d keys: %s takes %s\n", option, wanted);
	return false;
}

/* act and admin say whose things, the others what may be done: without one of those, all of them.
 */
static bool read_scopes(int argc, char **argv, unsigned *out)
{
	const char *text = command_option(argc, argv, "--scopes");

	*out = 0;
	if (text && !caller_scopes_parse(slice_of(text), out))
		return wrong_word("--scopes", "chat, read, write, act and admin, commas between");
	if (!(*out & SCOPES_ORDINARY))
		*out |= SCOPES_ORDINARY;
	return true;
}

static bool read_expiry(int argc, char **argv, int64_t *out)
{
	const char *text = command_option(argc, argv, "--expires");
	char *end = NULL;
	long days = text ? strtol(text, &end, 10) : 0;

	if (text && (*end || end == text || days < 1 || days > DAYS_MAX))
		return wrong_word("--expires", "a number of days from 1 to 3650");
	*out = days ? clock_wall_ms() / 1000 + days * DAY_S : 0;
	return true;
}

/* --- what there is to do --- */

static int add(const struct config *config, int argc, char **argv)
{
	char text[KEY_TEXT_SIZE], words[CALLER_SCOPES_TEXT];
	struct error err = { 0 };
	unsigned scopes;
	int64_t expires_s;

	if (!read_scopes(argc, argv, &scopes) || !read_expiry(argc, argv, &expires_s))
		return EXIT_USAGE;
	if (!keys_add(config->state_dir, argv[2], scopes, expires_s, text, &err))
		return failed(&err);
	printf("%s\n", text);
	fflush(stdout);
	OPENSSL_cleanse(text, sizeof text);
	fprintf(stderr,
		"This is the only time that it is shown. It is sent as: Authorization: Bearer KEY\n"
		"It may: %s. Its user is key-%s.\n",
		caller_scopes_text(scopes, words), argv[2]);
	return EXIT_OK;
}

static const char *date(int64_t s, char out[CLOCK_TEXT_SIZE])
{
	clock_format(s * 1000, out);
	out[sizeof "2026-11-23" - 1] = '\0';
	return out;
}

static int list(const struct config *config, int argc, char **argv)
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct key_list keys;
	struct error err = { 0 };

	(void)argc;
	(void)argv;
	if (!keys_read(config->state_dir, &keys, &err))
		return failed(&err);
	for (size_t i = 0; i < keys.count; i++) {
		const struct api_key *key = &keys.items[i];
		char words[CALLER_SCOPES_TEXT], made[CLOCK_TEXT_SIZE], ends[CLOCK_TEXT_SIZE];

		printf("%-24s c1d_%s_...  %-26s made %s  %s %s\n", key->name, key->id,
		       caller_scopes_text(key->scopes, words), date(key->made_s, made),
		       key->expires_s && key->expires_s <= now_s ? "expired" : "expires",
		       key->expires_s ? date(key->expires_s, ends) : "never");
	}
	if (keys.count == 0)
		fprintf(stderr, "There are no API keys in %s.\n", config->state_dir);
	keys_free(&keys);
	return EXIT_OK;
}

static int revoke(const struct config *config, int argc, char **argv)
{
	struct error err = { 0 };

	(void)argc;
	if (!keys_revoke(config->state_dir, argv[2], &err))
		return failed(&err);
	fprintf(stderr, "%s is refused from now on.\n", argv[2]);
	return EXIT_OK;
}

int command_keys(int argc, char **argv)
{
	static const struct command_verb verbs[] = {
		{ "add", true, add },
		{ "list", false, list },
		{ "revoke", true, revoke },
		{ NULL, false, NULL },
	};

	return command_run_verb(
		verbs,
		"usage: c1d keys add NAME [--scopes LIST] [--expires DAYS]\n"
		"       c1d keys list\n"
		"       c1d keys revoke NAME\n"
		"LIST is of chat, read, write (these three unless given), act (may name\n"
		"another user_id and act as that user), admin (sees everybody's).\n",
		argc, argv);
}
