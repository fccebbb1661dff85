/*
 * sqlite_log: the thread that takes the log into the file (https://www.sqlite.org/wal.html,
 * "checkpointing"). It goes two times over it. First beside the writers, who meanwhile go on:
 * nearly all of it is taken in so, with the file's sync. Since there is always something new behind
 * it, the log would never begin anew; so the rest is taken in with the writers' turn held. The
 * file's own lock keeps those of other processes away for that moment.
 *
 * Who reads what was there before the last commits holds that part of the log, and all behind it:
 * it grows as long as he reads, and is taken in when he has gone. While the thread cannot (no
 * descriptor, a full disk) each writer tries it behind his commit, as is SQLite's own way; that
 * this fails is no failure of what he wrote.
 */
#include "sqlite_log.h"

#include "base/clock.h"
#include "base/cond.h"
#include <stdlib.h>

#define TAKE_PAGES                                                                                 \
	250        /* 1 MB: what is scattered over a large file is written in some 2 ms, and       \
		      commits wait behind it at the disk */
#define REST_MS 10 /* for writers of other processes and for readers, in which nobody writes */

struct sqlite_log {
	const char *path;
	int64_t limit_ms;
	struct sqlite_queue *writers;
	pthread_mutex_t *lock; /* guards the writers, and what follows */
	pthread_cond_t called;
	bool is_wanted, is_over;
	bool has_failed; /* the last time, by itself */
	int wanted_at;   /* how many pages there were when it was wanted last */
	pthread_t thread;
	struct sqlite_conn *conn; /* the thread's; NULL until it is needed, and behind an error */
};

static int take_in(struct sqlite_conn *conn, int how)
{
	return sqlite3_wal_checkpoint_v2(conn->db, NULL, how, NULL, NULL);
}

/* --- the thread --- */

/* Nobody may share a transaction with what has none, so it comes as one who is lazy. */
static int take_rest(struct sqlite_log *log)
{
	struct sqlite_call turn = { .is_lazy = true, .until_ms = clock_mono_ms() + log->limit_ms };
	int code;
	bool ok;

	pthread_mutex_lock(log->lock);
	ok = sqlite_queue_wait(log->writers, log->lock, &turn);
	pthread_mutex_unlock(log->lock);
	if (!ok)
		return SQLITE_BUSY;
	log->conn->until_ms = clock_mono_ms() + REST_MS;
	code = take_in(log->conn, SQLITE_CHECKPOINT_RESTART);
	pthread_mutex_lock(log->lock);
	sqlite_queue_pass(log->writers);
	pthread_mutex_unlock(log->lock);
	return code;
}

/* false: it cannot. That somebody else is at it, or reads, is no failure. */
static bool take_all(struct sqlite_log *log)
{
	enum error_code why;
	int code;

	if (!log->conn &&
	    !(log->conn = sqlite_file_open(log->path, log->limit_ms, false, &why, NULL)))
		return false;
	code = take_in(log->conn, SQLITE_CHECKPOINT_PASSIVE);
	if (code == SQLITE_OK)
		code = take_rest(log);
	if (code == SQLITE_OK || code == SQLITE_BUSY)
		return true;
	sqlite_failed(log->conn->db);
	sqlite_file_close(log->conn);
	log->conn = NULL;
	return false;
}

static void *thread_main(void *self)
{
	struct sqlite_log *log = self;
	bool ok;

	pthread_mutex_lock(log->lock);
	while (!log->is_over) {
		if (!log->is_wanted) {
			pthread_cond_wait(&log->called, log->lock);
			continue;
		}
		log->is_wanted = false;
		pthread_mutex_unlock(log->lock);
		ok = take_all(log);
		pthread_mutex_lock(log->lock);
		log->has_failed = !ok;
	}
	pthread_mutex_unlock(log->lock);
	sqlite_file_close(log->conn);
	return NULL;
}

/* --- behind a commit --- */

static int after_commit(void *self, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_log *log = self;
	bool help;

	pthread_mutex_lock(log->lock);
	if (pages < log->wanted_at) /* it has begun anew */
		log->wanted_at = 0;
	if (pages >= log->wanted_at + TAKE_PAGES) {
		log->wanted_at = pages;
		log->is_wanted = true;
		pthread_cond_signal(&log->called);
	}
	help = log->has_failed && pages >= TAKE_PAGES;
	pthread_mutex_unlock(log->lock);
	if (help)
		sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

void sqlite_log_watch(struct sqlite_log *log, struct sqlite_conn *conn)
{
	if (log)
		sqlite3_wal_hook(conn->db, after_commit, log);
}

/* --- life --- */

struct sqlite_log *sqlite_log_start(const char *path, int64_t limit_ms,
				    struct sqlite_queue *writers, pthread_mutex_t *lock)
{
	struct sqlite_log *log = calloc(1, sizeof *log);

	if (!log)
		return NULL;
	*log = (struct sqlite_log){
		.path = path, .limit_ms = limit_ms, .writers = writers, .lock = lock
	};
	cond_init(&log->called);
	if (pthread_create(&log->thread, NULL, thread_main, log) == 0)
		return log;
	pthread_cond_destroy(&log->called);
	free(log);
	return NULL;
}

void sqlite_log_stop(struct sqlite_log *log)
{
	if (!log)
		return;
	pthread_mutex_lock(log->lock);
	log->is_over = true;
	pthread_cond_signal(&log->called);
	pthread_mutex_unlock(log->lock);
	pthread_join(log->thread, NULL);
	pthread_cond_destroy(&log->called);
	free(log);
}
