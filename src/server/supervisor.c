/*
 * supervisor: the process that systemd sees. It owns the socket and the shared memory, fills the
 * pool and keeps it filled, and does nothing that could end it.
 */
#include "reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/process.h"
#include "deadlines.h"
#include "descriptors.h"
#include "notify.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define EXIT_CONFIG   78
#define LOOK_MS       100
#define OPEN_AGAIN_MS 1000
#define SECOND_MS     1000

/* --- signals --- */

static const int handled[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD };

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++)
		sigaddset(set, handled[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int wait_signal(const sigset_t *set, int64_t ms)
{
	const struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int number;

	log_flush();
	number = sigtimedwait(set, NULL, &limit);
	return number > 0 ? number : 0;
}

/* --- opening --- */

static bool open_memory(struct pool *pool, struct error *err)
{
	if (pool->shm) /* what failed came behind it */
		return true;
	pool->shm_fd = pool->host.inherited_shm;
	if (pool->shm_fd >= 0 && !(pool->shm = shm_adopt(pool->shm_fd))) {
		log_notice("shared memory of another version: figures start anew");
		close(pool->shm_fd);
	}
	if (!pool->shm) {
		if (!(pool->shm = shm_map(&pool->shm_fd, err)))
			return false;
		atomic_store(&pool->shm->pool.started_wall_ms, clock_wall_ms());
	}
	metrics_attach(&pool->shm->supervisor);
	return true;
}

static bool open_pool(struct pool *pool, struct error *err)
{
	if (!listener_open(pool->config, &pool->host, &pool->listener, err) ||
	    !open_memory(pool, err) || !inboxes_open(&pool->inboxes, pool->count, err))
		return false;
	pool->generation = 1 + atomic_fetch_add(&pool->shm->pool.generation, 1);
	return true;
}

static bool is_stop(int signal_number)
{
	return signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGQUIT;
}

/* Behind a reload there is no way back: the old workers serve, and we try again. */
static bool open_at_last(struct pool *pool, const sigset_t *set, struct error *err)
{
	while (!open_pool(pool, err)) {
		log_error("pool not started", LOG_T("reason", err->detail));
		inboxes_close(&pool->inboxes);
		if (!pool->is_reload || is_stop(wait_signal(set, OPEN_AGAIN_MS)))
			return false;
	}
	return true;
}

/* From before any worker draws its fence. What they would make would look like a change. */
static struct sandbox_watch *watch_files(const struct pool *pool)
{
	struct sandbox_watch *watch;
	struct reach reach;

	if (!pool->config->sandbox || !(sandbox_offered() & FENCE_BIT(FENCE_FILES)))
		return NULL;
	reach_init(&reach);
	pool->app->reach(pool->config, &reach);
	sandbox_make_folders(&reach);
	watch = sandbox_watch_open(&reach);
	reach_done(&reach);
	return watch;
}

/* --- running --- */

static void say_ready(struct pool *pool)
{
	pool->is_ready = true;
	reload_done(pool);
	log_info("pool ready", LOG_I("workers", pool->count),
		 LOG_T("socket", pool->config->socket));
	notify_send(pool->host.notify_socket,
		    "READY=1\nMAINPID=%d\nSTATUS=%d workers take requests", (int)getpid(),
		    pool->count);
}

/* The old generation stops accepting only when the new one takes requests. */
static void see_to_generations(struct pool *pool)
{
	if (pool->is_ready && pool->old_count > 0 && !pool->old_told_ms) {
		pool_tell(pool, SIGQUIT, true);
		pool->old_told_ms = clock_mono_ms();
	}
	if (pool->reload_wanted && pool->trial.pid == 0 &&
	    (pool->is_ready || pool_has_failed(pool)) && pool_may_reload(pool)) {
		pool->reload_wanted = false;
		reload_begin(pool, clock_mono_ms());
	}
}

static void pat_watchdog(struct pool *pool, int64_t now_ms, int64_t *last_ms)
{
	if (pool->host.watchdog_ms == 0 || now_ms - *last_ms < pool->host.watchdog_ms / 3)
		return;
	*last_ms = now_ms;
	notify_send(pool->host.notify_socket, "WATCHDOG=1");
}

/* The fence knows files and not names: when resolv.conf is written anew, workers are made anew. */
static void look_at_files(struct pool *pool)
{
	const char *path = sandbox_watch_look(pool->watch);

	if (!path)
		return;
	log_notice("a file that workers read was replaced: as if a reload was asked for",
		   LOG_T("path", path));
	pool->reload_wanted = true;
}

static void each_second(struct pool *pool, int64_t now_ms, int64_t *last_ms)
{
	if (now_ms - *last_ms < SECOND_MS)
		return;
	*last_ms = now_ms;
	process_tell(&pool->shm->supervisor, true);
	look_at_files(pool);
}

/* Until it is told to stop, or no worker can live. */
static int run(struct pool *pool, const sigset_t *set)
{
	int64_t patted_ms = 0, told_ms = 0;

	for (;;) {
		int64_t now_ms = clock_mono_ms();
		int signal_number;

		pool_reap(pool, now_ms);
		if (pool_is_hopeless(pool))
			return EXIT_CONFIG;
		pool_fill(pool, now_ms);
		pool_check_beats(pool, now_ms);
		pool_check_old(pool, now_ms);
		reload_look(pool, now_ms);
		if (pool->is_reload && !pool->is_ready && !pool->reload_failed &&
		    pool_has_failed(pool))
			reload_failed(pool, "A worker of the new generation could not start.");
		if (!pool->is_ready && pool_is_complete(pool))
			say_ready(pool);
		see_to_generations(pool);
		pat_watchdog(pool, now_ms, &patted_ms);
		each_second(pool, now_ms, &told_ms);
		signal_number = wait_signal(set, LOOK_MS);
		if (is_stop(signal_number))
			return 0;
		pool->reload_wanted = pool->reload_wanted || signal_number == SIGHUP;
	}
}

/* --- the end --- */

static void end(struct pool *pool, const sigset_t *set)
{
	int64_t stop_ms = pool->config->stop_s * 1000 + STOP_KILL_MS;
	int64_t until_ms = clock_mono_ms() + stop_ms;
	bool killed = false;

	/* systemd knows the unit's TimeoutStopSec= and not C1D_STOP_SECONDS. */
	notify_send(pool->host.notify_socket,
		    "STOPPING=1\nSTATUS=streams are ending\nEXTEND_TIMEOUT_USEC=%lld",
		    (long long)(stop_ms + STOP_SPARE_MS) * 1000);
	log_info("pool stops", LOG_I("workers", pool_alive(pool)));
	reload_give_up(pool);
	listener_refuse(&pool->listener);
	pool_tell(pool, SIGTERM, false);
	while (pool_alive(pool) > 0) {
		if (!killed && clock_mono_ms() > until_ms) {
			log_error("workers killed: they did not end in time");
			pool_tell(pool, SIGKILL, false);
			killed = true;
		}
		wait_signal(set, LOOK_MS);
		pool_reap(pool, clock_mono_ms());
	}
	log_info("pool ended");
}

static void say_settings(const struct pool *pool)
{
	if (!pool->config->api_key)
		log_warn("THESYS_API_KEY is not set: the C1 API will refuse every question");
	if (geteuid() == 0)
		log_warn("started as root: workers are root without its powers, and what they "
			 "write is root's; C1D_USER, or User= of a unit, names another user");
	if (pool->config->open_secret)
		log_warn("everybody on this machine may read a secret: chmod o-rwx",
			 LOG_T("path", pool->config->open_secret));
	if (!pool->config->sandbox)
		log_warn("C1D_SANDBOX=no: nothing holds a worker that was taken over");
}

int server_run(const struct config *config, const struct server_app *app, const char *broken)
{
	struct pool *pool = calloc(1, sizeof *pool);
	struct error err = { 0 };
	int code = EXIT_FAILURE;
	sigset_t set;

	log_identity("supervisor");
	if (!pool)
		return code;
	if (config->sandbox)
		sandbox_close_memory();
	descriptors_raise();
	pool->settings = *config;
	pool->settings.runs_max = descriptors_fit(config);
	pool->config = &pool->settings;
	pool->app = app;
	pool->host = config_host();
	pool->listener.fd = -1;
	pool->count = broken ? 0 : pool_wanted(config);
	pool->is_reload = pool->host.inherited_listener >= 0;
	block_signals(&set);
	say_settings(pool);
	if (pool->is_reload)
		reload_adopt(pool);
	process_open();
	pool->watch = watch_files(pool);
	if (open_at_last(pool, &set, &err)) {
		if (broken)
			reload_failed(pool, broken);
		code = run(pool, &set);
		end(pool, &set);
	} else {
		code = err.code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILURE;
	}
	listener_close(&pool->listener);
	inboxes_close(&pool->inboxes);
	sandbox_watch_free(pool->watch);
	shm_unmap(pool->shm);
	free(pool);
	return code;
}
