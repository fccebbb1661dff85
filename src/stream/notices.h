/*
 * notices: what the kernel tells of the spool folder, over one inotify descriptor: that somebody
 * asks a run to stop (an empty file stop/<run>), and that a file that is watched has changed. On
 * the loop's thread.
 */
#ifndef STREAM_NOTICES_H
#define STREAM_NOTICES_H

#include "base/error.h"
#include "base/loop.h"

struct notices;

/* One file that is watched. Embed it; zeroed but for `changed`. */
struct notice {
	int number;                             /* the kernel's; 0: not watched */
	void (*changed)(struct notice *notice); /* must not forget any */
};

/* `stop` is called for every wish: the run may be anybody's. */
struct notices *notices_open(struct loop *loop, const char *folder,
			     void (*stop)(void *ctx, const char *run_id), void *ctx,
			     struct error *err);
void notices_close(struct notices *notices); /* NULL is fine */

/* Asks whoever owns it, this engine too. */
void notices_ask_stop(const struct notices *notices, const char *run_id);
/* Is a stop wished for? The wish is taken. */
bool notices_take_stop(const struct notices *notices, const char *run_id);

/* false: it cannot be watched; look now and then. */
bool notices_watch(struct notices *notices, struct notice *notice, const char *run_id);
void notices_forget(struct notices *notices, struct notice *notice); /* not watched is fine */

#endif
