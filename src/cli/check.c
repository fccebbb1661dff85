/*
 * check: would the service work, with these settings, on this machine, as its own user? One line a
 * check; nothing is changed and no model is asked. -t: the settings alone, nothing is opened.
 * --live: whether one that runs answers.
 */
#include "check.h"

#include "server/live.h"
#include "server/sandbox.h"
#include "server/server.h"
#include "store/store.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* It was read before check became the service's user. */
static int check_settings_file(const struct config *config)
{
	if (!config->config_path || access(config->config_path, R_OK) == 0) {
		check_say(CHECK_OK, "settings", "%s",
			  config->config_path ? config->config_path : "from the environment");
		return EXIT_OK;
	}
	check_say(CHECK_FAIL, "settings",
		  "the service's user may not read %s; chgrp " SERVICE_USER
		  " and chmod 0640 (systemd-tmpfiles --create does both)",
		  config->config_path);
	return EXIT_CONFIG;
}

/* Where the store has no way to look, or nothing to look at, nothing is said. */
static int check_what_is_stored(const struct config *config)
{
	const char *how;
	struct error err = { 0 };

	if (!store_look(config->store_uri, config, &how, &err)) {
		check_say(CHECK_FAIL, "stored",
			  "%s %s Stop the service and put the last backup in its place, or see "
			  "docs/how-to/backup.md",
			  store_name(config->store_uri), err.detail);
		return EXIT_FAILED;
	}
	if (how)
		check_say(CHECK_OK, "stored", "%s", how);
	return EXIT_OK;
}

static int check_store(const struct config *config)
{
	static const char scheme[] = "sqlite:";
	size_t len = sizeof scheme - 1;
	const char *uri = config->store_uri, *how = "", *lost;
	bool is_file = strncmp(uri, scheme, len) == 0;
	const char *shown = is_file ? uri : store_name(uri); /* an address may hold a password */
	struct error err = { 0 };

	if (is_file && check_comes_with_state(config, uri + len)) {
		check_say(CHECK_OK, "store", "%s will be made in the state folder", uri);
		return EXIT_OK;
	}
	if (store_try_write(uri, config, &how, &err)) {
		check_say(CHECK_OK, "store", "%s: %s", shown, how);
		if ((lost = store_may_lose(uri, config)))
			check_say(CHECK_WARN, "store", "%s may lose what it is told: %s", shown,
				  lost);
		return check_what_is_stored(config);
	}
	check_say(
		CHECK_FAIL, "store",
		"%s cannot be written: %s Mend C1D_STORE or MONGODB_URI, or %s", shown, err.detail,
		is_file ? "who may write the file" : "look at the server, the user and its rights");
	return err.code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_UNAVAILABLE;
}

/* Those of this shell: systemd gives the service its own (LimitNOFILE=). */
static int check_descriptors(const struct config *config)
{
	const struct server_fit fit = server_fit(config);

	check_say(fit.is_short ? CHECK_WARN : CHECK_OK, "descriptors",
		  "%lld here, enough for %lld answers at once a worker%s",
		  (long long)fit.descriptors, (long long)fit.runs,
		  fit.is_short ? ", fewer than C1D_RUNS_MAX; raise `ulimit -Hn` or LimitNOFILE="
			       : "");
	return EXIT_OK;
}

/* Of this shell's: systemd or a container may allow the service less. */
static int check_sandbox(const struct config *config)
{
	unsigned offered = sandbox_offered();
	char has[FENCE_LIST_SIZE], lacks[FENCE_LIST_SIZE];

	fence_list(offered, has);
	fence_list(FENCE_WHOLE & ~offered, lacks);
	if (!config->sandbox)
		check_say(CHECK_WARN, "sandbox",
			  "C1D_SANDBOX=no: nothing holds a worker that was taken over; remove that "
			  "line");
	else if ((offered & FENCE_NEEDED) != FENCE_NEEDED)
		check_say(CHECK_WARN, "sandbox",
			  "this kernel or container lacks: %s; workers get what there is: %s",
			  lacks, has);
	else
		check_say(CHECK_OK, "sandbox", "workers are closed in by: %s%s%s", has,
			  offered == FENCE_WHOLE ? "" : "; a newer kernel adds: ",
			  offered == FENCE_WHOLE ? "" : lacks);
	return EXIT_OK;
}

static int check_secrets(const struct config *config)
{
	if (config->open_secret)
		check_say(CHECK_WARN, "secrets",
			  "everybody on this machine may read %s; chmod o-rwx",
			  config->open_secret);
	return EXIT_OK;
}

static int (*const checks[])(const struct config *config) = {
	check_settings_file, check_who,     check_state,  check_spool, check_socket,
	check_store,         check_ca_file, check_model,  check_auth,  check_descriptors,
	check_sandbox,       check_secrets, check_limits, check_cache,
};

/* The first failure's code; all are made, so that a machine is mended in one go. */
static int check_all(const struct config *config, const char *user)
{
	const char *became;
	int first = EXIT_OK;

	if (!check_become(user ? user : config->user, &became))
		return EXIT_USAGE;
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		int code = checks[i](config);

		if (first == EXIT_OK)
			first = code;
	}
	return first;
}

/* Of a pool that runs already: nothing else is looked at, so that it may be asked often. */
static int check_live(const struct config *config)
{
	struct error err = { 0 };

	if (server_is_live(config->socket, &err)) {
		check_say(CHECK_OK, "live", "requests are answered at %s", config->socket);
		return EXIT_OK;
	}
	check_say(CHECK_FAIL, "live", "%s; is it running, with this C1D_SOCKET?", err.detail);
	return EXIT_UNAVAILABLE;
}

int command_check(int argc, char **argv)
{
	struct config config;
	struct error err = { 0 };
	int code;

	if (!command_settings(argc, argv, &config, &code))
		return code;
	if (command_has(argc, argv, "--live")) {
		code = check_live(&config);
	} else if (!store_check_uri(config.store_uri, &config, &err)) {
		fprintf(stderr, "c1d: the store's address is wrong: %s\n", err.detail);
		code = EXIT_CONFIG;
	} else if (command_has(argc, argv, "-t")) {
		check_say(CHECK_OK, "settings", "%s",
			  config.config_path ? config.config_path : "from the environment");
		if (!config.api_key)
			check_say_no_key();
		check_say_who(&config);
		code = check_auth_settings(&config);
	} else {
		code = check_all(&config, command_option(argc, argv, "--user"));
	}
	config_done(&config);
	return code;
}
