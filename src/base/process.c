/* process: /proc/self/stat and /proc/self/fd (proc(5)), by descriptors that stay open. */
#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int stat_fd = -1;
static DIR *fds;

void process_open(void)
{
	if (stat_fd >= 0)
		close(stat_fd);
	if (fds)
		closedir(fds);
	stat_fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	fds = opendir("/proc/self/fd");
}

/* Since Linux 6.2 the folder's size is their number; before, they are counted. */
static int64_t count_fds(void)
{
	struct stat is;
	int64_t n = 0;

	if (!fds)
		return 0;
	if (fstat(dirfd(fds), &is) == 0 && is.st_size > 0)
		return is.st_size;
	rewinddir(fds);
	while (readdir(fds))
		n++;
	return n > 2 ? n - 2 : 0; /* "." and ".." */
}

void process_tell(struct shm_slot *slot, bool children)
{
	unsigned long user, kernel, ended_user, ended_kernel;
	long threads, pages, ticks = sysconf(_SC_CLK_TCK);
	char line[1024];
	const char *rest;
	ssize_t n = pread(stat_fd, line, sizeof line - 1, 0);

	if (n <= 0)
		return;
	line[n] = '\0';
	rest = strrchr(line, ')'); /* behind the name, which may hold anything */
	if (!rest ||
	    sscanf(rest + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu %*d %*d %ld "
		   "%*d %*u %*u %ld",
		   &user, &kernel, &ended_user, &ended_kernel, &threads, &pages) != 6)
		return;
	if (children) {
		user += ended_user;
		kernel += ended_kernel;
	}
	atomic_store(&slot->cpu_ms, (int64_t)(user + kernel) * 1000 / (ticks > 0 ? ticks : 100));
	atomic_store(&slot->resident_bytes, pages * sysconf(_SC_PAGESIZE));
	atomic_store(&slot->threads, threads);
	atomic_store(&slot->open_fds, count_fds());
}
