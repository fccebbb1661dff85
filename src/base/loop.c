/*
 * loop: epoll and a heap of timers.
 *
 * The timers form a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): a tree in which a
 * parent is due no later than its children. It lives in the timers themselves, so that setting one
 * needs no memory and cannot fail; setting costs a comparison, taking one out O(log n) amortised.
 *
 *   root ──child──> A ──next──> B ──next──> C        link: what points here, the parent's `child`
 *                   └─child──> D ──next──> E               or the elder sibling's `next`
 */
#include "base/loop.h"

#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_A_ROUND 256
#define WAIT_MAX_MS    60000

struct loop {
	int epoll, wake;
	int64_t now_ms;
	struct loop_timer *timers; /* the heap's root: the next that is due */
	struct loop_timer *firing; /* out of the heap by their due time: a list by `next` */
	struct epoll_event events[EVENTS_A_ROUND];
	int event_count, event_at; /* of this round: fetched, and the next to deliver */
	bool stopped;
	void (*woken)(void *ctx);
	void *woken_ctx;
	void (*after_round)(void *ctx);
	void *after_round_ctx;
};

struct loop *loop_open(struct error *err)
{
	struct loop *loop = calloc(1, sizeof *loop);
	struct epoll_event wake = { .events = EPOLLIN };

	if (!loop)
		goto fail;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->epoll < 0 || loop->wake < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake) != 0)
		goto fail;
	loop->now_ms = clock_mono_ms();
	return loop;
fail:
	error_set(err, ERROR_INTERNAL, "No event loop: %s.", strerror(errno));
	loop_free(loop);
	return NULL;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->wake >= 0)
		close(loop->wake);
	free(loop);
}

/* --- watches --- */

bool loop_watch(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };
	int op = watch->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (fd < 0 || (watch->fd == fd && watch->events == events))
		return true;
	if (watch->fd >= 0 && watch->fd != fd)
		loop_forget(loop, watch);
	if (epoll_ctl(loop->epoll, op, fd, &event) != 0)
		return false;
	watch->fd = fd;
	watch->events = events;
	return true;
}

void loop_forget(struct loop *loop, struct loop_watch *watch)
{
	if (watch->fd < 0)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1;
	for (int i = loop->event_at; i < loop->event_count; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].events = 0;
}

static void deliver(struct loop *loop)
{
	for (loop->event_at = 0; loop->event_at < loop->event_count;) {
		struct epoll_event *event = &loop->events[loop->event_at++];
		struct loop_watch *watch = event->data.ptr;
		uint64_t count;

		if (event->events == 0)
			continue;
		if (watch)
			watch->ready(watch, event->events);
		else if (read(loop->wake, &count, sizeof count) > 0 && loop->woken)
			loop->woken(loop->woken_ctx);
	}
	loop->event_count = loop->event_at = 0;
}

/* --- timers --- */

/* One heap out of two: the later root becomes the other's first child. Either may be NULL. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
	struct loop_timer *parent = !b || (a && a->due_ms <= b->due_ms) ? a : b;
	struct loop_timer *child = parent == a ? b : a;

	if (!child)
		return parent;
	child->next = parent->child;
	if (child->next)
		child->next->link = &child->next;
	child->link = &parent->child;
	parent->child = child;
	return parent;
}

/* One heap out of siblings: in pairs from the eldest on, then the pairs together from the last. */
static struct loop_timer *meld_siblings(struct loop_timer *timer)
{
	struct loop_timer *pairs = NULL, *all = NULL;

	while (timer) {
		struct loop_timer *a = timer, *b = timer->next;

		timer = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct loop_timer *pair = pairs;

		pairs = pair->next;
		pair->next = NULL;
		all = meld(all, pair);
	}
	return all;
}

static void put_root(struct loop *loop, struct loop_timer *root)
{
	loop->timers = root;
	if (root)
		root->link = &loop->timers;
}

void loop_clear_timer(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer *children = timer->child;

	if (timer->due_ms == 0)
		return;
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->due_ms = 0;
	timer->child = timer->next = NULL;
	timer->link = NULL;
	put_root(loop, meld(loop->timers, meld_siblings(children)));
}

void loop_set_timer(struct loop *loop, struct loop_timer *timer, int64_t due_ms)
{
	loop_clear_timer(loop, timer);
	timer->due_ms = due_ms > 0 ? due_ms : 1;
	put_root(loop, meld(loop->timers, timer));
}

void loop_move_timer(struct loop *loop, struct loop_timer *timer, int64_t due_ms)
{
	if (due_ms)
		loop_set_timer(loop, timer, due_ms);
	else
		loop_clear_timer(loop, timer);
}

/* What is due leaves the heap before the first fires: so a timer that is set to now by what it
 * wakes waits for the next round, and descriptors have their turn between. */
static void take_due(struct loop *loop)
{
	struct loop_timer **tail = &loop->firing;

	while (*tail)
		tail = &(*tail)->next;
	while (loop->timers && loop->timers->due_ms <= loop->now_ms) {
		struct loop_timer *timer = loop->timers;
		int64_t due_ms = timer->due_ms;

		loop_clear_timer(loop, timer);
		timer->due_ms = due_ms;
		timer->link = tail;
		*tail = timer;
		tail = &timer->next;
	}
}

/* From the head each time, since a timer's owner may set or clear any other. */
static void fire_due(struct loop *loop)
{
	take_due(loop);
	while (loop->firing && !loop->stopped) {
		struct loop_timer *timer = loop->firing;

		loop_clear_timer(loop, timer);
		timer->fire(timer);
	}
}

static int wait_ms(const struct loop *loop)
{
	int64_t left_ms = loop->timers ? loop->timers->due_ms - loop->now_ms : WAIT_MAX_MS;

	if (loop->firing || left_ms < 0)
		return 0;
	return left_ms < WAIT_MAX_MS ? (int)left_ms : WAIT_MAX_MS;
}

/* --- rounds --- */

int64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

void loop_after_round(struct loop *loop, void (*hook)(void *ctx), void *ctx)
{
	loop->after_round = hook;
	loop->after_round_ctx = ctx;
}

void loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int n = epoll_wait(loop->epoll, loop->events, EVENTS_A_ROUND, wait_ms(loop));

		loop->now_ms = clock_mono_ms();
		loop->event_count = n > 0 ? n : 0;
		deliver(loop);
		fire_due(loop);
		if (loop->after_round)
			loop->after_round(loop->after_round_ctx);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void loop_wake(struct loop *loop, void (*woken)(void *ctx), void *ctx)
{
	loop->woken = woken;
	loop->woken_ctx = ctx;
}

void loop_notify(struct loop *loop)
{
	uint64_t one = 1;
	ssize_t n = write(loop->wake, &one, sizeof one);

	(void)n; /* a full counter wakes as well */
}
