/*
 * unattended: what becomes of a run that no client of this worker reads: it goes on, since its
 * reader may come back, or is stopped, as its request said (enum leave_policy); but one user may
 * not have any number of them running, for each costs money. On the loop's thread.
 */
#ifndef STREAM_UNATTENDED_H
#define STREAM_UNATTENDED_H

#include "base/loop.h"
#include "config/config.h"
#include "stream/board.h"
#include "stream/stream.h"

/* Zeroed but for the first part, which is its owner's. */
struct unattended {
	struct loop *loop;
	const struct config *config;
	const struct board *board;
	const char *run_id, *user_key; /* hash of whom limits count */
	enum leave_policy leave;
	int64_t grace_ms;
	void (*deserted)(void *ctx);                     /* nobody may come back any more */
	void (*ask_stop)(void *ctx, const char *run_id); /* of any run of this node */
	void *ctx;

	int64_t since_ms;
	struct loop_timer timer;
};

/* The last reader here has left; `deserted` may come from inside it. */
void unattended_begin(struct unattended *run);
/* Somebody reads it, or it is over; may be said at any time. */
void unattended_end(struct unattended *run);

#endif
