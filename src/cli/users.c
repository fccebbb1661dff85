/* users: `c1d users`: who is shown the door, and let in again; users_erase.c takes all that is a
 * user's away. */
#include "users.h"
#include "base/clock.h"
#include "commands.h"
#include "guard/revoked.h"
#include <stdio.h>

static int failed(const struct error *err)
{
	fprintf(stderr, "c1d users: %s\n", err->detail);
	return err->code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

static int revoke(const struct config *config, int argc, char **argv)
{
	struct error err = { 0 };

	(void)argc;
	if (!revoked_add(config->state_dir, argv[2], &err))
		return failed(&err);
	fprintf(stderr, "What %s signed in with before now is refused.\n", argv[2]);
	return EXIT_OK;
}

static int restore(const struct config *config, int argc, char **argv)
{
	struct error err = { 0 };

	(void)argc;
	if (!revoked_remove(config->state_dir, argv[2], &err))
		return failed(&err);
	fprintf(stderr, "%s is let in again.\n", argv[2]);
	return EXIT_OK;
}

static int list(const struct config *config, int argc, char **argv)
{
	struct revoked_list users;
	struct error err = { 0 };

	(void)argc;
	(void)argv;
	if (!revoked_read(config->state_dir, &users, &err))
		return failed(&err);
	for (size_t i = 0; i < users.count; i++) {
		char at[CLOCK_TEXT_SIZE];

		printf("%s %s\n", clock_format(users.items[i].at_s * 1000, at),
		       users.items[i].user_id);
	}
	if (users.count == 0)
		fprintf(stderr, "Nobody is revoked in %s.\n", config->state_dir);
	revoked_free(&users);
	return EXIT_OK;
}

int command_users(int argc, char **argv)
{
	static const struct command_verb verbs[] = {
		{ "revoke", true, revoke }, { "restore", true, restore },
		{ "list", false, list },    { "erase", true, users_erase },
		{ NULL, false, NULL },
	};

	return command_run_verb(
		verbs,
		"usage: c1d users revoke USER\n"
		"       c1d users restore USER\n"
		"       c1d users list\n"
		"       c1d users erase USER [--yes] [--json] [--quiet]\n"
		"Tokens and cookies that USER got before a revocation are refused; one who\n"
		"signs in anew is let in. erase takes away all conversations of USER.\n",
		argc, argv);
}
