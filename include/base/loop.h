/*
 * loop: one thread's epoll. Watches and timers belong to their owner; the loop holds no memory of
 * theirs beyond loop_forget and loop_clear_timer. All calls from the loop's own thread, except
 * loop_notify.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/error.h"
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/* One descriptor of interest. Embed it; `ready` finds its owner by container_of or `owner`. */
struct loop_watch {
	int fd; /* -1: not watched */
	uint32_t events;
	void (*ready)(struct loop_watch *watch, uint32_t events);
	void *owner;
};

/* Zeroed but for `fire` and `owner`; it stays where it is while it is set. */
struct loop_timer {
	int64_t due_ms; /* monotonic; 0: not set */
	void (*fire)(struct loop_timer *timer);
	void *owner;
	struct loop_timer *child, *next, **link; /* the loop's */
};

struct loop *loop_open(struct error *err);
void loop_free(struct loop *loop);

/* Also changes; the same again costs nothing, and fd -1 is fine: there is nothing to watch. */
bool loop_watch(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
/* Forgets a watch; safe inside any callback: an event of this round that was already fetched is not
 * delivered. */
void loop_forget(struct loop *loop, struct loop_watch *watch);

/* Sets or moves; any number of them, it cannot fail. It fires once, in the first round at or after
 * due_ms, in the order of due_ms; a time that has passed is the next round's. */
void loop_set_timer(struct loop *loop, struct loop_timer *timer, int64_t due_ms);
void loop_clear_timer(struct loop *loop,
		      struct loop_timer *timer); /* one that is not set is fine */
/* One or the other: 0 is no time, and clears it. */
void loop_move_timer(struct loop *loop, struct loop_timer *timer, int64_t due_ms);

int64_t loop_now_ms(const struct loop *loop); /* monotonic, read once a round */

/* Called after each round's events, before the next wait: batching by loop turn. */
void loop_after_round(struct loop *loop, void (*hook)(void *ctx), void *ctx);

void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);
void loop_wake(struct loop *loop, void (*woken)(void *ctx),
	       void *ctx);           /* registers what runs after a wake */
void loop_notify(struct loop *loop); /* any thread: wakes the loop, which then calls `woken` */

#endif
