/*
 * store_stub [TURNS]: MongoDB's wire protocol. Prints "ready mongodb://127.0.0.1:PORT"; ends with
 * its parent or by SIGTERM. How long the commands of chats lay here is written to the file TURNS.
 */
#include "stub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS      256
#define MESSAGE_MAX 48000000
#define HEAD_SIZE   16
enum { OP_REPLY = 1, OP_QUERY = 2004, OP_MSG = 2013 };
enum { CHECKSUM = 1, MORE_TO_COME = 2 };

struct link {
	int fd;
	uint8_t *in;
	size_t in_len, in_room;
	int64_t arrived_ns; /* what came last */
};

static struct out out; /* of one round of one connection */

static int32_t int_at(const uint8_t *bytes)
{
	int32_t number;

	memcpy(&number, bytes, 4);
	return number;
}

/* --- messages --- */

/* The length is written when it is known. */
static size_t begin_message(int32_t to, int32_t kind)
{
	const int32_t head[4] = { 0, 0, to, kind };
	size_t at = out.len;

	out_put(&out, head, sizeof head);
	return at;
}

static void end_message(size_t at)
{
	int32_t len = (int32_t)(out.len - at);

	memcpy(out.data + at, &len, 4);
}

/* The documents of a section "kind 1": size, name, documents. */
static int64_t count_documents(const uint8_t *section, int32_t size)
{
	int32_t at = 4 + (int32_t)strnlen((const char *)section + 4, (size_t)size - 4) + 1;
	int64_t count = 0;

	for (; at + 4 <= size && int_at(section + at) >= 5; at += int_at(section + at))
		count++;
	return count;
}

static bool take_msg(const uint8_t *bytes, int32_t len)
{
	int32_t flags = int_at(bytes + HEAD_SIZE), at = HEAD_SIZE + 4;
	int32_t end = flags & CHECKSUM ? len - 4 : len;
	const uint8_t *body = NULL;
	int64_t count = 0;
	bson_t command;
	size_t reply;

	while (at + 5 <= end) {
		int32_t size = int_at(bytes + at + 1);

		if (size < 5 || size > end - at - 1)
			return false;
		if (bytes[at] == 0)
			body = bytes + at + 1;
		else
			count = count_documents(bytes + at + 1, size);
		at += 1 + size;
	}
	if (!body || !bson_init_static(&command, body, (size_t)int_at(body)))
		return false;
	if (flags & MORE_TO_COME) /* nobody waits for an answer */
		return true;
	reply = begin_message(int_at(bytes + 4), OP_MSG);
	out_put(&out, "\0\0\0\0\0", 5); /* no flags, and a section of kind 0 */
	answer(&command, count, &out);
	end_message(reply);
	return true;
}

/* How drivers say hello before they know better: flags, name, skip, count, document. */
static bool take_query(const uint8_t *bytes, int32_t len)
{
	const int32_t head[5] = { 8, 0, 0, 0, 1 };
	size_t at = HEAD_SIZE + 4;
	bson_t command;
	size_t reply;

	at += strnlen((const char *)bytes + at, (size_t)len - at) + 1 + 8;
	if (at + 5 > (size_t)len ||
	    !bson_init_static(&command, bytes + at, (size_t)int_at(bytes + at)))
		return false;
	reply = begin_message(int_at(bytes + 4), OP_REPLY);
	out_put(&out, head, sizeof head);
	answer(&command, 0, &out);
	end_message(reply);
	return true;
}

/* --- connections --- */

/* Answers are awaited one by one, so a socket's buffer has room, or soon will. */
static bool send_all(int fd)
{
	size_t done = 0;

	while (done < out.len) {
		ssize_t n = send(fd, out.data + done, out.len - done, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		done += (size_t)n;
	}
	out.len = 0;
	return true;
}

static bool take_all(struct link *link)
{
	size_t at = 0;
	bool ok = true;

	while (ok && link->in_len - at >= HEAD_SIZE + 5) {
		const uint8_t *bytes = link->in + at;
		int32_t len = int_at(bytes), kind = int_at(bytes + 12);

		if (len < HEAD_SIZE + 5 || len > MESSAGE_MAX)
			return false;
		if ((size_t)len > link->in_len - at)
			break;
		ok = kind == OP_MSG ? take_msg(bytes, len)
				    : kind == OP_QUERY && take_query(bytes, len);
		turns_answered(bytes, (size_t)len, link->arrived_ns);
		at += (size_t)len;
	}
	link->in_len -= at;
	memmove(link->in, link->in + at, link->in_len);
	return ok && send_all(link->fd);
}

static bool on_bytes(struct link *link)
{
	ssize_t n;

	if (link->in_room - link->in_len < 4096) {
		link->in_room = 2 * link->in_room + 16384;
		link->in = realloc(link->in, link->in_room);
		if (!link->in)
			return false;
	}
	n = turns_receive(link->fd, link->in + link->in_len, link->in_room - link->in_len,
			  &link->arrived_ns);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	link->in_len += (size_t)n;
	return take_all(link);
}

static void drop(struct link *link)
{
	close(link->fd);
	free(link->in);
	free(link);
}

static void accept_one(int listener, int epoll)
{
	struct link *link = calloc(1, sizeof *link);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };
	const int one = 1;

	if (!link || (link->fd = accept(listener, NULL, NULL)) < 0) {
		free(link);
		return;
	}
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	turns_watch(link->fd);
	epoll_ctl(epoll, EPOLL_CTL_ADD, link->fd, &event);
}

static int open_listener(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return -1;
	printf("ready mongodb://127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], listening = { .events = EPOLLIN };
	int listener, epoll = epoll_create1(EPOLL_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	canned_make();
	if (argc > 1 && !turns_open(argv[1]))
		return 1;
	listener = open_listener();
	if (listener < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) != 0)
		return 1;
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (!events[i].data.ptr)
				accept_one(listener, epoll);
			else if (!on_bytes(events[i].data.ptr))
				drop(events[i].data.ptr);
		turns_flush();
	}
}
