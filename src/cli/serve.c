/*
 * serve: the pool with the API in it. The one place where server/ and api/ meet: server/ knows
 * neither API nor store.
 */
#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "commands.h"
#include "server/server.h"
#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>

/* What a worker's request threads get. */
struct app {
	struct api api;
	struct service *service;
};

static void app_close(void *arg)
{
	struct app *app = arg;

	if (!app)
		return;
	service_close(app->service);
	free(app);
}

static void *app_open(const struct config *config, struct shm *shm, struct engine *engine,
		      struct error *err)
{
	struct app *app;

	api_init();
	app = calloc(1, sizeof *app);
	if (!app) {
		error_set(err, ERROR_INTERNAL, "No memory for a worker.");
		return NULL;
	}
	if (!(app->service = service_open(config, shm, engine, err))) {
		app_close(app);
		return NULL;
	}
	app->api = (struct api){ .config = config, .service = app->service, .shm = shm };
	return app;
}

static void app_handle(void *app, struct request *request, struct response *response)
{
	api_handle(&((struct app *)app)->api, request, response);
}

static void app_run_ended(void *app, struct spool *spool)
{
	service_run_ended(((struct app *)app)->service, spool);
}

static bool app_start(void *app, struct error *err)
{
	return service_start(((struct app *)app)->service, err);
}

static void app_stop(void *app, int64_t deadline_ms)
{
	service_stop(((struct app *)app)->service, deadline_ms);
}

/* systemd hands credentials over at a start; until version 260 it does not at a reload. Who has
 * just changed one looks here. */
static void say_credentials(void)
{
	const struct config_host host = config_host();
	char since[CLOCK_TEXT_SIZE];

	if (host.inherited_listener >= 0 && host.credentials_ms > 0)
		log_notice(
			"credentials are those that systemd handed over; a restart gets newer ones",
			LOG_T("handed_over", clock_format(host.credentials_ms, since)));
}

int command_serve(int argc, char **argv)
{
	struct server_app app = {
		.open = app_open,
		.handle = app_handle,
		.hooks = { .ended = app_run_ended },
		.start = app_start,
		.stop = app_stop,
		.close = app_close,
		.argv = argv - 1, /* with the program's name */
	};
	struct config config;
	struct error err = { 0 };
	int code;

	if (!command_settings(argc, argv, &config, &code))
		return code;
	if (store_check_uri(config.store_uri, &err)) {
		say_credentials();
		code = server_run(&config, &app);
	} else {
		fprintf(stderr, "c1d: the store's address is wrong: %s\n", err.detail);
		code = EXIT_CONFIG;
	}
	config_done(&config);
	return code;
}
