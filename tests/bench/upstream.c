/*
 * upstream: a C1 API that costs next to nothing, for the bench: one thread, epoll, HTTP/1.1 with
 * kept connections. Each request is answered with CHUNKS deltas of SIZE bytes, one each PACE
 * milliseconds, each of which begins with the nanoseconds of CLOCK_MONOTONIC at which it was sent.
 *
 *   upstream CHUNKS SIZE PACE
 *       prints "ready http://127.0.0.1:PORT/v1/embed"; ends with its parent or by SIGTERM
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 16384
#define PAYLOAD_MAX 2048

struct client {
	char head[16384]; /* of the request under way */
	size_t head_len;
	long body_left;      /* -1: the head is not whole yet */
	int chunks_left;     /* 0: waits for a request */
	int64_t next_due_ns; /* of the next delta */
};

static struct client *clients[CLIENTS_MAX]; /* by descriptor */
static int chunks, size, pace_ms, highest;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void drop(int fd)
{
	free(clients[fd]);
	clients[fd] = NULL;
	close(fd);
}

/* Answers are small against a socket's buffer: what does not go at once never will. */
static bool put(int fd, const char *text, int len)
{
	return send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len;
}

static bool put_chunk(int fd, const char *json)
{
	char event[PAYLOAD_MAX + 256], wire[PAYLOAD_MAX + 512];
	int len = snprintf(event, sizeof event, "data: %s\n\n", json);

	len = snprintf(wire, sizeof wire, "%x\r\n%s\r\n", (unsigned)len, event);
	return put(fd, wire, len);
}

static bool put_delta(int fd, bool is_first)
{
	char text[PAYLOAD_MAX], json[PAYLOAD_MAX + 128];
	int len = snprintf(text, sizeof text, "%s%lld;", is_first ? "<content>" : "",
			   (long long)now_ns());

	while (len < size)
		text[len++] = 'x';
	text[len] = '\0';
	snprintf(json, sizeof json, "{\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}", text);
	return put_chunk(fd, json);
}

static bool put_end(int fd)
{
	return put_chunk(fd, "{\"choices\":[{\"delta\":{\"content\":\"</"
			     "content>\"},\"finish_reason\":\"stop\"}]}") &&
	       put_chunk(fd, "[DONE]") && put(fd, "0\r\n\r\n", 5);
}

static bool begin_answer(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";

	clients[fd]->chunks_left = chunks;
	clients[fd]->next_due_ns = now_ns();
	return put(fd, head, (int)sizeof head - 1);
}

/* The head is looked at for its length only. */
static bool take_head(int fd)
{
	struct client *client = clients[fd];
	char *end, *length;

	client->head[client->head_len] = '\0';
	end = strstr(client->head, "\r\n\r\n");
	if (!end)
		return client->head_len + 1 < sizeof client->head;
	length = strcasestr(client->head, "content-length:");
	client->body_left = (length ? strtol(length + 15, NULL, 10) : 0) -
			    (long)(client->head_len - (size_t)(end + 4 - client->head));
	return client->body_left > 0 || begin_answer(fd);
}

static bool on_bytes(int fd)
{
	struct client *client = clients[fd];
	char scrap[65536];
	ssize_t n;

	if (client->chunks_left == 0 && client->body_left <= 0) {
		client->body_left = -1;
		n = recv(fd, client->head + client->head_len,
			 sizeof client->head - client->head_len - 1, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		client->head_len += (size_t)n;
		return take_head(fd);
	}
	n = recv(fd, scrap, sizeof scrap, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	client->body_left -= n;
	return client->body_left > 0 || begin_answer(fd);
}

static bool tick(int fd, int64_t at_ns)
{
	struct client *client = clients[fd];

	while (client->chunks_left > 0 && client->next_due_ns <= at_ns) {
		if (!put_delta(fd, client->chunks_left == chunks))
			return false;
		client->next_due_ns += (int64_t)pace_ms * 1000000;
		if (--client->chunks_left > 0)
			continue;
		client->head_len = 0;
		client->body_left = -1;
		return put_end(fd);
	}
	return true;
}

static void accept_all(int listener, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	const int one = 1;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (fd >= CLIENTS_MAX || !(clients[fd] = calloc(1, sizeof *clients[fd]))) {
			close(fd);
			continue;
		}
		clients[fd]->body_left = -1;
		highest = fd > highest ? fd : highest;
		event.data.fd = fd;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

static int open_listener(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return -1;
	printf("ready http://127.0.0.1:%d/v1/embed\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[256], listening = { .events = EPOLLIN };
	int listener, epoll = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (argc != 4)
		return 2;
	chunks = atoi(argv[1]);
	size = atoi(argv[2]);
	pace_ms = atoi(argv[3]);
	listener = open_listener();
	listening.data.fd = listener;
	if (size >= PAYLOAD_MAX || listener < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) != 0)
		return 1;
	for (;;) {
		int n = epoll_wait(epoll, events, 256, 1);
		int64_t at_ns;

		for (int i = 0; i < n; i++)
			if (events[i].data.fd == listener)
				accept_all(listener, epoll);
			else if (clients[events[i].data.fd] && !on_bytes(events[i].data.fd))
				drop(events[i].data.fd);
		at_ns = now_ns();
		for (int fd = 0; fd <= highest; fd++)
			if (clients[fd] && !tick(fd, at_ns))
				drop(fd);
	}
}
