/* requests: short requests on kept connections, one after the other on each. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PLACES_MAX 4
#define STRIDE     7919 /* a prime: neighbours in time are none in the store */

static struct client *client;
static char request[70000];
static int request_len;
static char *places[PLACES_MAX]; /* in the request, of seven digits each */
static int place_count;
static long numbers, number; /* how many there are, and how many were taken */
static bool ends_with_numbers, wants_first_byte;

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
		client->over = client->peer_count;
		return;
	}
	put_number();
	peer->sent_ns = now_ns();
	if (send(peer->fd, request, (size_t)request_len, MSG_NOSIGNAL) != request_len)
		client->failed++;
}

/* nginx closes a kept connection after so many requests: that is no failure, but a new connection.
 */
static void connect_anew(struct peer *peer)
{
	close(peer->fd);
	peer->fd = client_connect(client);
	client_watch(client, peer);
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
			sample(&client->added, (double)(now_ns() - peer->sent_ns) / 1e6);
		if (is_whole(text, len))
			break;
		n = recv(peer->fd, text + len, sizeof text - 1 - len, 0);
	}
	if (n <= 0 || text[9] != '2')
		client->failed++;
	if (!is_taken)
		sample(&client->added, (double)(now_ns() - peer->sent_ns) / 1e6);
	ask(peer);
}

/* The length counts each "{n}" as what it will be. */
static void make_request(const char *method, const char *path, const char *body)
{
	char about_body[128] = "";
	size_t len = strlen(body);

	for (const char *at = body; (at = strstr(at, "{n}")); at += 3)
		len += 4;
	if (len > 0)
		snprintf(about_body, sizeof about_body,
			 "Content-Type: application/json\r\nContent-Length: %zu\r\n", len);
	snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n%s", method, path,
		 client_authorization(), about_body, body);
	find_places();
}

/* CONNECTIONS SECONDS METHOD PATH [BODY [COUNT]], behind the mode and the port */
void requests_run(struct client *the_client, int argc, char **argv)
{
	const char *mode = argv[-2];

	client = the_client;
	make_request(argv[2], argv[3], argc > 4 ? argv[4] : "");
	numbers = argc > 5 ? atol(argv[5]) : 1;
	ends_with_numbers = strcmp(argv[2], "DELETE") == 0;
	wants_first_byte = strcmp(mode, "first") == 0;
	for (int i = 0; i < client->peer_count; i++) {
		client->peers[i].fd = client_connect(client);
		client_watch(client, &client->peers[i]);
		ask(&client->peers[i]);
	}
	client_loop(client, now_ns() + (int64_t)(atof(argv[1]) * 1e9), on_answer, NULL);
}
