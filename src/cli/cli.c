/* cli: the table of sub-commands, `help`, which tells of it, and the words that each one knows. */
#include "cli/cli.h"

#include "base/version.h"
#include "commands.h"
#include <stdio.h>
#include <string.h>

static int help(int argc, char **argv);

const struct command commands[] = {
	{ "serve", command_serve, "--config= --trial", "", "run the pool until SIGTERM" },
	{ "check", command_check, "--config= --user= -t --live", "[-t|--live] [--user NAME]",
	  "try all that the service needs, as root as its user; -t: the settings only; --live: is "
	  "it "
	  "answering?" },
	{ "keys", command_keys, "--config= add= list revoke= --scopes= --expires=",
	  "add|list|revoke [NAME]", "API keys for servers that call this; c1d keys tells more" },
	{ "users", command_users, TAKES_USERS, "revoke|restore|list|erase [USER]",
	  "show a user the door, or take away all that is his" },
	{ "threads", command_threads, TAKES_THREADS, "list|show|delete|... [ID]",
	  "look at conversations, delete one, restore its title" },
	{ "export", command_export, TAKES_EXPORT, "FILE|- [--user NAME]",
	  "write all conversations, a JSON line each, and each message" },
	{ "import", command_import, TAKES_IMPORT, "FILE|- [--user NAME]",
	  "take such lines into the store" },
	{ "copy", command_copy, TAKES_COPY, "FROM TO",
	  "copy a store into another, of any kind, and go on where it ended" },
	{ "backup", command_backup, TAKES_BACKUP, "FILE [--force]",
	  "copy SQLite's file while the service runs" },
	{ "store", command_store, TAKES_STORE, "status|migrate",
	  "which version the store's tables are of; bring them to this program's" },
	{ "secret", command_secret, "--config= rotate", "rotate",
	  "sign visitors' cookies anew; nobody is signed out" },
	{ "version", command_version, "", "", "this program and its libraries" },
	{ "help", help, "settings --markdown", "[settings [--markdown]]",
	  "this text; or every setting with its default" },
};

const size_t command_count = sizeof commands / sizeof commands[0];

static void list_commands(void)
{
	printf("c1d " C1D_VERSION
	       ": the Thesys C1 backend behind nginx\n\nusage: c1d COMMAND [--config FILE]\n\n");
	for (size_t i = 0; i < command_count; i++)
		printf("  %-8s %-26s %s\n", commands[i].name, commands[i].options,
		       commands[i].help);
	printf("\nSettings are KEY=value lines in /etc/c1d/c1d.conf (or --config FILE) and the "
	       "environment, which wins. A key may lie in a file of its own: NAME_FILE=PATH.\n");
}

static int list_settings(bool as_markdown)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, 1u << 20);
	ok = config_help(as_markdown, &text);
	if (ok)
		fwrite(text.data, 1, text.len, stdout);
	buffer_done(&text);
	return ok ? EXIT_OK : EXIT_FAILED;
}

static int help(int argc, char **argv)
{
	if (command_has(argc, argv, "settings"))
		return list_settings(command_has(argc, argv, "--markdown"));
	list_commands();
	return EXIT_OK;
}

/* A word that a command does not know is an error, not something to pass over. */
static bool check_words(const struct command *command, int argc, char **argv)
{
	bool has_value, is_known;
	int free = 0;

	for (const char *at = command->takes; (at = strchr(at, '*')) != NULL; at++)
		free++;
	for (int i = 1; i < argc; i++) {
		is_known = command_knows(command->takes, argv[i], &has_value);
		if (!is_known && free > 0 && (argv[i][0] != '-' || argv[i][1] == '\0')) {
			free--;
			continue;
		}
		if (!is_known) {
			fprintf(stderr, "c1d %s: there is no '%s'; c1d help lists what there is\n",
				command->name, argv[i]);
			return false;
		}
		if (has_value && ++i == argc) {
			fprintf(stderr, "c1d %s: %s needs a name behind it\n", command->name,
				argv[i - 1]);
			return false;
		}
	}
	return true;
}

/* A receipt or a key that did not get out is no success. */
static int printed(const struct command *command, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "c1d %s: not all of it could be printed\n", command->name);
	return code == EXIT_OK ? EXIT_FAILED : code;
}

int cli_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return check_words(&commands[i], argc - 1, argv + 1)
				       ? printed(&commands[i],
						 commands[i].run(argc > 1 ? argc - 1 : 0, argv + 1))
				       : EXIT_USAGE;
	fprintf(stderr, "c1d: there is no command '%s'; c1d help lists what there is\n", name);
	return EXIT_USAGE;
}
