/*
 * spool_done: answers that are saved, and kept a while for resumes: they move out of the way of the
 * live ones, into a folder a minute, so that however many are kept nothing that looks for live ones
 * meets them, and what is old goes away folder by folder.
 */
#include "base/log.h"
#include "spool_dir.h"
#include "spool_file.h"
#include "spool_name.h"
#include "spool_tails.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEFTOVER_S 900 /* longer than a wish to stop or a half made file lives */

/* --- a live file becomes a kept one --- */

static bool move_to_done(struct spool_dir *dir, const char *run_id)
{
	char path[SPOOL_PATH_SIZE], bucket[SPOOL_PATH_SIZE];
	int fd = spool_dir_fd(dir);

	spool_name_done(run_id, path);
	if (renameat(fd, run_id, fd, path) == 0)
		return true;
	if (errno != ENOENT)
		return false;
	spool_name_bucket(run_id, bucket);
	if (mkdirat(fd, bucket, 0700) != 0 && errno != EEXIST)
		return false;
	return renameat(fd, run_id, fd, path) == 0 || errno == ENOENT; /* removed by a deletion */
}

bool spool_mark_saved(struct spool_dir *dir, struct spool *spool, struct error *err)
{
	const char *run_id = spool_record(spool)->run_id;

	if (!spool_file_mark_saved(spool, err))
		return false;
	/* Where it stays it is found as well, and the next start of the pool moves it. */
	if (!move_to_done(dir, run_id))
		log_warn("spool file not moved", LOG_T("run", run_id),
			 LOG_T("reason", strerror(errno)));
	return true;
}

/* --- what is old goes --- */

struct sweep {
	int64_t before_ms;
	size_t budget;
	const char *folder;
	size_t left; /* in this folder, that stay */
};

/* Written last when it was saved: the file's own time tells how long it is kept already. */
static bool sweep_file(struct spool_dir *dir, const char *name, void *ctx)
{
	struct sweep *sweep = ctx;
	char path[SPOOL_PATH_SIZE + 256];
	struct stat is;

	if (!spool_name_is_run(name))
		return true;
	snprintf(path, sizeof path, "%s/%s", sweep->folder, name);
	if (fstatat(spool_dir_fd(dir), path, &is, AT_SYMLINK_NOFOLLOW) != 0)
		return true;
	if ((int64_t)is.st_mtime * 1000 >= sweep->before_ms || sweep->budget == 0) {
		sweep->left++;
		return sweep->budget > 0;
	}
	if (unlinkat(spool_dir_fd(dir), path, 0) == 0) {
		sweep->budget--;
		atomic_fetch_sub(spool_dir_used(dir), (int64_t)is.st_size);
	}
	return true;
}

static bool sweep_bucket(struct spool_dir *dir, const char *name, void *ctx)
{
	struct sweep *sweep = ctx;
	int64_t end_ms = spool_name_bucket_end(name);
	char folder[SPOOL_PATH_SIZE];

	if (end_ms < 0 || end_ms > sweep->before_ms)
		return true; /* what is in it was saved later still */
	snprintf(folder, sizeof folder, SPOOL_DONE "/%.20s", name);
	sweep->folder = folder;
	sweep->left = 0;
	spool_dir_names(dir, folder, sweep_file, sweep);
	if (sweep->left == 0)
		unlinkat(spool_dir_fd(dir), folder, AT_REMOVEDIR);
	return sweep->budget > 0;
}

/* A wish to stop a run that was over by then. */
static bool sweep_wish(struct spool_dir *dir, const char *name, void *ctx)
{
	char path[SPOOL_PATH_SIZE + 256];
	struct stat is;

	(void)ctx;
	if (!spool_name_is_run(name))
		return true;
	snprintf(path, sizeof path, SPOOL_STOP "/%s", name);
	if (fstatat(spool_dir_fd(dir), path, &is, AT_SYMLINK_NOFOLLOW) == 0 &&
	    is.st_mtime < time(NULL) - LEFTOVER_S)
		unlinkat(spool_dir_fd(dir), path, 0);
	return true;
}

bool spool_sweep(struct spool_dir *dir, int64_t saved_before_ms, size_t budget)
{
	struct sweep sweep = { .before_ms = saved_before_ms, .budget = budget };

	spool_dir_names(dir, SPOOL_DONE, sweep_bucket, &sweep);
	spool_dir_names(dir, SPOOL_STOP, sweep_wish, NULL);
	return sweep.budget == 0;
}

/* --- the start of a pool --- */

struct survey {
	void (*visit)(void *ctx, const struct spool_record *record, bool is_owned);
	void *ctx;
	int64_t bytes;
	const char *folder;
	bool is_unsure;                       /* not every live file could be read */
	unsigned char tails[SPOOL_TAILS / 8]; /* that live files name: a bit each */
};

static void note_tail(struct survey *survey, const struct spool *spool)
{
	uint32_t number = spool_file_tail(spool);

	if (number > 0)
		survey->tails[(number - 1) / 8] |= (unsigned char)(1 << (number - 1) % 8);
}

static bool survey_live(struct spool_dir *dir, const char *name, void *ctx)
{
	struct survey *survey = ctx;
	struct error err = { 0 };
	struct spool *spool;
	struct stat is;

	if (name[0] == '.') { /* made by a worker that died before it was named */
		if (id_valid(slice_of(name + 1)) &&
		    fstatat(spool_dir_fd(dir), name, &is, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(is.st_mode) && is.st_mtime < time(NULL) - LEFTOVER_S)
			unlinkat(spool_dir_fd(dir), name, 0);
		return true;
	}
	if (!spool_name_is_run(name))
		return true;
	if (!(spool = spool_open(dir, name, &err))) {
		log_error("spool file not taken up", LOG_T("run", name),
			  LOG_T("reason", err.detail));
		survey->is_unsure = true;
		return true;
	}
	note_tail(survey, spool);
	survey->bytes += SPOOL_HEADER + spool_record(spool)->length;
	if (spool_record(spool)->saved)
		move_to_done(dir, name);
	else
		survey->visit(survey->ctx, spool_record(spool), spool_file_is_locked(spool));
	spool_unref(spool);
	return true;
}

static bool count_file(struct spool_dir *dir, const char *name, void *ctx)
{
	struct survey *survey = ctx;
	char path[SPOOL_PATH_SIZE + 256];
	struct stat is;

	snprintf(path, sizeof path, "%s/%s", survey->folder, name);
	if (spool_name_is_run(name) &&
	    fstatat(spool_dir_fd(dir), path, &is, AT_SYMLINK_NOFOLLOW) == 0)
		survey->bytes += (int64_t)is.st_size;
	return true;
}

static bool count_bucket(struct spool_dir *dir, const char *name, void *ctx)
{
	struct survey *survey = ctx;
	char folder[SPOOL_PATH_SIZE];

	if (spool_name_bucket_end(name) < 0)
		return true;
	snprintf(folder, sizeof folder, SPOOL_DONE "/%.20s", name);
	survey->folder = folder;
	spool_dir_names(dir, folder, count_file, survey);
	return true;
}

void spool_survey(struct spool_dir *dir,
		  void (*visit)(void *ctx, const struct spool_record *record, bool is_owned),
		  void *ctx)
{
	struct survey survey = { .visit = visit, .ctx = ctx };

	/* Kept ones first: what moves there meanwhile is counted as a live one. */
	spool_dir_names(dir, SPOOL_DONE, count_bucket, &survey);
	spool_dir_names(dir, ".", survey_live, &survey);
	atomic_store(spool_dir_used(dir), survey.bytes);
	if (!survey.is_unsure)
		spool_tails_sweep(spool_dir_tails(dir), survey.tails, time(NULL) - LEFTOVER_S);
}
