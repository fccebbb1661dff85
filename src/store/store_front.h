/*
 * store_front: what the two halves of the front know of each other: store.c, which opens stores and
 * keeps their marks, and store_calls.c, through which every call goes.
 */
#ifndef STORE_FRONT_H
#define STORE_FRONT_H

#include "store_gate.h"
#include "store_mark.h"
#include "store_ops.h"

/* A store as its callers hold it: one of the doors to the same core. */
struct store {
	struct store_core *core;
	struct gate gate;
};

struct store_core {
	const struct store_ops *ops;
	void *self; /* the ops' */
	struct mark mark;
	struct store requests, savers;
	struct gate long_calls; /* of requests, before their own door: searches, large messages */
};

/* --- store_calls.c --- */
enum store_subject { THREAD, MESSAGE, RUN };

/* A code in words for clients, which stand here alone. Returns false. */
bool store_say(struct error *err, enum error_code code, enum store_subject subject);
void store_count(enum error_code code); /* into the metrics */

#endif
