/*
 * progress: how far long work is, on stderr: one line that is written over on a terminal, else a
 * line each five seconds; and the wish to end it (SIGINT, SIGTERM, SIGHUP), which is obeyed at the
 * next safe place. A second signal ends the process at once, as it would have without this.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "admin/watch.h"
#include <pthread.h>
#include <stdbool.h>

struct progress {
	struct watch watch; /* what the work gets */
	bool quiet, json, tty;
	int64_t (*clock)(void); /* clock_mono_ms, but for tests */
	pthread_mutex_t lock;
	const char *doing;         /* what was told of last */
	int64_t began_ms, told_ms; /* monotonic, of that */
	int64_t first;             /* done when it began */
	size_t shown;              /* columns of the line on the terminal */
};

/* From --quiet and --json; json: lines are JSON objects. One a process. */
void progress_open(struct progress *progress, bool quiet, bool json);
/* The terminal's line goes: something else is to be said. */
void progress_clear(struct progress *progress);
void progress_close(struct progress *progress); /* the terminal's line is done with */
bool progress_was_stopped(void);

#endif
