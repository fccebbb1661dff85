/*
 * spool_unnamed: an answer that is no longer kept, as a file like those that are, for as long as
 * somebody reads it.
 *
 * That costs whoever asks for it nothing, as often as they like, and who reads slowly keeps the
 * file for long. So what large ones hold at once has a cap: of each worker a part of
 * C1D_SPOOL_MAX, with which the largest pool holds that much again.
 */
#include "base/log.h"
#include "spool_dir.h"
#include "spool_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SMALL        (64 << 10) /* most answers; the number of readers bounds them */
#define PARTS_OF_CAP 64         /* as many as a pool may have workers */

/* O_TMPFILE, or on a file system without it a name that is gone at once. */
static int open_unnamed(const char *path)
{
	char name[4096];
	int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (snprintf(name, sizeof name, "%s/.replay-XXXXXX", path) >= (int)sizeof name)
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static bool fill(struct spool *spool, const struct spool_record *record, struct slice text)
{
	const struct spool_ending ending = { .status = record->status,
					     .finish_reason = record->finish_reason,
					     .error_word = record->error_word,
					     .usage = record->usage,
					     .asked = true,
					     .now_ms = record->ended_ms };

	return spool_file_begin(spool, record) && spool_append(spool, text, NULL) &&
	       spool_end(spool, &ending, NULL) && spool_file_mark_saved(spool, NULL);
}

/* -1 with errno. */
static int open_with_room(const char *path, int64_t reserve)
{
	int fd = open_unnamed(path);

	if (fd < 0 || spool_disk_has_room(fd, reserve))
		return fd;
	close(fd);
	errno = ENOSPC;
	return -1;
}

/* Of this process. One may be larger than the cap. */
static bool hold(_Atomic int64_t *held, int64_t bytes, int64_t cap)
{
	int64_t others = atomic_fetch_add(held, bytes);

	if (others == 0 || others + bytes <= cap)
		return true;
	atomic_fetch_sub(held, bytes);
	return false;
}

static void refuse(const char *detail, struct error *err)
{
	error_set(err, ERROR_SPOOL, "%s", detail);
	if (err)
		err->retry_after_s = 1;
}

static struct spool *make(const char *path, int64_t reserve, const struct spool_record *record,
			  struct slice text)
{
	int fd = open_with_room(path, reserve);
	struct spool *spool = fd >= 0 ? spool_file_wrap(fd, NULL, NULL) : NULL;

	if (spool && fill(spool, record, text))
		return spool;
	log_error("no file for a replay", LOG_T("reason", strerror(errno)));
	if (spool)
		spool_unref(spool);
	else if (fd >= 0)
		close(fd);
	return NULL;
}

struct spool *spool_unnamed(const char *path, const struct spool_limits *limits,
			    const struct spool_record *record, struct slice text, struct error *err)
{
	static _Atomic int64_t held;
	int64_t bytes = text.len > SMALL ? (int64_t)text.len : 0;
	struct spool *spool;

	if (bytes > 0 && !hold(&held, bytes, limits->total / PARTS_OF_CAP)) {
		refuse("Too many long answers are being read again; try again in a moment.", err);
		return NULL;
	}
	if ((spool = make(path, limits->reserve, record, text))) {
		spool_file_holds(spool, &held, bytes);
		return spool;
	}
	atomic_fetch_sub(&held, bytes);
	refuse("The kept answer cannot be sent now; try again.", err);
	return NULL;
}
