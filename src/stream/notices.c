/*
 * notices: what the kernel tells the engine of the spool folder, over one inotify descriptor: that
 * somebody asks a run to stop (an empty file stop/<run>; every engine watches that one folder, the
 * owner obeys), and that a run of another worker, which clients of ours follow, has grown.
 */
#include "engine_room.h"

#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

bool notices_stop_asked(const struct engine *engine, const char *id)
{
	return unlinkat(engine->stop_folder, id, 0) == 0;
}

void notices_ask_stop(const struct engine *engine, const char *id)
{
	int fd = openat(engine->stop_folder, id, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

static void obey(struct engine *engine, const char *id)
{
	struct run *run = engine_find_run(engine, id);

	if (!run || run->is_view)
		return; /* another worker's */
	unlinkat(engine->stop_folder, id, 0);
	run_finish(run, STATUS_STOPPED, NULL);
}

/* The kernel's queue ran over: whatever lies in the folder counts, and every file may have grown.
 */
static void read_all_again(struct engine *engine)
{
	int fd = openat(engine->stop_folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!folder && fd >= 0)
		close(fd);
	while (folder && (entry = readdir(folder)))
		obey(engine, entry->d_name);
	if (folder)
		closedir(folder);
	for (struct run *run = engine->runs; run; run = run->next)
		view_look(run);
}

static void on_event(struct engine *engine, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		read_all_again(engine);
	} else if (event->wd == engine->stop_notice) {
		if (event->len > 0)
			obey(engine, event->name);
	} else {
		for (struct run *run = engine->runs; run; run = run->next)
			if (run->is_view && run->notice == event->wd)
				view_look(run);
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

static bool path_of(const struct engine *engine, const char *name, char *out, size_t size)
{
	return snprintf(out, size, "%s/%s", engine->config->spool_path, name) < (int)size;
}

bool notices_open(struct engine *engine, struct error *err)
{
	struct loop_watch *watch = &engine->notices;
	char path[4096];
	int reason;

	*watch = (struct loop_watch){ .fd = -1, .ready = on_readable, .owner = engine };
	if (!path_of(engine, "stop", path, sizeof path))
		return error_set(err, ERROR_CONFIG, "The path of the spool folder is too long.");
	engine->stop_folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (engine->stop_folder >= 0)
		engine->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (engine->inotify >= 0)
		engine->stop_notice = inotify_add_watch(engine->inotify, path,
							IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	if (engine->inotify >= 0 && engine->stop_notice >= 0 &&
	    loop_watch(engine->loop, watch, engine->inotify, EPOLLIN))
		return true;
	reason = errno;
	log_error("stop folder not watched", LOG_T("path", path),
		  LOG_T("reason", strerror(reason)));
	return error_set(err, error_of_errno(reason),
			 "The spool folder cannot be watched; see the log.");
}

void notices_close(struct engine *engine)
{
	if (engine->inotify >= 0)
		close(engine->inotify);
	if (engine->stop_folder >= 0)
		close(engine->stop_folder);
}

int notices_watch(struct engine *engine, const char *id)
{
	char path[4096];

	return path_of(engine, id, path, sizeof path)
		       ? inotify_add_watch(engine->inotify, path, IN_MODIFY)
		       : -1;
}

void notices_forget(struct engine *engine, int notice)
{
	if (notice >= 0)
		inotify_rm_watch(engine->inotify, notice);
}
