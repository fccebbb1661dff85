/*
 * load: the client of the bench. The last line that it prints is one of JSON.
 *
 *   load streams PORT STREAMS [shape=CHUNKS,SIZE,PACE_MS[,SILENT_MS]] [ramp=MS] [seconds=S]
 *                [turns=FILE]
 *       so many chats at once, begun within the ramp and read to their ends; with seconds, a chat
 *       that ends is followed by another until then. Before that, five times a second, a line
 *       "chunks COUNT STATE", where STATE is ramp, steady (each chat has begun, none has ended) or
 *       end. Time added to a delta is measured in steady flow (with seconds: all the time). A line
 *       of FILE a chat: its thread, and when (ns) it was sent, the model asked, the first delta
 *       sent by the model, and received
 *
 *   load requests PORT CONNECTIONS SECONDS METHOD PATH [BODY [COUNT]]
 *       kept connections, one request after the other on each; "{n}" in path and body is seven
 *       digits of a number below COUNT, another each time, here and there; behind the last DELETE
 *       it ends
 *
 *   load first PORT CONNECTIONS SECONDS METHOD PATH BODY COUNT
 *       the same, but what is measured is the time to the first byte of each answer's body
 *
 * What is in $BENCH_TOKEN goes along with each request as a bearer token.
 */
#include "client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 1024

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *client_authorization(void)
{
	static char line[8192];
	const char *token = getenv("BENCH_TOKEN");

	if (token && !*line)
		snprintf(line, sizeof line, "Authorization: Bearer %s\r\n", token);
	return line;
}

int client_connect(const struct client *client)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)client->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

void client_watch(const struct client *client, struct peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	epoll_ctl(client->epoll, EPOLL_CTL_ADD, peer->fd, &event);
}

void client_loop(struct client *client, int64_t until_ns, void (*on_ready)(struct peer *),
		 void (*on_round)(void))
{
	static struct epoll_event events[EVENTS];

	while (client->over < client->peer_count && now_ns() < until_ns) {
		int n = epoll_wait(client->epoll, events, EVENTS, on_round ? 1 : 50);

		for (int i = 0; i < n; i++)
			on_ready(events[i].data.ptr);
		if (on_round)
			on_round();
	}
}

static void report(struct client *client, double seconds)
{
	printf("{\"samples\":%zu,\"failed\":%d,\"seconds\":%.3f,\"chunks\":%ld,",
	       client->added.count, client->failed, seconds, client->chunks);
	printf("\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,", quantile(&client->added, 0.5),
	       quantile(&client->added, 0.99), quantile(&client->added, 1));
	printf("\"firsts\":%zu,\"first_p50_ms\":%.3f,\"first_p99_ms\":%.3f}\n", client->first.count,
	       quantile(&client->first, 0.5), quantile(&client->first, 0.99));
}

int main(int argc, char **argv)
{
	struct client client = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct rlimit files;
	int64_t began_ns = now_ns();

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (argc < 4)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	client.port = atoi(argv[2]);
	client.peer_count = atoi(argv[3]);
	client.peers = calloc((size_t)client.peer_count, sizeof *client.peers);
	if (!client.peers || client.epoll < 0)
		return 1;
	if (strcmp(argv[1], "streams") == 0)
		streams_run(&client, argc - 4, argv + 4);
	else if (argc >= 7)
		requests_run(&client, argc - 3, argv + 3);
	report(&client, (double)(now_ns() - began_ns) / 1e9);
	free(client.added.ms);
	free(client.first.ms);
	free(client.peers);
	return 0;
}
