/*
 * serve: the pool with the API in it. The one place where server/ and api/ meet: server/ knows
 * neither API nor store.
 */
#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "commands.h"
#include "guard/limit.h"
#include "net/net.h"
#include "server/drop.h"
#include "server/server.h"
#include "service/service.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_MAX (1u << 20)

/* What a worker's request threads get. */
struct app {
	struct api api;
	struct service *service;
	struct guard *guard;
};

static void app_close(void *arg)
{
	struct app *app = arg;

	if (!app)
		return;
	service_close(app->service);
	guard_close(app->guard);
	free(app);
}

static void app_reach(const struct config *config, struct reach *reach)
{
	reach_write(reach, config->state_dir, 0750);
	reach_write(reach, config->spool_path, 0700);
	net_reach(config->base_url, config->ca_file, reach);
	store_reach(config->store_uri, config, reach);
	guard_reach(config, reach);
	limit_reach(config, reach);
}

static bool app_wake(const struct config *config, struct error *err)
{
	store_wake(config->store_uri);
	net_wake();
	return net_init(err);
}

/* What was handed on is not kept a second time; the C1 API's key goes with each question. Each
 * worker has its own copy of the settings. */
static void wipe_secrets(const struct config *config)
{
	config_wipe(config->visitor_secret);
	config_wipe(config->jwt_secret);
	for (size_t i = 0; i < config->visitor_secret_count; i++)
		config_wipe(config->visitor_secrets[i]);
	if (strchr(config->store_uri, '@'))
		config_wipe(config->store_uri);
	config_wipe(config->mongodb_uri);
	config_wipe(config->database_url);
	config_wipe(config->firebase_private_key);
	config_wipe(config->redis_url);
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
	if (!(app->guard = guard_open(config, shm, err)) ||
	    !(app->service = service_open(config, shm, engine, err))) {
		app_close(app);
		return NULL;
	}
	wipe_secrets(config);
	app->api = (struct api){
		.config = config, .service = app->service, .guard = app->guard, .shm = shm
	};
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
	return guard_start(((struct app *)app)->guard, err) &&
	       service_start(((struct app *)app)->service, err);
}

static void app_stop(void *app, int64_t deadline_ms)
{
	service_stop(((struct app *)app)->service, deadline_ms);
	guard_stop(((struct app *)app)->guard);
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

/* The demo's way, which is no site's. */
static void say_anybody(const struct config *config)
{
	if (config_lets_anybody_in(config))
		log_warn("everybody is let in: whoever reaches this sees, changes and deletes "
			 "everybody's conversations and spends the key",
			 LOG_T("C1D_AUTH", "none"),
			 LOG_T("fix", "C1D_AUTH=visitor gives each browser its own"));
}

/* The settings, and what is wrong with them. */
struct reading {
	struct config config;
	struct buffer report; /* a line a problem, and how to mend it */
	struct error err;     /* one sentence */
	bool ok;
};

static void read_settings(struct reading *reading, int argc, char **argv)
{
	*reading = (struct reading){ .ok = false };
	buffer_init(&reading->report, REPORT_MAX);
	if (!command_load(argc, argv, &reading->config, &reading->report, &reading->err))
		return;
	if (reading->config.user && (!drop_to(reading->config.user, &reading->err) ||
				     !drop_check_folders(&reading->config, &reading->err)))
		buffer_appendf(&reading->report, "c1d: C1D_USER: %s\n", reading->err.detail);
	else if (!store_check_uri(reading->config.store_uri, &reading->config, &reading->err))
		buffer_appendf(&reading->report, "c1d: the store's address is wrong: %s\n",
			       reading->err.detail);
	else if (!guard_check(&reading->config, &reading->err))
		buffer_appendf(&reading->report, "c1d: nobody could sign in: %s\n",
			       reading->err.detail);
	else
		reading->ok = true;
	if (!reading->ok)
		config_done(&reading->config);
}

/* Root goes before anything is opened, and the settings are read by whom we are then: what could
 * not be read again at a reload is found out now. */
static bool drop_root(int argc, char **argv, struct error *err)
{
	struct config config;
	bool ok = true;

	if (geteuid() != 0 ||
	    !config_load(command_option(argc, argv, "--config"), &config, NULL, NULL))
		return true; /* what is wrong with them is told when they are read */
	if (config.user)
		ok = drop_to(config.user, err);
	config_done(&config);
	return ok;
}

static void forget_settings(struct reading *reading)
{
	buffer_done(&reading->report);
	config_done(&reading->config);
}

static int exit_of(const struct error *err)
{
	return err->code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

/* What a reload asks the new program first (server/reload.h): a sentence that anybody may read,
 * then lines for the log. */
static int serve_trial(struct reading *reading, const struct server_app *app)
{
	log_identity("trial");
	if (reading->ok && server_try(&reading->config, app, &reading->err))
		return EXIT_OK;
	printf("%s\n%s", reading->err.detail, buffer_slice(&reading->report).ptr);
	return exit_of(&reading->err);
}

/* Behind the point of no return: the settings were good a moment ago. */
static int serve_on(struct reading *reading, const struct server_app *app)
{
	const char *problems = buffer_slice(&reading->report).ptr;
	struct error err = { 0 };

	if (!config_defaults(&reading->config, &err))
		return exit_of(&err);
	command_set_log_up(&reading->config);
	log_error("settings went wrong while they were taken", LOG_T("problems", problems));
	return server_run(&reading->config, app, reading->err.detail);
}

static int serve(struct reading *reading, const struct server_app *app)
{
	if (reading->ok) {
		say_credentials();
		say_anybody(&reading->config);
		return server_run(&reading->config, app, NULL);
	}
	if (config_host().inherited_listener >= 0)
		return serve_on(reading, app);
	if (reading->report.len > 0)
		fprintf(stderr, "%s", reading->report.data);
	else
		fprintf(stderr, "c1d: %s\n", reading->err.detail);
	return exit_of(&reading->err);
}

/* Who asks for a reload before there is a pool does not mean its end: it waits until there is one.
 */
static void hold_reload(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int command_serve(int argc, char **argv)
{
	struct server_app app = {
		.reach = app_reach,
		.wake = app_wake,
		.open = app_open,
		.handle = app_handle,
		.hooks = { .ended = app_run_ended },
		.start = app_start,
		.stop = app_stop,
		.close = app_close,
		.argv = argv - 1, /* with the program's name */
	};
	struct reading reading;
	struct error err = { 0 };
	int code;

	hold_reload();
	if (!drop_root(argc, argv, &err)) {
		fprintf(stderr, "c1d: C1D_USER: %s\n", err.detail);
		return EXIT_CONFIG;
	}
	read_settings(&reading, argc, argv);
	if (!config_hide_environment())
		log_warn("secrets stay in the environment: no memory for a file of them");
	code = command_has(argc, argv, "--trial") ? serve_trial(&reading, &app)
						  : serve(&reading, &app);
	forget_settings(&reading);
	return code;
}
