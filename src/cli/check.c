/*
 * check: are the settings good, and does what they name answer? Nothing is changed and no model is
 * called.
 */
#include "commands.h"

#include "net/net.h"
#include "store/store.h"
#include <stdio.h>

#define PROBE_MS 5000

static void say(bool ok, const char *what, const char *more)
{
	printf("%-4s %s%s%s\n", ok ? "ok" : "FAIL", what, more && *more ? ": " : "",
	       more ? more : "");
}

static int check_store(const struct config *config)
{
	struct error err = { 0 };
	struct store *store = store_open(config, NULL, &err);
	bool ok = store && store_ping(store, &err);

	say(ok, store ? store_kind(store) : "store", err.detail);
	store_free(store);
	return ok ? EXIT_OK : EXIT_UNAVAILABLE;
}

/* A connection with TLS and nothing more: a call would cost money. */
static int check_upstream(const struct config *config)
{
	struct error err = { 0 };
	bool ok = net_init(&err) && net_probe(config->base_url, config->ca_file, PROBE_MS, &err);

	say(ok, "C1 API reachable", err.detail);
	if (!config->api_key)
		say(false, "THESYS_API_KEY is not set", "the C1 API will refuse every question");
	return ok && config->api_key ? EXIT_OK : EXIT_UNAVAILABLE;
}

int command_check(int argc, char **argv)
{
	struct config config;
	struct error err = { 0 };
	int code, worse;

	if (!command_settings(argc, argv, &config, &code))
		return code;
	if (!store_check_uri(config.store_uri, &err)) {
		fprintf(stderr, "c1d: the store's address is wrong: %s\n", err.detail);
		config_done(&config);
		return EXIT_CONFIG;
	}
	say(true, "settings", config.config_path);
	code = EXIT_OK;
	if (!command_has(argc, argv, "-t")) {
		code = check_store(&config);
		worse = check_upstream(&config);
		code = worse ? worse : code;
	}
	config_done(&config);
	return code;
}
