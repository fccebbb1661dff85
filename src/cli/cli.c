/* cli: the table of sub-commands, and what all of them share. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/version.h"
#include "commands.h"
#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *takes; /* the words it knows, separated by blanks; "=" behind one: it takes a
			      value */
	const char *options, *help;
} commands[] = {
	{ "serve", command_serve, "--config= --trial", "", "run the pool until SIGTERM" },
	{ "check", command_check, "--config= --user= -t", "[-t] [--user NAME]",
	  "try all that the service needs, as root as its user; -t: the settings only" },
	{ "version", command_version, "", "", "this program and its libraries" },
	{ "help", command_help, "settings --markdown", "[settings [--markdown]]",
	  "this text; or every setting with its default" },
};

#define COMMANDS (sizeof commands / sizeof commands[0])

void command_list(void)
{
	printf("c1d " C1D_VERSION
	       ": the Thesys C1 backend behind nginx\n\nusage: c1d COMMAND [--config FILE]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-8s %-24s %s\n", commands[i].name, commands[i].options,
		       commands[i].help);
	printf("\nSettings are KEY=value lines in /etc/c1d/c1d.conf (or --config FILE) and the "
	       "environment, which wins.\n");
}

bool command_has(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return true;
	return false;
}

const char *command_option(int argc, char **argv, const char *option)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return argv[i + 1];
	return NULL;
}

static const struct {
	const char *word;
	int value;
} levels[] = { { "error", LOG_ERROR },
	       { "warn", LOG_WARN },
	       { "notice", LOG_NOTICE },
	       { "info", LOG_INFO },
	       { "debug", LOG_DEBUG } },
  formats[] = { { "auto", LOG_AUTO },
		{ "json", LOG_JSON },
		{ "text", LOG_TEXT },
		{ "journal", LOG_JOURNAL } };

void command_set_log_up(const struct config *config)
{
	int level = LOG_INFO, format = LOG_AUTO;

	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (strcmp(config->log_level, levels[i].word) == 0)
			level = levels[i].value;
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(config->log_format, formats[i].word) == 0)
			format = formats[i].value;
	log_setup((enum log_level)level, (enum log_format)format, config_host().journal);
	config_each_secret(config, log_redact);
}

bool command_load(int argc, char **argv, struct config *out, struct buffer *report,
		  struct error *err)
{
	if (!config_load(command_option(argc, argv, "--config"), out, report, err))
		return false;
	command_set_log_up(out);
	return true;
}

bool command_settings(int argc, char **argv, struct config *out, int *exit_code)
{
	struct buffer report;
	struct error err = { 0 };
	bool ok;

	buffer_init(&report, 1u << 20);
	ok = command_load(argc, argv, out, &report, &err);
	if (report.len > 0)
		fprintf(stderr, "%s", report.data);
	else if (!ok)
		fprintf(stderr, "c1d: %s\n", err.detail);
	buffer_done(&report);
	if (!ok)
		*exit_code = EXIT_CONFIG;
	return ok;
}

static bool knows(const struct command *command, const char *word, bool *has_value)
{
	size_t len = strlen(word);

	for (const char *at = command->takes; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " "), name = strcspn(at, "= ");

		*has_value = name < n;
		if (name == len && memcmp(at, word, len) == 0)
			return true;
		at += n;
	}
	return false;
}

/* A word that a command does not know is an error, not something to pass over. */
static bool check_words(const struct command *command, int argc, char **argv)
{
	bool has_value;

	for (int i = 1; i < argc; i++) {
		if (!knows(command, argv[i], &has_value)) {
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

int cli_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return check_words(&commands[i], argc - 1, argv + 1)
				       ? commands[i].run(argc > 1 ? argc - 1 : 0, argv + 1)
				       : EXIT_USAGE;
	fprintf(stderr, "c1d: there is no command '%s'; c1d help lists what there is\n", name);
	return EXIT_USAGE;
}
