/*
 * stops: how anybody ends a run of this worker: an empty file stop/<run> in the spool folder. Every
 * engine watches that one folder; the owner of the run takes the file away and ends it as
 * `stopped`.
 */
#include "engine_room.h"

#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

static void obey(struct engine *engine, const char *id)
{
	struct run *run = engine_find_run(engine, id);

	if (!run)
		return; /* another worker's */
	unlinkat(engine->stop_folder, id, 0);
	run_finish(run, STATUS_STOPPED, "", "");
}

/* The kernel's queue ran over: whatever lies in the folder counts. */
static void obey_all(struct engine *engine)
{
	int fd = openat(engine->stop_folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)))
		obey(engine, entry->d_name);
	closedir(folder);
}

static void on_stop_file(struct loop_watch *watch, uint32_t ready)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct engine *engine = watch->owner;
	ssize_t n;

	(void)ready;
	while ((n = read(watch->fd, events, sizeof events)) > 0) {
		for (char *at = events; at < events + n;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(void *)at;

			if (event->mask & IN_Q_OVERFLOW)
				obey_all(engine);
			else if (event->len > 0)
				obey(engine, event->name);
			at += sizeof *event + event->len;
		}
	}
}

bool stops_open(struct engine *engine, struct error *err)
{
	struct loop_watch *watch = &engine->stop_watch;
	char path[4096];

	*watch = (struct loop_watch){ .fd = -1, .ready = on_stop_file, .owner = engine };
	if (snprintf(path, sizeof path, "%s/stop", engine->config->spool_path) >= (int)sizeof path)
		return error_set(err, ERROR_CONFIG, "The path of the spool folder is too long.");
	engine->stop_folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	engine->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (engine->stop_folder >= 0 && engine->inotify >= 0 &&
	    inotify_add_watch(engine->inotify, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) >= 0 &&
	    loop_watch(engine->loop, watch, engine->inotify, EPOLLIN))
		return true;
	log_error("stop folder not watched", LOG_T("path", path), LOG_T("reason", strerror(errno)));
	return error_set(err, ERROR_CONFIG, "The spool folder cannot be watched; see the log.");
}

void stops_close(struct engine *engine)
{
	if (engine->inotify >= 0)
		close(engine->inotify);
	if (engine->stop_folder >= 0)
		close(engine->stop_folder);
}
