/*
 * saver: ended answers on their way to the store. Two threads a worker take them in order; while
 * the store is down they wait (the spool has them, on disk) and one saver of the pool asks every
 * half second whether it is back.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/crashpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include "llm/c1.h"
#include <pthread.h>
#include <stdlib.h>

#define SAVER_THREADS  2
#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS   5000
#define IDLE_WAIT_MS   500 /* how often an idle saver looks whether a store that is down is back */
#define SWEEP_EVERY_MS (60 * 1000)
#define ADOPT_EVERY_MS 2000             /* how often the pool looks for answers of dead workers */
#define BEAT_EVERY_MS  5000             /* this node's entry in the store */
#define LOOK_EVERY_MS  30000            /* is the C1 API there? while no question tells */
#define KEPT_MS        (15 * 60 * 1000) /* a saved answer stays in the spool so long, for resumes */

struct save {
	struct save *next;
	struct spool *spool;
	int64_t due_ms;
	int tries;
};

struct savers {
	struct service *service;
	pthread_t threads[SAVER_THREADS];
	int started;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct save *queue; /* oldest first */
	struct save *left;  /* runs whose last follower has gone: to be looked after */
	int busy;
	bool stopping;
	int64_t stop_at_ms, sweep_at_ms;
};

/* --- one save --- */

/* The stored text is the run's bytes without what is only shown while it streams. */
static bool stored_text(const struct spool *spool, struct buffer *raw, struct buffer *out)
{
	return spool_read_all(spool, raw) && c1_stored(out, buffer_slice(raw));
}

static bool save_text(struct service *service, const struct spool_record *record, struct slice text,
		      struct error *err)
{
	struct finish finish = {
		.thread_id = record->thread_id,
		.message_id = record->message_id,
		.run_id = record->run_id,
		.status = record->status,
		.content = text,
		.finish_reason = record->finish_reason[0] ? record->finish_reason : NULL,
		.usage = record->usage[0] ? record->usage : NULL,
		.now_ms = record->ended_ms,
	};
	bool applied = false;

	CRASHPOINT("save_before");
	if (!store_finish(service->store, &finish, &applied, err))
		return false;
	CRASHPOINT("save_stored");
	if (!applied)
		log_info("answer not wanted any more", LOG_T("run", record->run_id));
	return true;
}

bool savers_save_now(struct service *service, struct spool *spool, struct error *err)
{
	const struct spool_record *record = spool_record(spool);
	size_t max = (size_t)record->length + 1;
	struct buffer raw, text;
	bool ok;

	buffer_init(&raw, max);
	buffer_init(&text, max);
	ok = stored_text(spool, &raw, &text) ||
	     error_set(err, ERROR_INTERNAL, "The spool could not be read.");
	ok = ok && save_text(service, record, buffer_slice(&text), err);
	buffer_done(&raw);
	buffer_done(&text);
	if (ok && !spool_mark_saved(spool, NULL))
		log_warn("spool not marked saved", LOG_T("run", record->run_id));
	CRASHPOINT("save_marked");
	if (ok)
		engine_saved(service->engine, record->run_id);
	return ok;
}

/* --- the queue --- */

static void put_back(struct savers *savers, struct save *job, const struct error *err)
{
	int64_t wait_ms = RETRY_FIRST_MS << (job->tries < 5 ? job->tries : 5);
	struct save **at = &savers->queue;

	if (job->tries++ == 0) {
		spool_sync(job->spool, NULL); /* from now on the disk is the only promise */
		metrics_add(M_SAVES_RETRIED, 0, 0, 1);
		log_warn("answer waits for the store",
			 LOG_T("run", spool_record(job->spool)->run_id),
			 LOG_T("error", error_word(err->code)));
	}
	job->due_ms = clock_mono_ms() + (wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS);
	pthread_mutex_lock(&savers->lock);
	while (*at && (*at)->due_ms <= job->due_ms)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	pthread_mutex_unlock(&savers->lock);
}

void savers_add(struct savers *savers, struct spool *spool)
{
	struct save *job = calloc(1, sizeof *job);
	struct save **at;

	if (!job) {
		log_error("no memory to save an answer; it stays in the spool",
			  LOG_T("run", spool_record(spool)->run_id));
		spool_unref(spool);
		return;
	}
	job->spool = spool;
	job->due_ms = clock_mono_ms();
	pthread_mutex_lock(&savers->lock);
	for (at = &savers->queue; *at && (*at)->due_ms <= job->due_ms;)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	pthread_cond_signal(&savers->changed);
	pthread_mutex_unlock(&savers->lock);
}

void savers_look_after(struct savers *savers, struct spool *spool)
{
	struct save *job = calloc(1, sizeof *job);

	if (!job) {
		spool_unref(spool);
		return;
	}
	job->spool = spool;
	pthread_mutex_lock(&savers->lock);
	job->next = savers->left;
	savers->left = job;
	pthread_cond_signal(&savers->changed);
	pthread_mutex_unlock(&savers->lock);
}

static void wait_until(struct savers *savers, int64_t mono_ms)
{
	struct timespec until = { .tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000 };

	pthread_cond_timedwait(&savers->changed, &savers->lock, &until);
}

/* The next job that is due; NULL when it is time for something else. Called and left with the lock
 * held. */
static struct save *take(struct savers *savers, bool store_up, int64_t now_ms)
{
	struct save *job = savers->queue;

	if (savers->left)
		return NULL;
	if (job && store_up && job->due_ms <= now_ms) {
		savers->queue = job->next;
		savers->busy++;
		return job;
	}
	wait_until(savers, store_up && job && job->due_ms < now_ms + IDLE_WAIT_MS
				   ? job->due_ms
				   : now_ms + IDLE_WAIT_MS);
	return NULL;
}

/* After an outage nothing waits for its turn of the backoff. */
static void all_are_due(struct savers *savers)
{
	pthread_mutex_lock(&savers->lock);
	for (struct save *job = savers->queue; job; job = job->next)
		job->due_ms = 0;
	pthread_cond_broadcast(&savers->changed);
	pthread_mutex_unlock(&savers->lock);
}

static void work(struct savers *savers, struct save *job)
{
	struct error err = { 0 };

	if (savers_save_now(savers->service, job->spool, &err)) {
		spool_unref(job->spool);
		free(job);
	} else {
		put_back(savers, job, &err);
	}
	pthread_mutex_lock(&savers->lock);
	savers->busy--;
	pthread_cond_broadcast(&savers->changed);
	pthread_mutex_unlock(&savers->lock);
}

/* While the store is away, waiting for it would only delay the stop: the next start finds the
 * files. */
static bool is_over(const struct savers *savers, bool store_up, int64_t now_ms)
{
	bool nothing_to_do = !savers->busy && (!savers->queue || !store_up);

	return savers->stopping && (now_ms >= savers->stop_at_ms || nothing_to_do);
}

static void sweep_when_due(struct savers *savers, int64_t now_ms)
{
	bool due;

	pthread_mutex_lock(&savers->lock);
	due = now_ms >= savers->sweep_at_ms;
	if (due)
		savers->sweep_at_ms = now_ms + SWEEP_EVERY_MS;
	pthread_mutex_unlock(&savers->lock);
	if (due)
		spool_sweep(savers->service->spools, clock_wall_ms() - KEPT_MS);
}

static void look_after_all(struct savers *savers)
{
	struct save *job, *next;

	pthread_mutex_lock(&savers->lock);
	job = savers->left;
	savers->left = NULL;
	pthread_mutex_unlock(&savers->lock);
	for (; job; job = next) {
		next = job->next;
		/* Many leave at once when a page or a web server goes: one look a user is enough.
		 */
		if (!next || strcmp(spool_record(next->spool)->user_id,
				    spool_record(job->spool)->user_id) != 0)
			unattended_check(savers->service, spool_record(job->spool)->user_id);
		spool_unref(job->spool);
		free(job);
	}
}

static void adopt(void *savers, struct spool *spool)
{
	savers_add(savers, spool);
}

/* One saver of the pool has a duty at a time: whoever moves its clock on. */
static bool is_my_turn(_Atomic int64_t *last_done_ms, int64_t now_ms, int64_t every_ms)
{
	int64_t last_ms = atomic_load(last_done_ms);

	return (last_ms == 0 || now_ms - last_ms >= every_ms) &&
	       atomic_compare_exchange_strong(last_done_ms, &last_ms, now_ms);
}

static void do_duties(struct savers *savers, bool store_up, int64_t now_ms)
{
	struct service *service = savers->service;
	struct shm *shm = service->shm;

	if (!shm)
		return;
	if (is_my_turn(&shm->adopt_ms, now_ms, ADOPT_EVERY_MS))
		spool_adopt_each(service->spools, clock_wall_ms(), adopt, savers);
	if (store_up && is_my_turn(&shm->beat_ms, now_ms, BEAT_EVERY_MS))
		nodes_beat(service);
	if (is_my_turn(&shm->look_ms, now_ms, LOOK_EVERY_MS))
		upstream_look(service);
}

static void *saver_thread(void *arg)
{
	struct savers *savers = arg;
	struct store *store = savers->service->store;
	bool was_up = true;

	for (;;) {
		bool up = store_probe(store);
		int64_t now_ms = clock_mono_ms();
		struct save *job;
		bool over;

		if (up && !was_up)
			all_are_due(savers);
		was_up = up;
		sweep_when_due(savers, now_ms);
		do_duties(savers, up, now_ms);
		look_after_all(savers);
		pthread_mutex_lock(&savers->lock);
		over = is_over(savers, up, now_ms);
		job = over ? NULL : take(savers, up, now_ms);
		pthread_mutex_unlock(&savers->lock);
		if (over)
			return NULL;
		if (job)
			work(savers, job);
	}
}

/* --- life --- */

struct savers *savers_open(struct service *service, struct error *err)
{
	struct savers *savers = calloc(1, sizeof *savers);
	pthread_condattr_t monotonic;

	if (!savers) {
		error_set(err, ERROR_INTERNAL, "No memory for the savers.");
		return NULL;
	}
	savers->service = service;
	pthread_mutex_init(&savers->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&savers->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return savers;
}

bool savers_start(struct savers *savers, struct error *err)
{
	while (savers->started < SAVER_THREADS) {
		if (pthread_create(&savers->threads[savers->started], NULL, saver_thread, savers) !=
		    0)
			return error_set(err, ERROR_INTERNAL, "A saver could not be started.");
		savers->started++;
	}
	return true;
}

void savers_stop(struct savers *savers, int64_t deadline_ms)
{
	pthread_mutex_lock(&savers->lock);
	savers->stopping = true;
	savers->stop_at_ms = deadline_ms;
	pthread_cond_broadcast(&savers->changed);
	pthread_mutex_unlock(&savers->lock);
	while (savers->started > 0)
		pthread_join(savers->threads[--savers->started], NULL);
}

void savers_free(struct savers *savers)
{
	struct save *next;

	if (!savers)
		return;
	for (struct save *job = savers->queue; job; job = next) {
		next = job->next;
		log_warn("answer left in the spool",
			 LOG_T("run", spool_record(job->spool)->run_id));
		spool_sync(job->spool, NULL);
		spool_unref(job->spool);
		free(job);
	}
	for (struct save *job = savers->left; job; job = next) {
		next = job->next;
		spool_unref(job->spool);
		free(job);
	}
	pthread_cond_destroy(&savers->changed);
	pthread_mutex_destroy(&savers->lock);
	free(savers);
}
