/*
 * spool_dir: the folder of answers in flight: makes files so that whoever sees one sees it locked,
 * finds, counts and removes them, and refuses new ones while there is room left for those under
 * way.
 */
#include "spool_file.h"

#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define LEFTOVER_S 900 /* longer than any run lives */

struct spool_dir {
	int fd;
	struct spool_limits limits;
	_Atomic int64_t used; /* bytes of the folder: counted at each sweep, added to at each append
				 between */
};

int spool_dir_fd(const struct spool_dir *dir)
{
	return dir->fd;
}

static bool open_folder(struct spool_dir *dir, const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return false;
	dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0)
		return false;
	if (mkdirat(dir->fd, "stop", 0700) != 0 && errno != EEXIST)
		return false;
	return faccessat(dir->fd, ".", W_OK | X_OK, 0) == 0;
}

struct spool_dir *spool_dir_open(const char *path, const struct spool_limits *limits,
				 struct error *err)
{
	struct spool_dir *dir = calloc(1, sizeof *dir);
	int reason;

	if (!dir) {
		error_set(err, ERROR_INTERNAL, "No memory for the spool.");
		return NULL;
	}
	dir->fd = -1;
	dir->limits = *limits;
	if (!open_folder(dir, path)) {
		reason = errno;
		log_error("spool folder unusable", LOG_T("path", path),
			  LOG_T("reason", strerror(reason)));
		error_set(err, error_of_errno(reason),
			  "The spool folder cannot be used; see the log.");
		spool_dir_free(dir);
		return NULL;
	}
	return dir;
}

void spool_dir_free(struct spool_dir *dir)
{
	if (!dir)
		return;
	if (dir->fd >= 0)
		close(dir->fd);
	free(dir);
}

static bool has_room(struct spool_dir *dir, struct error *err)
{
	struct statvfs disk;

	if (fstatvfs(dir->fd, &disk) != 0 ||
	    (int64_t)disk.f_bavail * (int64_t)disk.f_frsize < dir->limits.reserve)
		return error_set(err, ERROR_SPOOL,
				 "The server's disk is nearly full; no new answers for now.");
	if (atomic_load(&dir->used) > dir->limits.total)
		return error_set(err, ERROR_SPOOL,
				 "Too many answers are waiting to be saved; try again later.");
	return true;
}

/* Under its temporary name: locked and with its header. -1 with errno. */
static int make_hidden(struct spool_dir *dir, const char *hidden, struct spool **out)
{
	int fd = openat(dir->fd, hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	if (!(*out = spool_file_wrap(fd, &dir->used))) {
		close(fd);
		unlinkat(dir->fd, hidden, 0);
		return -1;
	}
	return fd;
}

struct spool *spool_create(struct spool_dir *dir, const struct spool_record *record,
			   struct error *err)
{
	char hidden[ID_MAX + 8];
	struct spool *spool = NULL;
	int reason;

	if (!has_room(dir, err))
		return NULL;
	snprintf(hidden, sizeof hidden, ".%s", record->run_id);
	if (make_hidden(dir, hidden, &spool) < 0)
		goto fail;
	spool->record = *record;
	spool->record.status = STATUS_STREAMING;
	spool->record.length = 0;
	if (!spool_file_lock(spool->fd, SPOOL_LOCK_OWNER, F_WRLCK) ||
	    !spool_file_write_header(spool) ||
	    renameat2(dir->fd, hidden, dir->fd, record->run_id, RENAME_NOREPLACE) != 0)
		goto fail_made;
	atomic_fetch_add(&dir->used, SPOOL_HEADER);
	return spool;
fail_made:
	reason = errno;
	unlinkat(dir->fd, hidden, 0);
	spool_unref(spool);
	errno = reason;
fail:
	if (errno == EEXIST) {
		error_set(err, ERROR_CONFLICT, "This run exists already.");
		return NULL;
	}
	log_error("spool file not made", LOG_T("run", record->run_id),
		  LOG_T("reason", strerror(errno)));
	error_set(err, ERROR_SPOOL, "The server cannot keep new answers for now.");
	return NULL;
}

/* What else lies in the folder is none. */
static bool is_run_name(const char *name)
{
	return id_valid(slice_of(name)) && strcmp(name, "stop") != 0;
}

/* Only a file that is not there says that there is no such run. Whatever else an open may meet (no
 * descriptors, a failing disk) says nothing about it: taking that for "gone" would end answers that
 * live. */
static bool open_failed(const char *run_id, int reason, struct error *err)
{
	if (reason == ENOENT)
		return error_set(err, ERROR_NOT_FOUND, "There is no such run.");
	log_error("spool file not opened", LOG_T("run", run_id), LOG_T("reason", strerror(reason)));
	error_set(err, ERROR_OVERLOADED, "The kept answer cannot be read now; try again.");
	if (err)
		err->retry_after_s = 1;
	return false;
}

struct spool *spool_open(struct spool_dir *dir, const char *run_id, struct error *err)
{
	struct spool *spool;
	int fd = -1;

	errno = ENOENT;
	if (is_run_name(run_id))
		fd = openat(dir->fd, run_id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		open_failed(run_id, errno, err);
		return NULL;
	}
	if (!(spool = spool_file_wrap(fd, NULL))) {
		close(fd);
		error_set(err, ERROR_OVERLOADED, "No memory.");
		return NULL;
	}
	if (!spool_refresh(spool, err)) {
		spool_unref(spool);
		return NULL;
	}
	return spool;
}

bool spool_ask_stop(struct spool_dir *dir, const char *id, struct error *err)
{
	char name[ID_MAX + 8];
	int fd;

	snprintf(name, sizeof name, "stop/%s", id);
	fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, ERROR_SPOOL,
				 "The running answer could not be stopped; try again.");
	close(fd);
	return true;
}

void spool_remove(struct spool_dir *dir, const char *run_id)
{
	struct stat file;

	if (fstatat(dir->fd, run_id, &file, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (unlinkat(dir->fd, run_id, 0) == 0)
		atomic_fetch_sub(&dir->used, file.st_size);
}

/* Bytes of a file that stays; 0 for one that was removed or is none of ours. */
static int64_t sweep_one(struct spool_dir *dir, const char *name, int64_t ended_before_ms)
{
	struct spool *spool = spool_open(dir, name, NULL);
	const struct spool_record *record;
	int64_t bytes;

	if (!spool)
		return 0;
	record = spool_record(spool);
	bytes = SPOOL_HEADER + record->length;
	if (record->saved && record->ended_ms < ended_before_ms && unlinkat(dir->fd, name, 0) == 0)
		bytes = 0;
	spool_unref(spool);
	return bytes;
}

void spool_dir_names(struct spool_dir *dir, void (*visit)(struct spool_dir *, const char *, void *),
		     void *ctx)
{
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)))
		if (is_run_name(entry->d_name))
			visit(dir, entry->d_name, ctx);
	closedir(folder);
}

struct visitor {
	void (*visit)(void *ctx, const struct spool_record *record);
	void *ctx;
};

static void visit_one(struct spool_dir *dir, const char *name, void *arg)
{
	const struct visitor *visitor = arg;
	struct spool *spool = spool_open(dir, name, NULL);

	if (spool)
		visitor->visit(visitor->ctx, spool_record(spool));
	spool_unref(spool);
}

void spool_each(struct spool_dir *dir, void (*visit)(void *ctx, const struct spool_record *record),
		void *ctx)
{
	struct visitor visitor = { visit, ctx };

	spool_dir_names(dir, visit_one, &visitor);
}

struct sweep {
	int64_t ended_before_ms, used;
	size_t stay;
};

static void sweep_name(struct spool_dir *dir, const char *name, void *arg)
{
	struct sweep *sweep = arg;
	int64_t bytes = sweep_one(dir, name, sweep->ended_before_ms);

	sweep->used += bytes;
	sweep->stay += bytes > 0;
}

/* A file that was made but never got its name, or a wish to stop a run that is over: both only
 * after a crash. */
static void sweep_leftovers(struct spool_dir *dir, const char *folder, bool hidden)
{
	int fd = openat(dir->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	time_t old = time(NULL) - LEFTOVER_S;
	struct dirent *entry;
	struct stat is;

	if (!list && fd >= 0)
		close(fd);
	while (list && (entry = readdir(list))) {
		const char *name = entry->d_name;

		if ((name[0] == '.') == hidden && id_valid(slice_of(name + hidden)) &&
		    fstatat(fd, name, &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(is.st_mode) &&
		    is.st_mtime < old)
			unlinkat(fd, name, 0);
	}
	if (list)
		closedir(list);
}

size_t spool_sweep(struct spool_dir *dir, int64_t ended_before_ms)
{
	struct sweep sweep = { .ended_before_ms = ended_before_ms };

	spool_dir_names(dir, sweep_name, &sweep);
	sweep_leftovers(dir, ".", true);
	sweep_leftovers(dir, "stop", false);
	atomic_store(&dir->used, sweep.used);
	return sweep.stay;
}
