/* command: what all sub-commands share: their options, the settings, the log as these say. */
#include "commands.h"

#include "base/log.h"
#include <stdio.h>
#include <string.h>

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

bool command_knows(const char *takes, const char *word, bool *has_value)
{
	size_t len = strlen(word);

	*has_value = false;
	for (const char *at = takes; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " "), name = strcspn(at, "= ");

		*has_value = name < n;
		if (name == len && memcmp(at, word, len) == 0)
			return true;
		at += n;
	}
	*has_value = false;
	return false;
}

const char *command_operand(const char *takes, int argc, char **argv, int n)
{
	bool has_value;

	for (int i = 1; i < argc; i++)
		if (command_knows(takes, argv[i], &has_value))
			i += has_value;
		else if (n-- == 0)
			return argv[i];
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

int command_run_verb(const struct command_verb *verbs, const char *usage, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	struct config config;
	int code;

	while (verbs->word && strcmp(verbs->word, word) != 0)
		verbs++;
	if (!verbs->word || argc < 2 ||
	    (verbs->names && (argc < 3 || strncmp(argv[2], "--", 2) == 0))) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!command_settings(argc, argv, &config, &code))
		return code;
	code = verbs->run(&config, argc, argv);
	config_done(&config);
	return code;
}
