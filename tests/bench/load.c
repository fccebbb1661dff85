/*
 * load: the client of the bench: one thread, epoll. Prints one line of JSON.
 *
 *   load streams PORT STREAMS
 *       opens so many chats at once and reads them to their ends: latency added per delta
 *
 *   load requests PORT CONNECTIONS SECONDS METHOD PATH [BODY [COUNT]]
 *       kept connections, one request after the other on each; "{n}" in path and body is seven
 * digits of a number below COUNT, another each time, here and there; behind the last DELETE it ends
 *
 *   load first PORT CONNECTIONS SECONDS METHOD PATH BODY COUNT
 *       the same, but what is measured is the time to the first byte of each answer's body
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX (8 << 20)
#define GIVE_UP_S   100
#define PLACES_MAX  4
#define STRIDE      7919 /* a prime: neighbours in time are none in the store */

struct peer {
	int fd;
	char tail[64]; /* a stamp may be cut between two reads */
	size_t tail_len;
	int64_t sent_ns; /* of the request */
	bool is_over, saw_end, is_ok;
};

static double *samples; /* ms */
static size_t sample_count;
static struct peer *peers;
static int peer_count, over, failed;
static int the_epoll, the_port;
static char request[70000];
static int request_len;
static char *places[PLACES_MAX]; /* in the request, of seven digits each */
static int place_count;
static long numbers, number; /* how many there are, and how many were taken */
static bool ends_with_numbers, wants_first_byte;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sample(double ms)
{
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = ms;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double q)
{
	return sample_count ? samples[(size_t)(q * (double)(sample_count - 1))] : 0;
}

static int open_connection(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static void finish(struct peer *peer)
{
	peer->is_over = true;
	over++;
	if (!peer->is_ok || !peer->saw_end)
		failed++;
	close(peer->fd);
}

/* --- streams --- */

/* Every "<digits>;" of 12 digits or more is a stamp. */
static void take_stamps(struct peer *peer, const char *bytes, size_t len, int64_t at_ns)
{
	char text[65536 + 64];
	size_t total = peer->tail_len + len, last = 0, digits = 0;

	memcpy(text, peer->tail, peer->tail_len);
	memcpy(text + peer->tail_len, bytes, len);
	for (size_t i = 0; i < total; i++) {
		if (text[i] >= '0' && text[i] <= '9') {
			digits++;
			continue;
		}
		if (text[i] == ';' && digits >= 12)
			sample((double)(at_ns - strtoll(text + i - digits, NULL, 10)) / 1e6);
		if (digits == 0 || text[i] == ';')
			last = i + 1;
		digits = 0;
	}
	if (memmem(text, total, "</content>", 10))
		peer->saw_end = true;
	if (total - last < 9) /* the end may be cut too; nine bytes hold no stamp to count twice */
		last = total > 9 ? total - 9 : 0;
	if (total - last > 40)
		last = total - 40;
	peer->tail_len = total - last;
	memcpy(peer->tail, text + last, peer->tail_len);
}

static void on_stream(struct peer *peer)
{
	char bytes[65536];
	ssize_t n = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	int64_t at_ns = now_ns();

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(peer);
		return;
	}
	if (!peer->is_ok)
		peer->is_ok = n > 12 && memcmp(bytes + 9, "200", 3) == 0;
	take_stamps(peer, bytes, (size_t)n, at_ns);
}

static void start_stream(int epoll, int port, int i)
{
	struct peer *peer = &peers[i];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
	char body[256], text[1024];
	int len = snprintf(body, sizeof body, "{\"thread_id\":\"b%d-%lld\",\"message\":\"bench\"}",
			   i, (long long)now_ns());

	len = snprintf(text, sizeof text,
		       "POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
		       "application/json\r\n"
		       "Content-Length: %d\r\n\r\n%s",
		       len, body);
	peer->fd = open_connection(port);
	if (peer->fd < 0 || send(peer->fd, text, (size_t)len, 0) != len) {
		failed++;
		over++;
		return;
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event);
}

/* --- requests --- */

/* The answers of the bench are small and come whole or nearly so: an answer is over when its length
 * is there. */
static bool is_whole(const char *text, size_t len)
{
	const char *head = memmem(text, len, "\r\n\r\n", 4), *length;

	if (!head)
		return false;
	length = strcasestr(text, "content-length:");
	if (length && length < head)
		return (size_t)(text + len - head - 4) >= (size_t)strtol(length + 15, NULL, 10);
	return memmem(head, (size_t)(text + len - head), "0\r\n\r\n", 5) != NULL;
}

/* Each "{n}" becomes seven digits. */
static void find_places(void)
{
	char *at;

	while (place_count < PLACES_MAX && (at = strstr(request, "{n}"))) {
		memmove(at + 7, at + 3, strlen(at + 3) + 1);
		memset(at, '0', 7);
		places[place_count++] = at;
	}
	request_len = (int)strlen(request);
}

static void put_number(void)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%07ld", number++ * STRIDE % numbers);
	for (int i = 0; i < place_count; i++)
		memcpy(places[i], digits, 7);
}

static void ask(struct peer *peer)
{
	if (ends_with_numbers && number >= numbers) {
		over = peer_count;
		return;
	}
	put_number();
	peer->sent_ns = now_ns();
	if (send(peer->fd, request, (size_t)request_len, MSG_NOSIGNAL) != request_len)
		failed++;
}

/* nginx closes a kept connection after so many requests: that is no failure, but a new connection.
 */
static void connect_anew(struct peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	close(peer->fd);
	peer->fd = open_connection(the_port);
	epoll_ctl(the_epoll, EPOLL_CTL_ADD, peer->fd, &event);
	ask(peer);
}

static bool has_body(const char *text, size_t len)
{
	const char *head = memmem(text, len, "\r\n\r\n", 4);

	return head && head + 4 < text + len;
}

static void on_answer(struct peer *peer)
{
	static char text[1 << 20];
	ssize_t n = recv(peer->fd, text, sizeof text - 1, 0);
	bool is_taken = false;
	size_t len = 0;

	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		connect_anew(peer);
		return;
	}
	while (n > 0) {
		len += (size_t)n;
		text[len] = '\0';
		if (!is_taken && wants_first_byte && (is_taken = has_body(text, len)))
			sample((double)(now_ns() - peer->sent_ns) / 1e6);
		if (is_whole(text, len))
			break;
		n = recv(peer->fd, text + len, sizeof text - 1 - len, 0);
	}
	if (n <= 0 || text[9] != '2')
		failed++;
	if (!is_taken)
		sample((double)(now_ns() - peer->sent_ns) / 1e6);
	ask(peer);
}

/* --- both --- */

static void report(double seconds)
{
	qsort(samples, sample_count, sizeof *samples, by_size);
	printf("{\"samples\":%zu,\"failed\":%d,\"seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
	       "\"max_ms\":%.3f}\n",
	       sample_count, failed, seconds, quantile(0.5), quantile(0.99), quantile(1));
}

static void loop(int epoll, int64_t until_ns, void (*on_ready)(struct peer *))
{
	struct epoll_event events[256];

	while (over < peer_count && now_ns() < until_ns) {
		int n = epoll_wait(epoll, events, 256, 50);

		for (int i = 0; i < n; i++)
			on_ready(events[i].data.ptr);
	}
}

static void run_streams(int epoll, int port)
{
	for (int i = 0; i < peer_count; i++)
		start_stream(epoll, port, i);
	loop(epoll, now_ns() + GIVE_UP_S * 1000000000LL, on_stream);
	failed += peer_count - over;
}

static void run_requests(int epoll, int port, double seconds)
{
	for (int i = 0; i < peer_count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &peers[i] };

		peers[i].fd = open_connection(port);
		epoll_ctl(epoll, EPOLL_CTL_ADD, peers[i].fd, &event);
		ask(&peers[i]);
	}
	loop(epoll, now_ns() + (int64_t)(seconds * 1e9), on_answer);
}

/* The length counts each "{n}" as what it will be. */
static void make_request(const char *method, const char *path, const char *body)
{
	size_t len = strlen(body);

	for (const char *at = body; (at = strstr(at, "{n}")); at += 3)
		len += 4;
	snprintf(request, sizeof request,
		 "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
		 "%zu\r\n\r\n%s",
		 method, path, len, body);
	find_places();
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(0);
	int64_t began_ns;

	if (argc < 4)
		return 2;
	peer_count = atoi(argv[3]);
	peers = calloc((size_t)peer_count, sizeof *peers);
	samples = malloc(SAMPLES_MAX * sizeof *samples);
	if (!peers || !samples || epoll < 0)
		return 1;
	the_epoll = epoll;
	the_port = atoi(argv[2]);
	began_ns = now_ns();
	if (strcmp(argv[1], "streams") == 0) {
		run_streams(epoll, the_port);
	} else if (argc >= 7) {
		make_request(argv[5], argv[6], argc > 7 ? argv[7] : "");
		numbers = argc > 8 ? atol(argv[8]) : 1;
		ends_with_numbers = strcmp(argv[5], "DELETE") == 0;
		wants_first_byte = strcmp(argv[1], "first") == 0;
		run_requests(epoll, the_port, atof(argv[4]));
	}
	report((double)(now_ns() - began_ns) / 1e9);
	free(samples);
	free(peers);
	return 0;
}
