/*
 * upstream: a C1 API that costs next to nothing, for the bench: one thread, epoll.
 *
 *   upstream CHUNKS SIZE PACE_MS [--tls FOLDER]
 *
 * Each request is answered with CHUNKS deltas of SIZE bytes, one each PACE_MS milliseconds, unless
 * "bench:CHUNKS,SIZE,PACE_MS[,SILENT_MS]" stands in it. Each begins with the nanoseconds of
 * CLOCK_MONOTONIC at which it was sent.
 *
 * Prints "ready URL"; with --tls "ready URL CAFILE", a certificate in FOLDER by which the server is
 * known, and speaks HTTP/2 or HTTP/1.1 as the client wishes. Ends with its parent or by SIGTERM.
 */
#include "mock.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define EVENTS 1024

static int open_listener(const char *tls_folder)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return -1;
	printf("ready %s://127.0.0.1:%d/v1/embed", tls_folder ? "https" : "http",
	       ntohs(address.sin_port));
	if (tls_folder)
		printf(" %s/ca.pem", tls_folder);
	putchar('\n');
	fflush(stdout);
	return fd;
}

static void on_due(struct stream *stream)
{
	if (!stream->link->protocol->say_due(stream->link, stream))
		link_close(stream->link);
}

static void loop(int listener, int epoll, void *tls)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int fd, n = epoll_wait(epoll, events, EVENTS, wheel_is_empty() ? -1 : 1);

		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				link_ready(events[i].data.ptr, events[i].events);
			else
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					link_accept(fd, epoll, tls);
		wheel_turn(now_ns(), on_due);
		link_flush_all();
	}
}

int main(int argc, char **argv)
{
	struct epoll_event listening = { .events = EPOLLIN };
	struct rlimit files;
	const char *folder = argc == 6 && strcmp(argv[4], "--tls") == 0 ? argv[5] : NULL;
	char text[128];
	void *tls = NULL;
	int listener, epoll = epoll_create1(EPOLL_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	if (argc != 4 && !folder)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	snprintf(text, sizeof text, "%s,%s,%s", argv[1], argv[2], argv[3]);
	shape_set(text);
	if (folder && !(tls = tls_open(folder))) {
		fprintf(stderr, "upstream: no certificate could be made in %s\n", folder);
		return 1;
	}
	listener = open_listener(folder);
	if (listener < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) != 0)
		return 1;
	loop(listener, epoll, tls);
}
