/*
 * spool_adopt: answers whose worker died. The kernel has dropped its lock, so whoever gets the lock
 * owns the file; a file that is saved, or whose lock is held, is left alone.
 */
#include "spool_file.h"

#include "base/log.h"
#include "base/utf8.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL 4096

/* --- after a power loss: the header may know of bytes that never came to the disk --- */

static int64_t bytes_there(const struct spool *spool)
{
	struct stat is;
	int64_t there = fstat(spool->fd, &is) == 0 ? (int64_t)is.st_size - SPOOL_HEADER : 0;

	if (there < 0)
		there = 0;
	return there < spool->record.length ? there : spool->record.length;
}

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

static void cut_tail(struct spool *spool)
{
	char tail[4];
	int64_t length, from, n;

	spool->record.length = bytes_there(spool);
	length = without_holes(spool, spool->record.length);
	from = length > 4 ? length - 4 : 0;
	n = spool_read(spool, from, tail, (size_t)(length - from));
	if (n > 0)
		length -= (int64_t)utf8_partial_tail((struct slice){ tail, (size_t)n });
	if (length < spool->record.length)
		log_warn("spool file cut to what is on the disk",
			 LOG_T("run", spool->record.run_id), LOG_I("bytes", length));
	spool->record.length = length;
}

/* --- adopting --- */

struct adoption {
	int64_t now_ms;
	void (*adopt)(void *ctx, struct spool *spool);
	void *ctx;
};

/* Locked, sound and not saved: NULL when it is not all of that. */
static struct spool *take_over(struct spool_dir *dir, const char *name)
{
	int fd = openat(spool_dir_fd(dir), name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct spool *spool;

	if (fd < 0)
		return NULL;
	spool = spool_file_lock(fd, SPOOL_LOCK_OWNER, F_WRLCK) ? spool_file_wrap(fd, NULL) : NULL;
	if (!spool) {
		close(fd);
		return NULL;
	}
	if (spool_refresh(spool, NULL) && !spool->record.saved)
		return spool;
	spool_unref(spool);
	return NULL;
}

struct spool *spool_adopt(struct spool_dir *dir, const char *run_id, int64_t now_ms)
{
	struct spool *spool = take_over(dir, run_id);

	if (!spool)
		return NULL;
	if (spool->record.status == STATUS_STREAMING) {
		cut_tail(spool);
		spool_end(spool, STATUS_INTERRUPTED, "", "", "", now_ms, NULL);
	}
	log_notice("answer of a dead worker taken over", LOG_T("run", spool->record.run_id),
		   LOG_I("bytes", spool->record.length));
	return spool;
}

static void adopt_one(struct spool_dir *dir, const char *name, void *arg)
{
	const struct adoption *adoption = arg;
	struct spool *spool = spool_adopt(dir, name, adoption->now_ms);

	if (spool)
		adoption->adopt(adoption->ctx, spool);
}

void spool_adopt_each(struct spool_dir *dir, int64_t now_ms,
		      void (*adopt)(void *ctx, struct spool *spool), void *ctx)
{
	struct adoption adoption = { now_ms, adopt, ctx };

	spool_dir_names(dir, adopt_one, &adoption);
}
