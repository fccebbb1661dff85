/*
 * pool: workers in their places. One that dies is started again at once the first time, then after
 * 1 s, doubling to a minute, so that a worker that cannot live does not become a fork storm.
 */
#include "pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "stream/board.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVED_LONG_MS 60000 /* a death after that is no sign of trouble */
#define DELAY_MAX_MS  60000
#define BEAT_LOST_MS  10000
#define START_LOST_MS 60000 /* a store that does not answer makes a start slow, not hung */
#define OLD_SPARE_MS  15000 /* beyond the drain: for the store */

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
	place->started_ms = now_ms;
	if (pid < 0) {
		log_error("worker not forked", LOG_T("reason", strerror(errno)));
		free_the_slot(pool->shm, place->slot);
		place->start_at_ms = now_ms + 1000;
		return;
	}
	place->pid = pid;
	atomic_store(&place->slot->pid, pid);
}

void pool_fill(struct pool *pool, int64_t now_ms)
{
	for (int i = 0; i < pool->count; i++) {
		struct place *place = &pool->places[i];

		if (place->pid == 0 && !place->hopeless && now_ms >= place->start_at_ms)
			start(pool, i, now_ms);
	}
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
	free_the_slot(pool->shm, place->slot);
	place->pid = 0;
	place->slot = NULL;
	place->quick_deaths =
		now_ms - place->started_ms > LIVED_LONG_MS ? 1 : place->quick_deaths + 1;
	place->hopeless = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_HOPELESS;
	place->start_at_ms = now_ms + delay_ms(place->quick_deaths);
	atomic_fetch_add(&pool->shm->pool.respawns, !place->hopeless);
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
		say_end(pid, status);
		for (place = pool->places; place < pool->places + pool->count && place->pid != pid;)
			place++;
		if (place < pool->places + pool->count)
			empty_place(pool, place, status, now_ms);
		else
			forget_old(pool, pid);
	}
}

static bool is_hung(const struct shm_slot *slot, int64_t now_ms)
{
	bool starts = atomic_load(&slot->state) == SHM_SLOT_STARTING;

	return now_ms - atomic_load(&slot->beat_ms) >= (starts ? START_LOST_MS : BEAT_LOST_MS);
}

/* A main thread that does not beat is hung, and so may be the rest. */
void pool_check_beats(struct pool *pool, int64_t now_ms)
{
	for (int i = 0; i < pool->count; i++) {
		const struct place *place = &pool->places[i];

		if (place->pid == 0 || !is_hung(place->slot, now_ms))
			continue;
		log_error("worker hangs and is killed", LOG_I("worker_pid", place->pid));
		atomic_store(&place->slot->beat_ms, now_ms);
		kill(place->pid, SIGKILL);
	}
}

/* Of the old generation nobody may stay: a further reload waits for them. */
void pool_check_old(struct pool *pool, int64_t now_ms)
{
	if (pool->old_count == 0 || !pool->old_told_ms ||
	    now_ms - pool->old_told_ms < pool->config->drain_s * 1000 + OLD_SPARE_MS)
		return;
	log_error("old workers killed: they did not end in time",
		  LOG_I("workers", pool->old_count));
	pool->old_told_ms = now_ms;
	pool_tell(pool, SIGKILL, true);
}

/* --- questions --- */

bool pool_all_ready(const struct pool *pool)
{
	for (int i = 0; i < pool->count; i++)
		if (pool->places[i].pid == 0 ||
		    atomic_load(&pool->places[i].slot->state) != SHM_SLOT_READY)
			return false;
	return true;
}

bool pool_is_hopeless(const struct pool *pool)
{
	for (int i = 0; i < pool->count; i++)
		if (!pool->places[i].hopeless)
			return false;
	return true;
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
