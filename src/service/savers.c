/*
 * savers: ended answers on their way to the store. Two threads a worker take them in order; what
 * the store refuses waits its turn of a backoff, and while the store is down all of them wait (the
 * spool has them, on disk).
 *
 * The engine's thread puts them in, so that has to be quick however many wait: there is one queue a
 * delay, and in each of them whoever came first is due first.
 */
#include "service_room.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/crashpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include "llm/c1.h"
#include <pthread.h>
#include <stdlib.h>

#define SAVER_THREADS 2
#define MESSAGE_ROOM  (1u << 20) /* for what a message holds besides its text */
#define IDLE_WAIT_MS  500        /* how often an idle saver looks whether the store is down */

/* How long an answer waits that was refused so often. The first delay is none. */
static const int64_t delays_ms[] = { 0, 250, 500, 1000, 2000, 4000, 5000 };
#define DELAYS ((int)(sizeof delays_ms / sizeof delays_ms[0]))

struct save {
	struct save *next;
	struct spool *spool;
	int64_t due_ms;
	int tries;
};

struct queue {
	struct save *first, **last;
};

struct savers {
	struct service *service;
	pthread_t threads[SAVER_THREADS];
	int started;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct queue queues[DELAYS];
	int busy;
	bool stopping;
	int64_t stop_at_ms;
};

/* --- one save --- */

/* The stored text is the run's bytes without what is only shown while it streams. */
static bool stored_text(const struct spool *spool, struct buffer *raw, struct buffer *out)
{
	return spool_read_all(spool, raw) && c1_stored(out, buffer_slice(raw));
}

/* Only what failed: who stopped an answer does not want it. */
static bool is_unasked(const struct spool_record *record)
{
	return !record->asked &&
	       (record->status == STATUS_ERROR || record->status == STATUS_INTERRUPTED);
}

/* Nothing was left to do: it was edited, deleted or taken meanwhile; or an earlier try has stored
 * it, and its word was lost. Where that cannot be told the file is kept. */
static bool is_stored(struct service *service, const struct spool_record *record)
{
	struct error err = { 0 };
	struct message message;
	struct arena arena;
	bool found;

	arena_init(&arena, (size_t)record->length + MESSAGE_ROOM);
	found = store_message_by_run(service->savers_store, NULL, record->run_id, &arena, &message,
				     &err);
	arena_done(&arena);
	return found || err.code != ERROR_NOT_FOUND;
}

static bool save_text(struct service *service, const struct spool_record *record, struct slice text,
		      bool *wanted, struct error *err)
{
	struct finish finish = {
		.thread_id = record->thread_id,
		.message_id = record->message_id,
		.run_id = record->run_id,
		.status = record->status,
		.content = text,
		.finish_reason = record->finish_reason[0] ? record->finish_reason : NULL,
		.model = record->asked && record->model[0] ? record->model : NULL,
		.usage = record->usage,
		.unasked = is_unasked(record),
	};
	bool applied = false;

	CRASHPOINT("save_before");
	if (!store_finish(service->savers_store, &finish, &applied, err))
		return false;
	CRASHPOINT("save_stored");
	applied = applied || is_stored(service, record);
	if (!applied)
		log_info("answer not wanted any more", LOG_T("run", record->run_id));
	*wanted = applied;
	return true;
}

bool savers_save_now(struct service *service, struct spool *spool, struct error *err)
{
	const struct spool_record *record = spool_record(spool);
	size_t max = (size_t)record->length + 1;
	struct buffer raw, text;
	bool ok, marked, wanted = true;

	buffer_init(&raw, max);
	buffer_init(&text, max);
	ok = stored_text(spool, &raw, &text) ||
	     error_set(err, ERROR_INTERNAL, "The spool could not be read.");
	ok = ok && save_text(service, record, buffer_slice(&text), &wanted, err);
	buffer_done(&raw);
	buffer_done(&text);
	if (!ok)
		return false;
	marked = spool_mark_saved(service->spools, spool, NULL);
	if (!marked)
		log_warn("spool not marked saved", LOG_T("run", record->run_id));
	CRASHPOINT("save_marked");
	/* It was deleted, or would be taken for one that still grows: whoever holds the file reads
	 * on, nobody opens it again. */
	if (!wanted || !marked)
		spool_remove(service->spools, record->run_id);
	board_remove(service->board, record->run_id);
	engine_saved(service->engine, record->run_id);
	return true;
}

/* --- the queues --- */

static void put(struct savers *savers, struct save *job)
{
	int delay = job->tries < DELAYS ? job->tries : DELAYS - 1;
	struct queue *queue = &savers->queues[delay];

	job->next = NULL;
	pthread_mutex_lock(&savers->lock);
	job->due_ms = clock_mono_ms() + delays_ms[delay];
	*queue->last = job;
	queue->last = &job->next;
	pthread_cond_signal(&savers->changed);
	pthread_mutex_unlock(&savers->lock);
}

void savers_add(struct savers *savers, struct spool *spool)
{
	struct save *job = calloc(1, sizeof *job);

	if (!job) { /* as one whose worker died: once nobody has its file it is taken up again */
		log_error("no memory to save an answer; it is taken up again from the spool",
			  LOG_T("run", spool_record(spool)->run_id));
		board_set_state(savers->service->board, spool_record(spool)->run_id, BOARD_ORPHAN);
		spool_unref(spool);
		return;
	}
	job->spool = spool;
	put(savers, job);
}

static void put_back(struct savers *savers, struct save *job, const struct error *err)
{
	if (job->tries++ == 0) {
		spool_sync(job->spool, NULL); /* from now on the disk is the only promise */
		metrics_add(M_SAVES_RETRIED, 0, 0, 1);
		log_warn("answer waits for the store",
			 LOG_T("run", spool_record(job->spool)->run_id),
			 LOG_T("error", error_word(err->code)));
	}
	put(savers, job);
}

/* The queue whose first job is due before all others; NULL: all are empty. */
static struct queue *next_due(struct savers *savers)
{
	struct queue *found = NULL;

	for (int i = 0; i < DELAYS; i++) {
		struct queue *queue = &savers->queues[i];
		if (queue->first && (!found || queue->first->due_ms < found->first->due_ms))
			found = queue;
	}
	return found;
}

static struct save *take_first(struct queue *queue)
{
	struct save *job = queue->first;

	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	return job;
}

/* The next job that is due; NULL after a while without one. Called and left with the lock held. */
static struct save *take(struct savers *savers, bool store_up, int64_t now_ms)
{
	struct queue *queue = store_up ? next_due(savers) : NULL;

	if (queue && queue->first->due_ms <= now_ms) {
		savers->busy++;
		return take_first(queue);
	}
	cond_wait_until(&savers->changed, &savers->lock,
			queue && queue->first->due_ms < now_ms + IDLE_WAIT_MS
				? queue->first->due_ms
				: now_ms + IDLE_WAIT_MS);
	return NULL;
}

void savers_store_is_back(struct savers *savers)
{
	struct queue *due = &savers->queues[0];

	pthread_mutex_lock(&savers->lock);
	for (int i = 1; i < DELAYS; i++) {
		struct queue *queue = &savers->queues[i];
		for (struct save *job = queue->first; job; job = job->next)
			job->due_ms = 0;
		if (!queue->first)
			continue;
		*due->last = queue->first;
		due->last = queue->last;
		*queue = (struct queue){ NULL, &queue->first };
	}
	pthread_cond_broadcast(&savers->changed);
	pthread_mutex_unlock(&savers->lock);
}

/* --- the threads --- */

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
static bool is_over(struct savers *savers, bool store_up, int64_t now_ms)
{
	bool nothing_to_do = !savers->busy && (!store_up || !next_due(savers));

	return savers->stopping && (now_ms >= savers->stop_at_ms || nothing_to_do);
}

static void *saver_thread(void *arg)
{
	struct savers *savers = arg;
	bool over;

	do {
		bool up = !store_is_down(savers->service->store);
		int64_t now_ms = clock_mono_ms();
		struct save *job;

		pthread_mutex_lock(&savers->lock);
		over = is_over(savers, up, now_ms);
		job = over ? NULL : take(savers, up, now_ms);
		pthread_mutex_unlock(&savers->lock);
		if (job)
			work(savers, job);
	} while (!over);
	return NULL;
}

/* --- life --- */

struct savers *savers_open(struct service *service, struct error *err)
{
	struct savers *savers = calloc(1, sizeof *savers);

	if (!savers) {
		error_set(err, ERROR_INTERNAL, "No memory for the savers.");
		return NULL;
	}
	savers->service = service;
	for (int i = 0; i < DELAYS; i++)
		savers->queues[i].last = &savers->queues[i].first;
	pthread_mutex_init(&savers->lock, NULL);
	cond_init(&savers->changed);
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
	struct queue *queue;

	if (!savers)
		return;
	while ((queue = next_due(savers))) {
		struct save *job = take_first(queue);
		log_warn("answer left in the spool",
			 LOG_T("run", spool_record(job->spool)->run_id));
		spool_sync(job->spool, NULL);
		spool_unref(job->spool);
		free(job);
	}
	pthread_cond_destroy(&savers->changed);
	pthread_mutex_destroy(&savers->lock);
	free(savers);
}
