/*
 * spool_adopt: answers whose worker died. The kernel has dropped its lock, so whoever gets the lock
 * owns the file; a file that is saved, or whose lock is held, is left alone.
 */
#include "base/log.h"
#include "base/utf8.h"
#include "spool_dir.h"
#include "spool_file.h"
#include "spool_name.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define TAIL 4096

/* --- after a power loss: the size may cover bytes that never came to the disk --- */

/* The length without NULs at the end: blocks that were given to the file but never written. */
static int64_t without_holes(const struct spool *spool, int64_t length)
{
	char tail[TAIL];

	while (length > 0) {
		int64_t from = length > TAIL ? length - TAIL : 0;
		int64_t n = spool_read(spool, from, tail, (size_t)(length - from));

		if (n <= 0)
			return from;
		while (n > 0 && tail[n - 1] == '\0')
			n--;
		if (n > 0)
			return from + n;
		length = from;
	}
	return 0;
}

/* True: something of it was missing. */
static bool cut_tail(struct spool *spool)
{
	const struct spool_record *record = spool_record(spool);
	char tail[4];
	int64_t length = without_holes(spool, spool_file_present(spool));
	int64_t from = length > 4 ? length - 4 : 0;
	int64_t n = spool_read(spool, from, tail, (size_t)(length - from));

	if (n > 0)
		length -= (int64_t)utf8_partial_tail((struct slice){ tail, (size_t)n });
	if (length < record->length)
		log_warn("spool file cut to what is on the disk", LOG_T("run", record->run_id),
			 LOG_I("bytes", length));
	if (length == record->length)
		return false;
	spool_file_set_length(spool, length);
	return true;
}

/* --- adopting --- */

static struct spool *refuse(struct spool *spool, enum error_code code, const char *why,
			    struct error *err)
{
	error_set(err, code, "%s", why);
	spool_unref(spool);
	return NULL;
}

static struct spool *open_live(struct spool_dir *dir, const char *run_id, struct error *err)
{
	struct spool *spool = NULL;
	int fd = -1;

	errno = ENOENT;
	if (spool_name_is_run(run_id))
		fd = openat(spool_dir_fd(dir), run_id, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && (spool = spool_file_wrap(fd, spool_dir_used(dir), spool_dir_tails(dir))))
		return spool;
	if (fd >= 0)
		close(fd);
	else if (errno == ENOENT)
		return refuse(NULL, ERROR_NOT_FOUND, "There is no such run.", err);
	return refuse(NULL, ERROR_OVERLOADED, "The kept answer cannot be read now; try again.",
		      err);
}

/* Locked, sound and not saved. */
static struct spool *take_over(struct spool_dir *dir, const char *run_id, struct error *err)
{
	struct spool *spool = open_live(dir, run_id, err);

	if (!spool)
		return NULL;
	if (!spool_file_lock(spool))
		return errno == EAGAIN || errno == EACCES
			       ? refuse(spool, ERROR_RUN_ACTIVE, "Its worker lives.", err)
			       : refuse(spool, ERROR_OVERLOADED, "No lock can be had now.", err);
	if (!spool_refresh(spool, err))
		return refuse(spool, ERROR_CORRUPT, "The kept answer is damaged.", err);
	if (!spool_record(spool)->saved)
		return spool;
	spool_mark_saved(dir, spool, NULL); /* its worker died before it had moved the file */
	return refuse(spool, ERROR_NOT_FOUND, "It is saved.", err);
}

struct spool *spool_adopt(struct spool_dir *dir, const char *run_id, int64_t now_ms,
			  struct error *err)
{
	struct spool *spool = take_over(dir, run_id, err);
	const struct spool_record *record;
	bool is_cut;

	if (!spool)
		return NULL;
	record = spool_record(spool);
	if (record->status == STATUS_STREAMING)
		spool_file_take_tail(spool); /* or it is read from where it is, and again written */
	is_cut = cut_tail(spool);
	if (record->status == STATUS_STREAMING || is_cut) {
		const struct spool_ending cut = { .status = STATUS_INTERRUPTED,
						  .usage = USAGE_UNKNOWN,
						  .asked = record->asked,
						  .now_ms = now_ms };
		spool_end(spool, &cut, NULL);
	}
	log_notice("answer of a dead worker taken over", LOG_T("run", record->run_id),
		   LOG_I("bytes", record->length));
	return spool;
}
