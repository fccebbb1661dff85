/*
 * spool_dir: the folder of answers in flight: finds files and removes them, and knows how much room
 * there is.
 */
#include "spool_dir.h"

#include "base/log.h"
#include "spool_file.h"
#include "spool_name.h"
#include "spool_tails.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct spool_dir {
	int fd;
	struct spool_limits limits;
	_Atomic int64_t *used, own_used;
	struct spool_tails *tails;
	struct spool_ahead *ahead; /* NULL: none are made ahead */
};

int spool_dir_fd(const struct spool_dir *dir)
{
	return dir->fd;
}

_Atomic int64_t *spool_dir_used(struct spool_dir *dir)
{
	return dir->used;
}

struct spool_tails *spool_dir_tails(const struct spool_dir *dir)
{
	return dir->tails;
}

const struct spool_limits *spool_dir_limits(const struct spool_dir *dir)
{
	return &dir->limits;
}

void spool_dir_set_ahead(struct spool_dir *dir, struct spool_ahead *ahead)
{
	dir->ahead = ahead;
}

struct spool_ahead *spool_dir_ahead(const struct spool_dir *dir)
{
	return dir->ahead;
}

static bool make_folder(int at, const char *path)
{
	return mkdirat(at, path, 0700) == 0 || errno == EEXIST;
}

static bool open_folder(struct spool_dir *dir, const char *path)
{
	if (!make_folder(AT_FDCWD, path))
		return false;
	dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir->fd >= 0 && make_folder(dir->fd, SPOOL_STOP) &&
	       make_folder(dir->fd, SPOOL_DONE) && make_folder(dir->fd, SPOOL_READY) &&
	       faccessat(dir->fd, ".", W_OK | X_OK, 0) == 0;
}

struct spool_dir *spool_dir_open(const char *path, const struct spool_limits *limits,
				 _Atomic int64_t *used, struct error *err)
{
	struct spool_dir *dir = calloc(1, sizeof *dir);
	int reason;

	if (!dir) {
		error_set(err, ERROR_INTERNAL, "No memory for the spool.");
		return NULL;
	}
	dir->fd = -1;
	dir->limits = *limits;
	dir->used = used ? used : &dir->own_used;
	if (!open_folder(dir, path)) {
		reason = errno;
		log_error("spool folder unusable", LOG_T("path", path),
			  LOG_T("reason", strerror(reason)));
		error_set(err, error_of_errno(reason),
			  "The spool folder cannot be used; see the log.");
		spool_dir_free(dir);
		return NULL;
	}
	dir->tails = spool_tails_open(dir->fd);
	return dir;
}

void spool_dir_free(struct spool_dir *dir)
{
	if (!dir)
		return;
	spool_tails_close(dir->tails);
	if (dir->fd >= 0)
		close(dir->fd);
	free(dir);
}

void spool_dir_names(struct spool_dir *dir, const char *folder,
		     bool (*visit)(struct spool_dir *dir, const char *name, void *ctx), void *ctx)
{
	int fd = openat(dir->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!list) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(list)) && visit(dir, entry->d_name, ctx))
		;
	closedir(list);
}

/* --- room --- */

bool spool_disk_has_room(int fd, int64_t reserve)
{
	struct statvfs disk;

	return fstatvfs(fd, &disk) == 0 &&
	       (int64_t)disk.f_bavail * (int64_t)disk.f_frsize >= reserve;
}

bool spool_is_tight(const struct spool_dir *dir)
{
	return !spool_disk_has_room(dir->fd, 2 * dir->limits.reserve) ||
	       atomic_load(dir->used) > dir->limits.total / 4 * 3;
}

/* --- finding --- */

/* Only a file that is not there says that there is no such run. Whatever else an open may meet (no
 * descriptors, a failing disk) says nothing about it: taking that for "gone" would end answers that
 * live. */
static struct spool *not_opened(const char *run_id, int reason, struct error *err)
{
	if (reason == ENOENT) {
		error_set(err, ERROR_NOT_FOUND, "There is no such run.");
		return NULL;
	}
	log_error("spool file not opened", LOG_T("run", run_id), LOG_T("reason", strerror(reason)));
	error_set(err, ERROR_OVERLOADED, "The kept answer cannot be read now; try again.");
	if (err)
		err->retry_after_s = 1;
	return NULL;
}

/* Live or kept: it only ever moves from the first place to the second, so who looks in this order
 * does not miss it. */
static int open_file(struct spool_dir *dir, const char *run_id)
{
	char path[SPOOL_PATH_SIZE];
	int fd;

	errno = ENOENT;
	if (!spool_name_is_run(run_id))
		return -1;
	fd = openat(dir->fd, run_id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	spool_name_done(run_id, path);
	return openat(dir->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

struct spool *spool_open(struct spool_dir *dir, const char *run_id, struct error *err)
{
	struct spool *spool;
	int fd = open_file(dir, run_id);

	if (fd < 0)
		return not_opened(run_id, errno, err);
	if (!(spool = spool_file_wrap(fd, NULL, dir->tails))) {
		close(fd);
		return not_opened(run_id, ENOMEM, err);
	}
	if (spool_refresh(spool, err))
		return spool;
	spool_unref(spool);
	return NULL;
}

/* --- stopping and removing --- */

bool spool_ask_stop(struct spool_dir *dir, const char *run_id, struct error *err)
{
	char name[SPOOL_PATH_SIZE];
	int fd;

	snprintf(name, sizeof name, SPOOL_STOP "/%s", run_id);
	fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, ERROR_SPOOL,
				 "The running answer could not be stopped; try again.");
	close(fd);
	return true;
}

static bool remove_at(struct spool_dir *dir, const char *path)
{
	struct stat is;

	if (fstatat(dir->fd, path, &is, AT_SYMLINK_NOFOLLOW) != 0 ||
	    unlinkat(dir->fd, path, 0) != 0)
		return false;
	atomic_fetch_sub(dir->used, (int64_t)is.st_size);
	return true;
}

void spool_remove(struct spool_dir *dir, const char *run_id)
{
	char path[SPOOL_PATH_SIZE];

	if (!spool_name_is_run(run_id))
		return;
	spool_name_done(run_id, path);
	/* It may move between the two looks, but only to where the second one is. */
	if (!remove_at(dir, run_id))
		remove_at(dir, path);
}
