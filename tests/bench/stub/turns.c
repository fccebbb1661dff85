/*
 * turns: how long each command of a chat lay here, so that a bench can take the store's time off a
 * turn's: from the moment at which the kernel had it for us (SO_TIMESTAMPNS) until its answer is
 * ready, a line
 *
 *   THREAD ARRIVED_NS ANSWERED_NS        (of the monotonic clock, as the clients read it)
 *
 * The way there and back and what the backend's driver does are not in it.
 */
#include "stub.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ID_START "bench-" /* of the threads of a client of the bench */

static FILE *file;

static int64_t clock_ns(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool turns_open(const char *path)
{
	file = fopen(path, "a");
	return file != NULL;
}

void turns_watch(int fd)
{
	const int one = 1;

	if (file)
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
}

/* The kernel stamps by the wall's clock. */
static int64_t arrival(struct msghdr *message)
{
	struct timespec stamp;

	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(at), sizeof stamp);
		return clock_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_REALTIME) +
		       (int64_t)stamp.tv_sec * 1000000000 + stamp.tv_nsec;
	}
	return clock_ns(CLOCK_MONOTONIC);
}

ssize_t turns_receive(int fd, void *bytes, size_t size, int64_t *arrived_ns)
{
	char room[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec into = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &into,
				  .msg_iovlen = 1,
				  .msg_control = room,
				  .msg_controllen = sizeof room };
	ssize_t n;

	if (!file)
		return recv(fd, bytes, size, MSG_DONTWAIT);
	n = recvmsg(fd, &message, MSG_DONTWAIT);
	if (n > 0)
		*arrived_ns = arrival(&message);
	return n;
}

void turns_answered(const uint8_t *command, size_t len, int64_t arrived_ns)
{
	const char *id = file ? memmem(command, len, ID_START, strlen(ID_START)) : NULL;

	/* A document ends with a NUL. What comes behind the id may be a message's. */
	if (id)
		fprintf(file, ID_START "%.*s %lld %lld\n",
			(int)strspn(id + strlen(ID_START), "0123456789-"), id + strlen(ID_START),
			(long long)arrived_ns, (long long)clock_ns(CLOCK_MONOTONIC));
}

void turns_flush(void)
{
	if (file)
		fflush(file);
}
