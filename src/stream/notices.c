/* notices: see notices.h. */
#include "notices.h"

#include "base/log.h"
#include "base/table.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct notices {
	struct loop *loop;
	struct loop_watch watch;
	const char *folder;
	int inotify, stop_folder;
	int stop_number; /* inotify's, of the stop folder */
	struct table by_number;
	void (*stop)(void *ctx, const char *run_id);
	void *ctx;
};

bool notices_take_stop(const struct notices *notices, const char *run_id)
{
	return unlinkat(notices->stop_folder, run_id, 0) == 0;
}

void notices_ask_stop(const struct notices *notices, const char *run_id)
{
	int fd = openat(notices->stop_folder, run_id, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

/* --- events --- */

/* The kernel's queue ran over: whatever lies in the folder counts, and every file may have grown.
 */
static void read_all_again(struct notices *notices)
{
	int fd = openat(notices->stop_folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!folder && fd >= 0)
		close(fd);
	while (folder && (entry = readdir(folder)))
		notices->stop(notices->ctx, entry->d_name);
	if (folder)
		closedir(folder);
	for (size_t i = 0; i < notices->by_number.size; i++) {
		struct notice *notice = notices->by_number.items[i].what;
		if (notice)
			notice->changed(notice);
	}
}

static bool has_number(const void *notice, const void *number)
{
	return ((const struct notice *)notice)->number == *(const int *)number;
}

static void on_event(struct notices *notices, const struct inotify_event *event)
{
	struct notice *notice;

	if (event->mask & IN_Q_OVERFLOW) {
		read_all_again(notices);
	} else if (event->wd == notices->stop_number) {
		if (event->len > 0)
			notices->stop(notices->ctx, event->name);
	} else {
		notice = table_find(&notices->by_number, table_hash_number((uint64_t)event->wd),
				    has_number, &event->wd);
		if (notice)
			notice->changed(notice);
	}
}

static void on_readable(struct loop_watch *watch, uint32_t ready)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	(void)ready;
	while ((n = read(watch->fd, events, sizeof events)) > 0) {
		for (char *at = events; at < events + n;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(void *)at;

			on_event(watch->owner, event);
			at += sizeof *event + event->len;
		}
	}
}

/* --- life --- */

static bool path_of(const struct notices *notices, const char *name, char *out, size_t size)
{
	return snprintf(out, size, "%s/%s", notices->folder, name) < (int)size;
}

static bool watch_stops(struct notices *notices, struct error *err)
{
	char path[4096];
	int reason;

	if (!path_of(notices, "stop", path, sizeof path))
		return error_set(err, ERROR_CONFIG, "The path of the spool folder is too long.");
	notices->stop_folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	notices->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	notices->stop_number =
		inotify_add_watch(notices->inotify, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	if (notices->stop_folder >= 0 && notices->stop_number >= 0 &&
	    loop_watch(notices->loop, &notices->watch, notices->inotify, EPOLLIN))
		return true;
	reason = errno;
	log_error("stop folder not watched", LOG_T("path", path),
		  LOG_T("reason", strerror(reason)));
	return error_set(err, error_of_errno(reason),
			 "The spool folder cannot be watched; see the log.");
}

struct notices *notices_open(struct loop *loop, const char *folder,
			     void (*stop)(void *ctx, const char *run_id), void *ctx,
			     struct error *err)
{
	struct notices *notices = calloc(1, sizeof *notices);

	if (!notices) {
		error_set(err, ERROR_INTERNAL, "No memory for the engine.");
		return NULL;
	}
	*notices = (struct notices){ .loop = loop,
				     .folder = folder,
				     .inotify = -1,
				     .stop_folder = -1,
				     .stop = stop,
				     .ctx = ctx };
	notices->watch = (struct loop_watch){ .fd = -1, .ready = on_readable, .owner = notices };
	if (watch_stops(notices, err))
		return notices;
	notices_close(notices);
	return NULL;
}

void notices_close(struct notices *notices)
{
	if (!notices)
		return;
	loop_forget(notices->loop, &notices->watch);
	if (notices->inotify >= 0)
		close(notices->inotify);
	if (notices->stop_folder >= 0)
		close(notices->stop_folder);
	table_done(&notices->by_number);
	free(notices);
}

bool notices_watch(struct notices *notices, struct notice *notice, const char *run_id)
{
	char path[4096];
	int number = path_of(notices, run_id, path, sizeof path)
			     ? inotify_add_watch(notices->inotify, path, IN_MODIFY)
			     : -1;

	if (number < 0)
		return false;
	if (!table_add(&notices->by_number, table_hash_number((uint64_t)number), notice)) {
		inotify_rm_watch(notices->inotify, number);
		return false;
	}
	notice->number = number;
	return true;
}

void notices_forget(struct notices *notices, struct notice *notice)
{
	if (notice->number == 0)
		return;
	table_remove(&notices->by_number, table_hash_number((uint64_t)notice->number), notice);
	inotify_rm_watch(notices->inotify, notice->number);
	notice->number = 0;
}
