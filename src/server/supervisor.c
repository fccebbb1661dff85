/*
 * supervisor: the process that systemd sees. It owns the socket and the shared memory, fills the
 * pool and keeps it filled, and does nothing that could end it.
 */
#include "pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "notify.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXIT_CONFIG   78
#define LOOK_MS       100
#define KILL_SPARE_MS 12000 /* beyond C1D_STOP_SECONDS: for the store, then it is over */

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

static int wait_signal(const sigset_t *set)
{
	const struct timespec limit = { .tv_nsec = LOOK_MS * 1000000 };
	int number;

	log_flush();
	number = sigtimedwait(set, NULL, &limit);
	return number > 0 ? number : 0;
}

/* --- opening --- */

static bool open_memory(struct pool *pool, struct error *err)
{
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
	pool->host = config_host();
	pool->listener.fd = -1;
	pool->count = pool_wanted(pool->config);
	if (pool->host.inherited_listener >= 0)
		reload_adopt(pool);
	if (!listener_open(pool->config, &pool->host, &pool->listener, err) ||
	    !open_memory(pool, err) || !inboxes_open(&pool->inboxes, pool->count, err))
		return false;
	pool->generation = 1 + atomic_fetch_add(&pool->shm->pool.generation, 1);
	return true;
}

/* --- running --- */

static void say_ready(struct pool *pool)
{
	pool->is_ready = true;
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
	/* At most two: a further reload waits until the one before is over. */
	if (pool->reload_wanted && pool->is_ready && pool->old_count == 0) {
		pool->reload_wanted = false;
		notify_send(pool->host.notify_socket, "RELOADING=1\nMONOTONIC_USEC=%lld",
			    (long long)clock_mono_us());
		reload_try(pool);
		say_ready(pool);
	}
}

static void beat(struct pool *pool, int64_t now_ms, int64_t *last_ms)
{
	if (pool->host.watchdog_ms == 0 || now_ms - *last_ms < pool->host.watchdog_ms / 3)
		return;
	*last_ms = now_ms;
	notify_send(pool->host.notify_socket, "WATCHDOG=1");
}

/* Until it is told to stop, or no worker can live. */
static int run(struct pool *pool, const sigset_t *set)
{
	int64_t beat_ms = 0;

	for (;;) {
		int64_t now_ms = clock_mono_ms();
		int signal_number;

		pool_reap(pool, now_ms);
		if (pool_is_hopeless(pool))
			return EXIT_CONFIG;
		pool_fill(pool, now_ms);
		pool_check_beats(pool, now_ms);
		pool_check_old(pool, now_ms);
		if (!pool->is_ready && pool_all_ready(pool))
			say_ready(pool);
		see_to_generations(pool);
		beat(pool, now_ms, &beat_ms);
		signal_number = wait_signal(set);
		if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGQUIT)
			return 0;
		pool->reload_wanted = pool->reload_wanted || signal_number == SIGHUP;
	}
}

/* --- the end --- */

static void end(struct pool *pool, const sigset_t *set)
{
	int64_t until_ms = clock_mono_ms() + pool->config->stop_s * 1000 + KILL_SPARE_MS;
	bool killed = false;

	notify_send(pool->host.notify_socket, "STOPPING=1\nSTATUS=streams are ending");
	log_info("pool stops", LOG_I("workers", pool_alive(pool)));
	pool_tell(pool, SIGTERM, false);
	while (pool_alive(pool) > 0) {
		if (!killed && clock_mono_ms() > until_ms) {
			log_error("workers killed: they did not end in time");
			pool_tell(pool, SIGKILL, false);
			killed = true;
		}
		wait_signal(set);
		pool_reap(pool, clock_mono_ms());
	}
	log_info("pool ended");
}

int server_run(const struct config *config, const struct server_app *app)
{
	struct pool *pool = calloc(1, sizeof *pool);
	struct error err = { 0 };
	int code = EXIT_FAILURE;
	sigset_t set;

	log_identity("supervisor");
	if (!pool)
		return code;
	pool->config = config;
	pool->app = app;
	block_signals(&set);
	if (open_pool(pool, &err)) {
		code = run(pool, &set);
		end(pool, &set);
	} else {
		log_error("pool not started", LOG_T("reason", err.detail));
		code = err.code == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILURE;
	}
	listener_close(&pool->listener);
	inboxes_close(&pool->inboxes);
	shm_unmap(pool->shm);
	free(pool);
	return code;
}
