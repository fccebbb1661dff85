/*
 * config: from all sources to one struct config: defaults, file, environment, credentials, each
 * over the one before. All problems are told at once, so that a file is mended in one go.
 */
#include "config/config.h"

#include "config_room.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_FILE "/etc/c1d/c1d.conf"
#define MEMORY_MAX  (4u << 20)
#define UNSET       (-1) /* which no text is read as */

/* --- the environment --- */

static void read_environment(struct load *load)
{
	config_read_hidden(load, config_host().inherited_secrets);
	for (char **at = environ; *at; at++)
		config_read_entry(load, *at);
}

/* --- what follows from several settings --- */

static void choose_spool(struct load *load)
{
	struct config *config = &load->config;

	config->spool_path = config->spool_dir
				     ? config->spool_dir
				     : arena_printf(load->arena, "%s/spool", config->state_dir);
}

static int64_t in_seconds(int64_t ms)
{
	return (ms + 999) / 1000;
}

/* A reload cuts no answer off. An old worker that takes no requests costs its memory. */
static void choose_drain(struct config *config)
{
	if (config->drain_s == UNSET)
		config->drain_s = in_seconds(config->total_ms) + in_seconds(config->save_wait_ms);
}

static void require(struct load *load, const char *name, const char *value)
{
	if (!value)
		config_problem(load, "settings", "remove the line or give it a value",
			       "%s is empty", name);
}

static void check_word(struct load *load, const char *name, const char *value, const char *words)
{
	const char *found = value ? strstr(words, value) : NULL;
	size_t len = value ? strlen(value) : 0;
	char fix[128];

	if (found && len > 0 && (found == words || found[-1] == ' ') &&
	    (!found[len] || found[len] == ' '))
		return;
	snprintf(fix, sizeof fix, "one of: %s", words);
	config_problem(load, "settings", fix, "%s=%s is not known", name, value ? value : "");
}

static void check_base_url(struct load *load)
{
	char *url = load->config.base_url;
	size_t len = url ? strlen(url) : 0;

	if (!url || (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) ||
	    strpbrk(url, " \t?#@") || len > 2000) {
		config_problem(load, "settings", "write it as https://host/path, without a query",
			       "THESYS_BASE_URL is no address of an API");
		return;
	}
	while (len > 0 && url[len - 1] == '/')
		url[--len] = '\0';
}

/* As browsers write an origin: lower case, no path, no default port. '*' is none: a list of its own
 * is what makes cookies safe. */
static void check_origins(struct load *load)
{
	const char *at = load->config.origins ? load->config.origins : "";

	while (*(at += strspn(at, " \t,"))) {
		size_t len = strcspn(at, " \t,");
		size_t scheme = strncmp(at, "https://", 8) == 0  ? 8
				: strncmp(at, "http://", 7) == 0 ? 7
								 : 0;

		if (!scheme || len == scheme ||
		    strspn(at + scheme, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") <
			    len - scheme)
			config_problem(load, "settings",
				       "write each as https://host or https://host:port, in lower "
				       "case and without a path",
				       "C1D_ORIGINS: %.*s is no origin", (int)len, at);
		at += len;
	}
}

static void check_all(struct load *load)
{
	const struct config *config = &load->config;

	require(load, "THESYS_MODEL", config->model);
	require(load, "C1D_STATE_DIR", config->state_dir);
	require(load, "C1D_SOCKET", config->socket);
	check_word(load, "C1D_LOG_LEVEL", config->log_level, "error warn notice info debug");
	check_word(load, "C1D_LOG_FORMAT", config->log_format, "auto json text journal");
	check_base_url(load);
	check_origins(load);
	config_choose_auth(load);
	config_choose_limits(load);
	choose_drain(&load->config);
	if (!config->state_dir)
		return;
	choose_spool(load);
	config_choose_store(load);
}

/* --- loading --- */

static void take_defaults(struct load *load)
{
	load->config.drain_s = UNSET;
	for (size_t i = 0; i < setting_count; i++)
		if (settings[i].fallback)
			setting_store(load, &settings[i], settings[i].fallback, "default");
}

static void read_all(struct load *load, const char *path)
{
	take_defaults(load);
	if (!path)
		path = getenv("C1D_CONFIG");
	if (!path && access(CONFIG_FILE, F_OK) == 0)
		path = CONFIG_FILE;
	if (path && config_read_file(load, path))
		load->config.config_path = arena_text(load->arena, path);
	read_environment(load);
	config_read_secrets(load);
	check_all(load);
}

static bool begin(struct load *load, struct error *err)
{
	load->arena = calloc(1, sizeof *load->arena);
	if (!load->arena)
		return error_set(err, ERROR_INTERNAL, "No memory for the settings.");
	arena_init(load->arena, MEMORY_MAX);
	load->files = arena_alloc(load->arena, setting_count * sizeof *load->files);
	load->config.memory = load->arena;
	return true;
}

static bool finish(struct load *load, struct config *out, struct error *err)
{
	if (load->problems == 0 && !load->arena->failed) {
		*out = load->config;
		return true;
	}
	config_done(&load->config);
	return error_set(err, ERROR_CONFIG, "%d settings are wrong.", load->problems);
}

bool config_load(const char *path, struct config *out, struct buffer *report, struct error *err)
{
	struct load load = { .report = report };

	if (!begin(&load, err))
		return false;
	read_all(&load, path);
	return finish(&load, out, err);
}

bool config_defaults(struct config *out, struct error *err)
{
	struct load load = { .report = NULL };

	if (!begin(&load, err))
		return false;
	take_defaults(&load);
	check_all(&load);
	return finish(&load, out, err);
}

void config_done(struct config *config)
{
	if (!config->memory)
		return;
	config_each_secret(config, config_wipe);
	arena_done(config->memory);
	free(config->memory);
	*config = (struct config){ 0 };
}
