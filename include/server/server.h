/*
 * server: the pool. The supervisor owns the socket and the workers; a worker owns request threads,
 * an engine and the app's own threads.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/loop.h"
#include "base/reach.h"
#include "config/config.h"
#include "http/request.h"
#include "http/response.h"
#include "stream/engine.h"

/* What the rooms above give a worker: server/ knows no API and no store. All are called inside a
 * worker, after the fork; `open` before any thread of ours is started. */
struct server_app {
	/* What parts will reach: files, folders, ports. Pure; in the supervisor, too. */
	void (*reach)(const struct config *config, struct reach *reach);
	/* Libraries look for what they need of the system (their settings, their modules) before
	 * the sandbox is shut: first of all. */
	bool (*wake)(const struct config *config, struct error *err);
	void *(*open)(const struct config *config, struct shm *shm, struct engine *engine,
		      struct error *err);
	/* Any request thread. Always fills the response: an error is a response too. */
	void (*handle)(void *app, struct request *request, struct response *response);
	/* An ended run, on the engine's thread; must not block. stream/engine.h, engine_hooks. */
	struct engine_hooks hooks;
	/* Starts and stops the app's own threads. stop returns when all that can be saved
	 * was, or at deadline. */
	bool (*start)(void *app, struct error *err);
	void (*stop)(void *app, int64_t deadline_ms);
	void (*close)(void *app);
	char **argv; /* the program's own words: a reload executes them anew */
};

#define SERVER_WORKERS_MAX 64

/* What the descriptors of a process (the hard limit of RLIMIT_NOFILE, which server_run raises the
 * soft one to) let a worker carry. */
struct server_fit {
	int64_t descriptors; /* that a process may have */
	int64_t kept;        /* connections of web servers that wait for a next request, a worker */
	int64_t runs;  /* answers in flight a worker; C1D_RUNS_MAX when they suffice for that */
	bool is_short; /* they do not: server_run goes by `runs` */
};
struct server_fit server_fit(const struct config *config);

/* Runs the pool until SIGTERM. SIGHUP: the program that lies there now is tried (server_try), then
 * the supervisor executes it in place and starts new workers, while the old ones finish their
 * streams.
 *
 * broken: NULL, or why the settings of a reload could not be read after all (a sentence that
 * clients may see). No workers are started then, those that were there go on, and the next SIGHUP
 * may mend it; config holds the defaults.
 *
 * Returns the exit code. */
int server_run(const struct config *config, const struct server_app *app, const char *broken);

/* The trial of a reload: opens what a worker opens, serves nothing, and lets go of it. false: the
 * reason, fit for clients; more is in the log. */
bool server_try(const struct config *config, const struct server_app *app, struct error *err);

#endif
