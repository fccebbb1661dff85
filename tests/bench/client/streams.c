/* streams: chats at once, read to their ends. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GIVE_UP_S    100
#define STAMP_DIGITS 12 /* or more: a time; what is shorter is none */
#define TELL_NS      200000000

static const char sign[] = "</content>"; /* of an answer's end */

static struct client *client;
static const char *shape = "";
static int64_t began_ns, ramp_ns, until_ns, told_ns; /* until 0: each chat once */
static int started, with_first;
static bool goes_on; /* who ends begins again */
static FILE *turns;  /* where the times of each first byte go; may be NULL */

static const char *state(void)
{
	if (with_first < client->peer_count)
		return "ramp";
	return client->over == 0 ? "steady" : "end";
}

static void put_thread(const struct peer *peer, char *out, size_t size)
{
	snprintf(out, size, "bench-%d-%lld", (int)(peer - client->peers), (long long)peer->sent_ns);
}

static void leave(struct peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
	peer->is_over = true;
	client->over++;
}

static void start(struct peer *peer)
{
	char thread[64], body[512], text[10000];
	int len;

	*peer = (struct peer){ .sent_ns = now_ns() };
	put_thread(peer, thread, sizeof thread);
	len = snprintf(body, sizeof body,
		       "{\"thread_id\":\"%s\",\"message\":\"A question for the bench. %s%s\"}",
		       thread, *shape ? "bench:" : "", shape);
	len = snprintf(text, sizeof text,
		       "POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s"
		       "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		       client_authorization(), len, body);
	peer->fd = client_connect(client);
	if (peer->fd < 0 || send(peer->fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
		client->failed++;
		leave(peer);
		return;
	}
	client_watch(client, peer);
}

/* --- what comes --- */

static void tell_turn(const struct peer *peer, int64_t answered_ns, int64_t at_ns)
{
	char thread[64];

	put_thread(peer, thread, sizeof thread);
	fprintf(turns, "%s %lld %lld %lld %lld\n", thread, (long long)peer->sent_ns,
		(long long)peer->asked_ns, (long long)answered_ns, (long long)at_ns);
}

static void take_first(struct peer *peer, int64_t sent_ns, int64_t at_ns)
{
	peer->has_first = true;
	with_first++;
	if (turns)
		tell_turn(peer, sent_ns, at_ns);
	sample(&client->first, (double)(at_ns - peer->sent_ns - (sent_ns - peer->asked_ns)) / 1e6);
}

/* "<digits>;" is when a delta was sent; "^<digits>^" before the first one when it was asked for. */
static void take_number(struct peer *peer, char mark, int64_t at_ns)
{
	if (mark == '^') {
		peer->asked_ns = peer->number;
		return;
	}
	client->chunks++;
	if (goes_on || (with_first == client->peer_count && client->over == 0))
		sample(&client->added, (double)(at_ns - peer->number) / 1e6);
	if (!peer->has_first && peer->asked_ns > 0)
		take_first(peer, peer->number, at_ns);
}

static void take(struct peer *peer, const char *bytes, size_t len, int64_t at_ns)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (c >= '0' && c <= '9') {
			peer->number = peer->digits++ ? peer->number * 10 + (c - '0') : c - '0';
			continue;
		}
		if (peer->digits >= STAMP_DIGITS && (c == ';' || c == '^'))
			take_number(peer, c, at_ns);
		peer->digits = 0;
		if (sign[peer->matched])
			peer->matched = c == sign[peer->matched] ? peer->matched + 1 : c == '<';
	}
}

static void finish(struct peer *peer)
{
	if (!peer->is_ok || sign[peer->matched])
		client->failed++;
	leave(peer);
	if (!goes_on || now_ns() >= until_ns)
		return;
	client->over--;
	with_first -= peer->has_first;
	start(peer);
}

static void on_stream(struct peer *peer)
{
	static char bytes[65536];
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
	take(peer, bytes, (size_t)n, at_ns);
}

/* --- the round --- */

static void on_round(void)
{
	int64_t at_ns = now_ns();

	while (started < client->peer_count &&
	       at_ns >= began_ns + ramp_ns * started / client->peer_count)
		start(&client->peers[started++]);
	if (at_ns - told_ns < TELL_NS)
		return;
	told_ns = at_ns;
	printf("chunks %ld %s\n", client->chunks, state());
	fflush(stdout);
}

void streams_run(struct client *the_client, int argc, char **argv)
{
	client = the_client;
	began_ns = now_ns();
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "shape=", 6) == 0)
			shape = argv[i] + 6;
		else if (strncmp(argv[i], "ramp=", 5) == 0)
			ramp_ns = (int64_t)(atof(argv[i] + 5) * 1e6);
		else if (strncmp(argv[i], "seconds=", 8) == 0)
			until_ns = began_ns + (int64_t)(atof(argv[i] + 8) * 1e9);
		else if (strncmp(argv[i], "turns=", 6) == 0)
			turns = fopen(argv[i] + 6, "w");
	}
	goes_on = until_ns > 0;
	client_loop(client, (goes_on ? until_ns : began_ns) + GIVE_UP_S * 1000000000LL, on_stream,
		    on_round);
	client->failed += client->peer_count - client->over;
	if (turns)
		fclose(turns);
}
