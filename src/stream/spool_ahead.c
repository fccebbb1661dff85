/*
 * spool_ahead: files that are made before anybody wants them, so that no turn waits for one. A new
 * file is dear where the file system has to look for an inode: an ext4 without a journal passes by
 * each that was deleted in the last minutes, which costs half a millisecond a turn where as many
 * answers expire as begin.
 *
 * They lie in a folder of their own, each locked by the worker that made it, and become a run's by
 * their next name. Unlocked ones are a dead worker's. None is made before the first turn: a worker
 * that has none leaves no files.
 */
#include "spool_ahead.h"

#include "base/clock.h"
#include "base/cond.h"
#include "spool_dir.h"
#include "spool_file.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOW      (SPOOL_AHEAD - 4) /* a few at a time: less waking, and never long at work */
#define PAUSE_MS 1000              /* behind one that could not be made */

struct ready {
	int fd;
	unsigned number; /* of its name, in this process */
};

struct spool_ahead {
	struct spool_dir *dir;
	pthread_t thread;
	bool is_started;
	unsigned made;        /* the thread's */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool is_wanted; /* somebody has asked for one */
	bool is_stopping;
	int count;
	struct ready ready[SPOOL_AHEAD];
};

static void name_of(unsigned number, char out[SPOOL_PATH_SIZE])
{
	snprintf(out, SPOOL_PATH_SIZE, SPOOL_READY "/%d-%u", (int)getpid(), number);
}

/* --- what dead workers left --- */

/* A worker that is making one may lose it here before it has locked it: it finds that out when it
 * gives the file its run's name, and makes another. */
static bool remove_unowned(struct spool_dir *dir, const char *name, void *ctx)
{
	char path[SPOOL_PATH_SIZE + 256];
	int fd;

	(void)ctx;
	if (name[0] == '.')
		return true;
	snprintf(path, sizeof path, SPOOL_READY "/%s", name);
	fd = openat(spool_dir_fd(dir), path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return true;
	if (spool_file_lock_fd(fd))
		unlinkat(spool_dir_fd(dir), path, 0);
	close(fd);
	return true;
}

/* --- making --- */

static void discard(const struct spool_ahead *ahead, const struct ready *file)
{
	char name[SPOOL_PATH_SIZE];

	name_of(file->number, name);
	unlinkat(spool_dir_fd(ahead->dir), name, 0);
	close(file->fd);
}

static bool prepare(int fd)
{
	static const char block[SPOOL_HEADER];

	return spool_file_lock_fd(fd) && pwrite(fd, block, sizeof block, 0) == sizeof block;
}

static bool make(struct spool_ahead *ahead, struct ready *out)
{
	char name[SPOOL_PATH_SIZE];
	int folder = spool_dir_fd(ahead->dir);

	if (!spool_disk_has_room(folder, spool_dir_limits(ahead->dir)->reserve))
		return false;
	out->number = ahead->made++;
	name_of(out->number, name);
	out->fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out->fd < 0)
		return false;
	if (prepare(out->fd))
		return true;
	discard(ahead, out);
	return false;
}

/* false: nobody wants it any more. */
static bool put(struct spool_ahead *ahead, const struct ready *file)
{
	bool ok;

	pthread_mutex_lock(&ahead->lock);
	ok = !ahead->is_stopping;
	if (ok)
		ahead->ready[ahead->count++] = *file;
	pthread_mutex_unlock(&ahead->lock);
	return ok;
}

static bool make_one(struct spool_ahead *ahead)
{
	struct ready file;

	if (!make(ahead, &file))
		return false;
	if (!put(ahead, &file))
		discard(ahead, &file);
	return true;
}

/* Waits until files are wanted; how many. 0: never more. */
static int wait_for_need(struct spool_ahead *ahead)
{
	int lacking;

	pthread_mutex_lock(&ahead->lock);
	while (!ahead->is_stopping && (!ahead->is_wanted || ahead->count > LOW))
		pthread_cond_wait(&ahead->changed, &ahead->lock);
	lacking = ahead->is_stopping ? 0 : SPOOL_AHEAD - ahead->count;
	pthread_mutex_unlock(&ahead->lock);
	return lacking;
}

/* No descriptors, no room: turns that come meanwhile find that out themselves, and say so. */
static void pause_a_while(struct spool_ahead *ahead)
{
	int64_t until_ms = clock_mono_ms() + PAUSE_MS;

	pthread_mutex_lock(&ahead->lock);
	while (!ahead->is_stopping && cond_wait_until(&ahead->changed, &ahead->lock, until_ms))
		;
	pthread_mutex_unlock(&ahead->lock);
}

static void *ahead_thread(void *arg)
{
	struct spool_ahead *ahead = arg;
	int lacking;

	spool_dir_names(ahead->dir, SPOOL_READY, remove_unowned, NULL);
	while ((lacking = wait_for_need(ahead)) > 0) {
		while (lacking > 0 && make_one(ahead))
			lacking--;
		if (lacking > 0)
			pause_a_while(ahead);
	}
	return NULL;
}

/* --- taking --- */

int spool_ahead_take(struct spool_ahead *ahead, char name[SPOOL_PATH_SIZE])
{
	struct ready file = { .fd = -1 };

	pthread_mutex_lock(&ahead->lock);
	ahead->is_wanted = true;
	if (ahead->count > 0)
		file = ahead->ready[--ahead->count];
	if (ahead->count <= LOW)
		pthread_cond_signal(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	if (file.fd >= 0)
		name_of(file.number, name);
	return file.fd;
}

/* --- life --- */

struct spool_ahead *spool_ahead_start(struct spool_dir *dir, struct error *err)
{
	struct spool_ahead *ahead = calloc(1, sizeof *ahead);

	if (!ahead) {
		error_set(err, ERROR_INTERNAL, "No memory for the spool.");
		return NULL;
	}
	ahead->dir = dir;
	pthread_mutex_init(&ahead->lock, NULL);
	cond_init(&ahead->changed);
	if (pthread_create(&ahead->thread, NULL, ahead_thread, ahead) == 0) {
		ahead->is_started = true;
		spool_dir_set_ahead(dir, ahead);
		return ahead;
	}
	error_set(err, ERROR_INTERNAL, "Files cannot be made ahead in the spool.");
	spool_ahead_free(ahead);
	return NULL;
}

void spool_ahead_stop(struct spool_ahead *ahead)
{
	if (!ahead || !ahead->is_started)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->is_stopping = true;
	pthread_cond_signal(&ahead->changed);
	while (ahead->count > 0)
		discard(ahead, &ahead->ready[--ahead->count]);
	pthread_mutex_unlock(&ahead->lock);
	pthread_join(ahead->thread, NULL);
	ahead->is_started = false;
}

void spool_ahead_free(struct spool_ahead *ahead)
{
	if (!ahead)
		return;
	spool_ahead_stop(ahead);
	spool_dir_set_ahead(ahead->dir, NULL);
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}
