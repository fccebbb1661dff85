/*
 * stub: a MongoDB that knows its answers by heart, for the bench: what a backend costs is measured,
 * not what its database does. MongoDB's wire protocol, one thread, no memory: whatever is written
 * is said to be written.
 *
 *   main.c      the listener, the loop, the messages of the protocol
 *   answers.c   what each command is answered with
 *   canned.c    the documents
 *   turns.c     how long commands lay here
 *
 * A thread whose id begins with "full" has 200 messages, all others have none. There are as many
 * threads as are asked for, up to 200.
 */
#ifndef BENCH_STUB_H
#define BENCH_STUB_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CANNED_MAX 200

/* --- canned.c --- */

/* The elements of an array: where the first n end is ends[n]. */
struct canned {
	bson_t list;
	size_t ends[CANNED_MAX + 1]; /* bytes behind the length */
};

extern struct canned canned_threads, canned_messages, canned_nothing;
void canned_make(void);
/* As found behind the change: a new one (rev 1), or one with a history. */
void canned_thread(bson_t *out, const char *id, bool is_new);

/* --- answers.c --- */

struct out {
	uint8_t *data;
	size_t len, room;
};

void out_put(struct out *out, const void *bytes, size_t len);

/* count: of the documents that came with it in a section of their own. */
void answer(const bson_t *command, int64_t count, struct out *out);

/* --- turns.c --- */

/* From now on it is written there; without it the others do nothing but receive. */
bool turns_open(const char *path);
void turns_watch(int fd); /* a new connection */
ssize_t turns_receive(int fd, void *bytes, size_t size, int64_t *arrived_ns);
void turns_answered(const uint8_t *command, size_t len, int64_t arrived_ns);
void turns_flush(void);

#endif
