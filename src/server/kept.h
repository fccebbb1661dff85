/*
 * kept: the connections of a worker that wait for a request, and the epoll that all its request
 * threads wait in. A connection that waits costs a descriptor and a place in a table, and no
 * thread: whoever is woken by its first bytes has it until he gives it back.
 *
 * The web server is the one who ends a connection; we do where it leaves one alone for very long,
 * or there are too many. What we closed while a request was on its way to us would be an error of
 * nobody's making: see request_thread.h, stop.
 */
#ifndef SERVER_KEPT_H
#define SERVER_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#define KEPT_MAX 512 /* places; the fewer descriptors there are, the fewer */

struct kept;

/* NULL: no memory or no descriptor. */
struct kept *kept_open(int places);
void kept_free(struct kept *kept); /* with those that wait; NULL is fine */

/* --- what wakes a thread --- */

/* What is no connection has a number below KEPT_OTHERS, which comes back from kept_look. */
#define KEPT_OTHERS 16
bool kept_watch(struct kept *kept, int fd, uint32_t events, uint64_t number); /* fd -1: nothing */
void kept_unwatch(struct kept *kept, int fd);

/* The next that is to be looked after; false: nothing within so long. Any thread. */
bool kept_look(struct kept *kept, int timeout_ms, uint64_t *seen);

/* --- connections --- */

/* One that is served, by one thread. */
struct connection {
	int fd;
	int place;    /* -1: it has never waited */
	bool is_used; /* it has had a request */
};

/* Whose bytes, or whose end, kept_look saw. false: another thread has it, or had. */
bool kept_claim(struct kept *kept, uint64_t seen, struct connection *out);

/* From now on none waits any more. */
void kept_shut(struct kept *kept);

enum kept_state {
	KEPT_WAITS, /* it is anybody's */
	KEPT_READY, /* something came meanwhile: it stays ours, to be looked at now */
	KEPT_FULL,  /* no room: it stays ours */
	KEPT_SHUT   /* it stays ours, to be closed */
};

/* Gives it back, to wait until then (monotonic). */
enum kept_state kept_wait(struct kept *kept, struct connection *connection, int64_t until_ms);
/* The same for one that nothing was read of, although kept_look saw it: it is seen again. */
void kept_put_back(struct kept *kept, const struct connection *connection);

/* From now on it is the caller's alone, and does not count any more. */
void kept_leave(struct kept *kept, struct connection *connection);

int kept_count(const struct kept *kept); /* those that wait, and those among them that are served */

/* Claims the one among those that wait whose time was over first. false: there is none. Any
 * thread. */
bool kept_overdue(struct kept *kept, int64_t now_ms, struct connection *out);

#endif
