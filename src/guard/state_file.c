/* state_file: see state_file.h. */
#include "state_file.h"

#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_MS 5000
#define TRY_MS  10

int state_file_lock(int folder)
{
	const struct timespec pause = { .tv_nsec = TRY_MS * 1000000 };
	int64_t until_ms = clock_mono_ms() + LOCK_MS;

	while (flock(folder, LOCK_EX | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_mono_ms() >= until_ms)
			return errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* A worker of root that is fenced in may not, and need not where the folder is root's. */
static int give_away(int folder, int fd)
{
	struct stat whose, is;

	if (geteuid() != 0)
		return 0;
	if (fstat(folder, &whose) != 0 || fstat(fd, &is) != 0)
		return errno;
	return whose.st_uid == is.st_uid || fchown(fd, whose.st_uid, whose.st_gid) == 0 ? 0 : errno;
}

static int write_all(int fd, struct slice text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno != EINTR)
			return errno;
		text = slice_skip(text, n > 0 ? (size_t)n : 0);
	}
	return fsync(fd) == 0 ? 0 : errno;
}

int state_file_replace(int folder, const char *name, const char *beside, struct slice text)
{
	int fd, reason;

	/* A dead writer's half, or what somebody has planted for root to write into. */
	unlinkat(folder, beside, 0);
	fd = openat(folder, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	if ((reason = give_away(folder, fd)) == 0)
		reason = write_all(fd, text);
	close(fd);
	if (reason == 0 && renameat(folder, beside, folder, name) != 0)
		reason = errno;
	if (reason != 0)
		unlinkat(folder, beside, 0);
	else if (fsync(folder) != 0)
		reason = errno;
	return reason;
}
