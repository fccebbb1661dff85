/*
 * thread: a conversation. Plain data; strings belong to the arena of whoever read or made them.
 */
#ifndef MODEL_THREAD_H
#define MODEL_THREAD_H

#include "base/slice.h"
#include <stdint.h>

#define THREAD_TITLE_MAX 80 /* code points of a title made from a first message */

/* The run that holds the thread's claim: at most one answer is written at a time. */
struct run_ref {
	const char *id, *message_id, *node; /* all NULL: no claim */
};

struct thread {
	const char *id, *user_id, *title;
	int64_t created_ms, updated_ms; /* wall */
	int64_t rev;                    /* grows with every change; the ETag */
	bool archived;
	struct run_ref run;
	const char *metadata; /* NULL or a JSON object's text */
};

struct thread_list {
	struct thread *items;
	size_t count;
	const char *next; /* cursor of the page behind this one; NULL: it is the last */
};

#endif
