/*
 * pool: workers in their places. One that dies is started again at once the first time, then after
 * 1 s, doubling to a minute, so that a worker that cannot live does not become a fork storm. But
 * while none takes requests one is tried each second, whatever its place's delay: somebody waits.
 */
#include "pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "deadlines.h"
#include "stream/board.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVED_LONG_MS   60000 /* a death after that is no sign of trouble */
#define DELAY_MAX_MS    60000
#define BEAT_LOST_MS    10000
#define LOOK_LATE_MS    (BEAT_LOST_MS / 2)
#define START_LOST_MS   60000 /* a store that does not answer makes a start slow, not hung */
#define ALONE_MS        1000
#define GENERATIONS_MAX 4 /* that may live beside the newest: each has its memory */

int pool_wanted(const struct config *config)
{
	cpu_set_t set;
	int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	int wanted = config->workers > 0 ? (int)config->workers : cores;

	return wanted > POOL_PLACES_MAX ? POOL_PLACES_MAX : wanted;
}

/* --- starting --- */

static void zero_gauges(struct shm_slot *slot)
{
	atomic_store(&slot->runs, 0);
	atomic_store(&slot->followers, 0);
	atomic_store(&slot->memory_lent, 0);
	atomic_store(&slot->requests_busy, 0);
	atomic_store(&slot->kept, 0);
	atomic_store(&slot->cpu_ms, 0);
	atomic_store(&slot->resident_bytes, 0);
	atomic_store(&slot->threads, 0);
	atomic_store(&slot->open_fds, 0);
	atomic_store(&slot->fences, 0);
}

/* Counters of a slot grow over the lives of its workers; gauges start anew. */
static struct shm_slot *free_slot(struct pool *pool, int number)
{
	struct shm *shm = pool->shm;

	for (int i = 0; i < SHM_SLOTS; i++) {
		struct shm_slot *slot = &shm->slots[i];

		if (atomic_load(&slot->state) != SHM_SLOT_FREE)
			continue;
		if (i >= atomic_load(&shm->pool.slots_used))
			atomic_store(&shm->pool.slots_used, i + 1);
		atomic_store(&shm->inboxes[i].waiting, 0);
		zero_gauges(slot);
		atomic_store(&slot->generation, pool->generation);
		atomic_store(&slot->place, number);
		atomic_store(&slot->beat_ms, clock_mono_ms());
		atomic_store(&slot->state, SHM_SLOT_STARTING);
		return slot;
	}
	return NULL;
}

static void free_the_slot(struct shm *shm, struct shm_slot *slot)
{
	board_forget_slot(board_of(shm), board_slot(shm, slot));
	zero_gauges(slot);
	atomic_store(&slot->pid, 0);
	atomic_store(&slot->state, SHM_SLOT_FREE);
}

static void start(struct pool *pool, int number, int64_t now_ms)
{
	struct place *place = &pool->places[number];
	struct worker_place told = { .config = pool->config,
				     .app = pool->app,
				     .shm = pool->shm,
				     .inboxes = &pool->inboxes,
				     .number = number + 1,
				     .listener = pool->listener.fd,
				     .supervisor = getpid() };
	pid_t pid;

	if (!(place->slot = told.slot = free_slot(pool, number)))
		return;
	pid = fork();
	if (pid == 0)
		exit(worker_main(&told));
	place->started_ms = pool->last_start_ms = now_ms;
	if (pid < 0) {
		log_error("worker not forked", LOG_T("reason", strerror(errno)));
		free_the_slot(pool->shm, place->slot);
		place->start_at_ms = now_ms + 1000;
		return;
	}
	place->pid = pid;
	atomic_store(&place->slot->pid, pid);
}

static bool is_serving(const struct place *place)
{
	return place->pid != 0 && atomic_load(&place->slot->state) == SHM_SLOT_READY;
}

/* Somebody of this generation takes requests, or somebody before it who was not told to stop. */
static bool anybody_serves(const struct pool *pool)
{
	if (pool->old_count > 0 && !pool->old_told_ms)
		return true;
	for (int i = 0; i < pool->count; i++)
		if (is_serving(&pool->places[i]))
			return true;
	return false;
}

void pool_fill(struct pool *pool, int64_t now_ms)
{
	int soonest = -1;

	for (int i = 0; i < pool->count; i++) {
		const struct place *place = &pool->places[i];

		if (place->pid != 0)
			continue;
		if (now_ms >= place->start_at_ms)
			start(pool, i, now_ms);
		else if (soonest < 0 || place->start_at_ms < pool->places[soonest].start_at_ms)
			soonest = i;
	}
	if (soonest >= 0 && now_ms - pool->last_start_ms >= ALONE_MS && !anybody_serves(pool))
		start(pool, soonest, now_ms);
}

/* --- ends --- */

static int64_t delay_ms(int quick_deaths)
{
	int64_t ms = 1000;

	if (quick_deaths <= 1)
		return 0;
	for (int i = 2; i < quick_deaths && ms < DELAY_MAX_MS; i++)
		ms *= 2;
	return ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS;
}

static void say_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_error("worker killed", LOG_I("worker_pid", pid),
			  LOG_I("signal", WTERMSIG(status)));
	else
		log_write(WEXITSTATUS(status) ? LOG_ERROR : LOG_INFO, "worker exited",
			  (const struct log_field[]){ LOG_I("worker_pid", pid),
						      LOG_I("code", WEXITSTATUS(status)) },
			  2);
}

static void empty_place(struct pool *pool, struct place *place, int status, int64_t now_ms)
{
	int64_t delay;

	free_the_slot(pool->shm, place->slot);
	place->pid = 0;
	place->slot = NULL;
	place->quick_deaths =
		now_ms - place->started_ms > LIVED_LONG_MS ? 1 : place->quick_deaths + 1;
	place->is_wrong = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_HOPELESS;
	/* A wrong setting is not mended by haste; the others are asked first. */
	delay = delay_ms(place->quick_deaths + place->is_wrong);
	place->start_at_ms = now_ms + delay;
	if (delay > 0)
		log_warn("worker is started again later", LOG_I("place", place - pool->places + 1),
			 LOG_I("after_ms", delay));
	atomic_fetch_add(&pool->shm->pool.respawns, 1);
}

static void forget_old(struct pool *pool, pid_t pid)
{
	for (int i = 0; i < pool->old_count; i++)
		if (pool->old[i] == pid)
			pool->old[i--] = pool->old[--pool->old_count];
	for (int i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&pool->shm->slots[i].pid) == pid)
			free_the_slot(pool->shm, &pool->shm->slots[i]);
}

void pool_reap(struct pool *pool, int64_t now_ms)
{
	struct place *place;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == pool->trial.pid) {
			pool->trial.has_ended = true;
			pool->trial.status = status;
			continue;
		}
		/* Its time becomes ours before it stops counting as its own. */
		process_tell(&pool->shm->supervisor, true);
		say_end(pid, status);
		for (place = pool->places; place < pool->places + pool->count && place->pid != pid;)
			place++;
		if (place < pool->places + pool->count)
			empty_place(pool, place, status, now_ms);
		else
			forget_old(pool, pid);
	}
}

/* One that ends does not beat while it saves its last answers. */
static bool is_hung(const struct shm_slot *slot, int64_t now_ms)
{
	int state = atomic_load(&slot->state);
	int64_t lost_ms = state == SHM_SLOT_STARTING   ? START_LOST_MS
			  : state == SHM_SLOT_DRAINING ? BEAT_LOST_MS + STOP_SAVE_MS
						       : BEAT_LOST_MS;

	return now_ms - atomic_load(&slot->beat_ms) >= lost_ms;
}

static bool is_old(const struct pool *pool, pid_t pid)
{
	for (int i = 0; i < pool->old_count; i++)
		if (pool->old[i] == pid)
			return true;
	return false;
}

/* What the shared memory says may be what a worker that was taken over wrote there: it names nobody
 * else's process, and no slot that there is not. */
static bool is_ours(const struct pool *pool, pid_t pid)
{
	for (int i = 0; i < pool->count; i++)
		if (pool->places[i].pid == pid)
			return true;
	return is_old(pool, pid);
}

static int slots_used(const struct pool *pool)
{
	int used = atomic_load(&pool->shm->pool.slots_used);

	return used < SHM_SLOTS ? used : SHM_SLOTS;
}

/* A main thread that does not beat is hung, and so may be the rest. Old ones beat to their end. Who
 * looks late himself judges nobody: the machine stood still (paused, out of memory), and the
 * workers with it; they have from now on. */
void pool_check_beats(struct pool *pool, int64_t now_ms)
{
	bool is_late = now_ms - pool->looked_ms >= LOOK_LATE_MS;
	int used = slots_used(pool);

	pool->looked_ms = now_ms;
	for (int i = 0; i < used; i++) {
		struct shm_slot *slot = &pool->shm->slots[i];
		pid_t pid = atomic_load(&slot->pid);

		if (pid <= 0 || !is_hung(slot, now_ms) || !is_ours(pool, pid))
			continue;
		atomic_store(&slot->beat_ms, now_ms);
		if (is_late)
			continue;
		log_error("worker hangs and is killed", LOG_I("worker_pid", pid));
		kill(pid, SIGKILL);
	}
}

/* Of old generations nobody may stay for ever. */
void pool_check_old(struct pool *pool, int64_t now_ms)
{
	if (pool->old_count == 0 || !pool->old_told_ms ||
	    now_ms - pool->old_told_ms < pool->config->drain_s * 1000 + DRAIN_KILL_MS)
		return;
	log_error("old workers killed: they did not end in time",
		  LOG_I("workers", pool->old_count));
	pool->old_told_ms = now_ms;
	pool_tell(pool, SIGKILL, true);
}

/* --- questions --- */

bool pool_is_complete(const struct pool *pool)
{
	int serving = 0, failed = 0;

	for (int i = 0; i < pool->count; i++) {
		serving += is_serving(&pool->places[i]);
		failed += !is_serving(&pool->places[i]) && pool->places[i].quick_deaths > 0;
	}
	return serving > 0 && serving + (pool->is_reload ? 0 : failed) == pool->count;
}

bool pool_has_failed(const struct pool *pool)
{
	for (int i = 0; i < pool->count; i++)
		if (!is_serving(&pool->places[i]) && pool->places[i].quick_deaths > 0)
			return true;
	return pool->count == 0;
}

bool pool_is_hopeless(const struct pool *pool)
{
	if (pool_alive(pool) > 0)
		return false;
	for (int i = 0; i < pool->count; i++)
		if (!pool->places[i].is_wrong)
			return false;
	return true;
}

bool pool_may_reload(const struct pool *pool)
{
	int used = slots_used(pool), generations[GENERATIONS_MAX];
	int count = 0, known;

	for (int i = 0; i < used; i++) {
		const struct shm_slot *slot = &pool->shm->slots[i];
		int generation = atomic_load(&slot->generation);

		if (!is_old(pool, atomic_load(&slot->pid)))
			continue;
		for (known = 0; known < count && generations[known] != generation;)
			known++;
		if (known == GENERATIONS_MAX)
			return false;
		if (known == count)
			generations[count++] = generation;
	}
	return count < GENERATIONS_MAX && pool_alive(pool) + POOL_PLACES_MAX <= SHM_SLOTS;
}

int pool_alive(const struct pool *pool)
{
	int alive = pool->old_count;

	for (int i = 0; i < pool->count; i++)
		alive += pool->places[i].pid != 0;
	return alive;
}

void pool_tell(const struct pool *pool, int signal_number, bool old_only)
{
	for (int i = 0; i < pool->old_count; i++)
		kill(pool->old[i], signal_number);
	for (int i = 0; i < pool->count && !old_only; i++)
		if (pool->places[i].pid != 0)
			kill(pool->places[i].pid, signal_number);
}
