/*
 * watch: who does long work tells here how far it is, and asks whether to go on.
 */
#ifndef ADMIN_WATCH_H
#define ADMIN_WATCH_H

#include "base/error.h"
#include <stdint.h>

struct watch_step {
	const char *doing;   /* "copying" */
	int64_t done, whole; /* of `unit`; whole 0: nobody knows */
	const char *unit;    /* "threads"; a literal */
	int64_t messages;    /* done besides */
};

/* Both from any thread, at any time; neither waits. */
struct watch {
	void *ctx;
	void (*step)(void *ctx, const struct watch_step *step);
	/* Something that a person should know now, a sentence. */
	void (*say)(void *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
	bool (*stopped)(void *ctx); /* end, with what is done kept */
};

/* ERROR_GONE in `err` when it was stopped: the words are the watcher's to find. */
static inline bool watch_goes_on(const struct watch *watch, struct error *err)
{
	return !watch->stopped(watch->ctx) || error_set(err, ERROR_GONE, "Stopped.");
}

#endif
