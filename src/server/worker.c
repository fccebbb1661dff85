/*
 * worker: opens what its threads need, then its main thread only beats, and waits to be told to
 * stop. It takes care that nothing outlives the supervisor.
 */
#include "worker.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/crashpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/process.h"
#include "deadlines.h"
#include "listener.h"
#include "request_thread.h"
#include "sandbox_layers.h"
#include "sandbox_probes.h"
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ARENAS         2         /* of malloc: one a thread would keep what each once needed */
#define LARGE          (1 << 20) /* a block that goes back to the system when it is freed */
#define KEPT           (2 << 20) /* free at the end of an arena: a usual page, and the store's reply */
#define BEAT_MS        1000
#define LOOKS_A_BEAT   2
#define ENGINE_HUNG_MS 5000
#define STOP_LOOK_MS   20
/* Every wait of a request has a deadline; their sum is far below. */
#define REQUEST_HUNG_MS 180000

/* The search for leaks lists our threads and reads what is mapped where. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define REACH_OF_SANITIZERS "/proc/self"
#else
#define REACH_OF_SANITIZERS NULL
#endif

/* Where a build that counts its lines puts the counts. */
#ifdef C1D_COVERAGE
#define REACH_OF_COVERAGE C1D_COVERAGE
#else
#define REACH_OF_COVERAGE NULL
#endif

struct worker {
	const struct worker_place *place;
	struct engine *engine;
	struct budget *budget;
	uint64_t refused; /* by it, as far as was told */
	unsigned fences;  /* that stand around us */
	void *app_state;
	struct request_threads *threads;
	bool is_cut; /* request threads were left behind: nothing may be freed under them */
};

/* --- starting --- */

static uint64_t refusals(void)
{
	const _Atomic uint64_t *counter = metrics_word(M_MEMORY_REFUSED);

	return counter ? atomic_load(counter) : 0;
}

/* Libraries wake up outside of the fence, what they and we open is opened inside of it. */
static bool enter_sandbox(struct worker *w, struct error *err)
{
	const struct worker_place *place = w->place;
	struct reach reach;

	if (!place->app->wake(place->config, err))
		return false;
	process_open();
	log_open();
	reach_init(&reach);
	place->app->reach(place->config, &reach);
	reach_read(&reach, REACH_OF_SANITIZERS);
	reach_write(&reach, REACH_OF_COVERAGE, 0);
	w->fences = sandbox_enter(place->config, &reach);
	reach_done(&reach);
	return true;
}

/* All that may be missing or wrong; nothing of it takes work yet. */
static bool open_parts(struct worker *w, struct error *err)
{
	const struct worker_place *place = w->place;
	struct engine_hooks hooks = place->app->hooks;

	if (!enter_sandbox(w, err) ||
	    !(w->budget = budget_open(place->config->memory_max, &place->slot->memory_lent,
				      metrics_word(M_MEMORY_REFUSED), err)) ||
	    !(w->engine = engine_open(place->config, place->shm, place->slot, err)) ||
	    !(w->app_state = place->app->open(place->config, place->shm, w->engine, err)))
		return false;
	w->refused = refusals();
	hooks.ctx = w->app_state;
	if (!engine_start(w->engine, &hooks, err))
		return false;
	w->fences |= sandbox_close(place->config);
	sandbox_say(place->config, w->fences);
	return true;
}

static bool start_parts(struct worker *w, struct error *err)
{
	const struct worker_place *place = w->place;
	struct request_work work = { .config = place->config,
				     .app = place->app,
				     .slot = place->slot,
				     .listener = place->listener,
				     .kept = (int)server_fit(place->config).kept,
				     .spread = { .shm = place->shm,
						 .slot = place->slot,
						 .inboxes = place->inboxes,
						 .runs_max = place->config->runs_max,
						 .threads = place->config->threads } };

	if (!place->app->start(w->app_state, err))
		return false;
	work.app_state = w->app_state;
	work.engine = w->engine;
	work.budget = w->budget;
	return (w->threads = request_threads_start(&work, err)) != NULL;
}

/* --- running --- */

/* The next of the signals we wait for, or 0 after ms. */
static int wait_signal(int64_t ms)
{
	struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	sigset_t wanted;
	int signal_number;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGQUIT);
	log_flush();
	signal_number = sigtimedwait(&wanted, NULL, &limit);
	return signal_number > 0 ? signal_number : 0;
}

static void beat(const struct worker *w)
{
	atomic_store(&w->place->slot->beat_ms, clock_mono_ms());
	process_tell(w->place->slot, false);
}

/* Without a beat the supervisor kills this process: better than a worker that only looks alive. */
static void beat_while_well(const struct worker *w)
{
	if (!engine_is_alive(w->engine, ENGINE_HUNG_MS))
		log_error("engine hangs");
	else if (request_threads_busy_ms(w->threads) >= REQUEST_HUNG_MS)
		log_error("request thread hangs");
	else
		beat(w);
}

/* Once a beat, however many. */
static void tell_refusals(struct worker *w)
{
	uint64_t refused = refusals();

	if (refused > w->refused)
		log_warn("memory budget is spent: large requests were refused",
			 LOG_I("count", (int64_t)(refused - w->refused)),
			 LOG_I("lent", atomic_load(&w->place->slot->memory_lent)),
			 LOG_I("max", w->place->config->memory_max));
	w->refused = refused;
}

static bool is_orphan(const struct worker *w)
{
	return getppid() != w->place->supervisor;
}

static int run_until_told(struct worker *w)
{
	int told = 0;

	while (!told) {
		beat_while_well(w);
		tell_refusals(w);
		SANDBOX_PROBES(w->place->config->state_dir, w->place->shm, w->place->slot);
		for (int i = 0; i < LOOKS_A_BEAT && !told; i++) {
			request_threads_look(w->threads);
			told = wait_signal(BEAT_MS / LOOKS_A_BEAT);
		}
		/* The supervisor is gone and its death signal came before we asked for one. */
		if (!told && is_orphan(w))
			told = SIGTERM;
	}
	return told;
}

/* --- ending --- */

static int64_t streams_until(const struct worker *w, int told)
{
	const struct config *config = w->place->config;

	return clock_mono_ms() + (told == SIGQUIT ? config->drain_s : config->stop_s) * 1000;
}

static int64_t requests_until(const struct worker *w, int told)
{
	return told == SIGQUIT ? streams_until(w, told) : clock_mono_ms() + STOP_REQUESTS_MS;
}

/* Somebody else serves what comes now, or will in a moment: nobody's request is to be lost. Where
 * the socket is shut, or nobody sees to it any more, there is nothing to wait for. */
static int64_t linger_until(const struct worker *w, int told)
{
	bool is_end = told == SIGTERM && (is_orphan(w) || listener_is_shut(w->place->listener));

	return clock_mono_ms() + (is_end ? 0 : STOP_LINGER_MS);
}

/* Requests under way are answered, but a stop does not wait for ever for one that hangs. Gives what
 * it was told last. */
static int end_requests(struct worker *w, int told)
{
	int64_t until_ms = requests_until(w, told);

	request_threads_tell(w->threads, linger_until(w, told));
	while (!request_threads_over(w->threads)) {
		beat(w);
		if (wait_signal(STOP_LOOK_MS) == SIGTERM && told != SIGTERM) {
			until_ms = requests_until(w, told = SIGTERM);
			request_threads_tell(w->threads, linger_until(w, told));
		}
		if (told == SIGTERM)
			listener_drop_waiting(w->place->listener);
		if (clock_mono_ms() < until_ms)
			continue;
		log_warn("requests are cut off: they did not end in time");
		w->is_cut = true;
		return told;
	}
	listener_drop_waiting(w->place->listener);
	request_threads_stop(w->threads);
	w->threads = NULL;
	close(w->place->listener); /* so that a successor finds the socket free, or its own */
	return told;
}

/* A SIGTERM on the way makes it quicker. */
static void end_streams(struct worker *w, int told)
{
	engine_stop_by(w->engine, streams_until(w, told));
	while (!engine_is_over(w->engine)) {
		beat(w);
		if (wait_signal(STOP_LOOK_MS) == SIGTERM && told != SIGTERM) {
			told = SIGTERM;
			engine_stop_by(w->engine, streams_until(w, told));
		}
	}
	engine_stop(w->engine, clock_mono_ms());
}

static void stop(struct worker *w, int told)
{
	log_info("worker stops", LOG_T("streams", told == SIGQUIT ? "finish" : "end soon"),
		 LOG_I("within_s",
		       told == SIGQUIT ? w->place->config->drain_s : w->place->config->stop_s));
	atomic_store(&w->place->slot->state, SHM_SLOT_DRAINING);
	end_streams(w, end_requests(w, told));
	beat(w);
	w->place->app->stop(w->app_state, clock_mono_ms() + STOP_SAVE_MS);
	beat(w);
}

static void close_parts(struct worker *w)
{
	request_threads_stop(w->threads);
	if (w->engine)
		engine_stop(w->engine, clock_mono_ms());
	if (w->app_state) {
		w->place->app->stop(w->app_state, clock_mono_ms());
		w->place->app->close(w->app_state);
	}
	engine_free(w->engine);
	budget_free(w->budget);
}

/* When memory runs out a worker shall go, which is replaced, and not the supervisor. */
static void offer_to_the_oom_killer(void)
{
	int fd;

	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* or the file is root's; the sandbox takes it back */
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "500", 3) != 3)
		log_debug("oom score not raised");
	close(fd);
}

static void say_ready(const struct worker *w)
{
	const struct worker_place *place = w->place;
	char fences[FENCE_LIST_SIZE];

	fence_list(w->fences, fences);
	atomic_store(&place->slot->fences, w->fences);
	process_tell(place->slot, false);
	atomic_store(&place->slot->state, SHM_SLOT_READY);
	log_info("worker ready", LOG_I("threads", place->config->threads),
		 LOG_T("sandbox", fences));
}

int worker_main(const struct worker_place *place)
{
	struct worker w = { .place = place };
	struct error err = { 0 };
	char name[32];
	bool ok;

	snprintf(name, sizeof name, "worker %d", place->number);
	log_identity(name);
	config_forget_environment();
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_ARENA_MAX, ARENAS);
	/* Fixed: they would grow, and a burst's memory would stay. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, KEPT);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NAME, "c1d-worker");
	offer_to_the_oom_killer();
	metrics_attach(place->slot);
	shm_confine(place->shm, place->slot);
	CRASHPOINT_FOLDER(place->config->state_dir);
	ok = open_parts(&w, &err) && start_parts(&w, &err);
	if (ok) {
		say_ready(&w);
		stop(&w, run_until_told(&w));
	} else {
		log_error("worker not started", LOG_T("reason", err.detail));
	}
	if (w.is_cut) {
		log_flush();
		_exit(WORKER_DONE);
	}
	close_parts(&w);
	log_info("worker ended");
	return ok ? WORKER_DONE : err.code == ERROR_CONFIG ? WORKER_HOPELESS : WORKER_FAILED;
}

bool server_try(const struct config *config, const struct server_app *app, struct error *err)
{
	struct shm *shm = shm_map(NULL, err);
	struct worker_place place = { .config = config, .app = app, .shm = shm };
	struct worker w = { .place = &place };
	bool ok;

	if (!shm)
		return false;
	place.slot = &shm->slots[0];
	metrics_attach(place.slot);
	ok = open_parts(&w, err);
	close_parts(&w);
	metrics_attach(NULL);
	shm_unmap(shm);
	return ok;
}
