/* process: /proc/PID/stat and /proc/PID/fd (proc(5)). */
#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t count_fds(pid_t pid)
{
	char path[48];
	DIR *folder;
	int64_t n = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	if (!(folder = opendir(path)))
		return 0;
	while (readdir(folder))
		n++;
	closedir(folder);
	return n > 2 ? n - 2 : 0; /* "." and ".." */
}

bool process_use_add(pid_t pid, bool children, struct process_use *sum)
{
	unsigned long user, kernel, ended_user, ended_kernel;
	long threads, pages, ticks = sysconf(_SC_CLK_TCK);
	char path[48], line[1024];
	const char *rest;
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!(file = fopen(path, "re")))
		return false;
	n = fread(line, 1, sizeof line - 1, file);
	fclose(file);
	line[n] = '\0';
	rest = strrchr(line, ')'); /* behind the name, which may hold anything */
	if (!rest ||
	    sscanf(rest + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu %*d %*d %ld "
		   "%*d %*u %*u %ld",
		   &user, &kernel, &ended_user, &ended_kernel, &threads, &pages) != 6)
		return false;
	if (children) {
		user += ended_user;
		kernel += ended_kernel;
	}
	sum->cpu_ms += (int64_t)(user + kernel) * 1000 / (ticks > 0 ? ticks : 100);
	sum->resident_bytes += pages * sysconf(_SC_PAGESIZE);
	sum->threads += threads;
	sum->open_fds += count_fds(pid);
	return true;
}
