/*
 * spool_create: makes files so that whoever sees one sees it locked, and refuses new ones while
 * there is room left for those under way.
 */
#include "base/crashpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include "spool_ahead.h"
#include "spool_dir.h"
#include "spool_file.h"
#include "spool_name.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool has_room(struct spool_dir *dir, struct error *err)
{
	const struct spool_limits *limits = spool_dir_limits(dir);

	if (!spool_disk_has_room(spool_dir_fd(dir), limits->reserve))
		return error_set(err, ERROR_SPOOL,
				 "The server's disk is nearly full; no new answers for now.");
	if (atomic_load(spool_dir_used(dir)) > limits->total)
		return error_set(err, ERROR_SPOOL,
				 "Too many answers are waiting to be saved; try again later.");
	return true;
}

static struct spool *not_made(const char *run_id, int reason, struct error *err)
{
	if (reason == EEXIST) {
		error_set(err, ERROR_CONFLICT, "This run exists already.");
		return NULL;
	}
	log_error("spool file not made", LOG_T("run", run_id), LOG_T("reason", strerror(reason)));
	error_set(err, ERROR_SPOOL, "The server cannot keep new answers for now.");
	return NULL;
}

/* A new file of this name, which goes with it when it fails. NULL with errno. */
static struct spool *wrap(struct spool_dir *dir, int fd, const char *name)
{
	struct spool *spool = spool_file_wrap(fd, spool_dir_used(dir), spool_dir_tails(dir));

	if (spool)
		return spool;
	close(fd);
	unlinkat(spool_dir_fd(dir), name, 0);
	errno = ENOMEM;
	return NULL;
}

/* Gives it its header, and its run's name for the hidden one. NULL with errno: it is gone. */
static struct spool *become(struct spool_dir *dir, int new_fd, const char *hidden,
			    const struct spool_record *record)
{
	int fd = spool_dir_fd(dir), reason;
	struct spool *spool = wrap(dir, new_fd, hidden);
	bool ok;

	if (!spool)
		return NULL;
	ok = spool_file_begin(spool, record);
	CRASHPOINT("turn_unnamed");
	if (ok && renameat2(fd, hidden, fd, record->run_id, RENAME_NOREPLACE) == 0) {
		atomic_fetch_add(spool_dir_used(dir), SPOOL_HEADER);
		return spool;
	}
	reason = errno;
	unlinkat(fd, hidden, 0);
	spool_file_drop_tail(spool);
	spool_unref(spool);
	errno = reason;
	return NULL;
}

/* One that was made ahead. NULL with errno: there is none, or it was of no use. */
static struct spool *take_ready(struct spool_dir *dir, const struct spool_record *record)
{
	struct spool_ahead *ahead = spool_dir_ahead(dir);
	char name[SPOOL_PATH_SIZE];
	int fd = ahead ? spool_ahead_take(ahead, name) : -1;

	errno = ENOENT;
	return fd >= 0 ? become(dir, fd, name, record) : NULL;
}

static struct spool *make(struct spool_dir *dir, const struct spool_record *record)
{
	char hidden[SPOOL_PATH_SIZE];
	int fd;

	spool_name_hidden(record->run_id, hidden);
	fd = openat(spool_dir_fd(dir), hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd >= 0 ? become(dir, fd, hidden, record) : NULL;
}

struct spool *spool_create(struct spool_dir *dir, const struct spool_record *record,
			   struct error *err)
{
	struct spool *spool;

	if (!has_room(dir, err))
		return NULL;
	spool = take_ready(dir, record);
	if (!spool && errno != EEXIST) {
		metrics_add(M_SPOOL_LATE, 0, 0, 1);
		spool = make(dir, record);
	}
	return spool ? spool : not_made(record->run_id, errno, err);
}
