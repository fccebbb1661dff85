/*
 * client: the load of the bench: one thread, epoll.
 *
 *   main.c       options, the loop, the report
 *   samples.c    times, and what of them is told
 *   streams.c    chats, read to their ends
 *   requests.c   short requests on kept connections
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t now_ns(void);

/* --- samples.c --- */

struct samples {
	double *ms;
	size_t count, room;
};

void sample(struct samples *samples, double ms);
/* Sorts once; 0 without any. */
double quantile(struct samples *samples, double q);

/* --- connections --- */

struct peer {
	int fd;
	int64_t sent_ns;          /* of the request */
	int64_t number, asked_ns; /* streams.c: the digits under way; when the model was asked */
	uint8_t digits, matched;  /* of a number; of the end's sign */
	bool is_ok, has_first, is_over; /* status 200; the first delta came; no more to come */
};

struct client {
	int epoll, port, peer_count, over, failed;
	struct peer *peers;
	struct samples added,
		first; /* of each delta in steady flow or each answer; of each stream */
	long chunks;   /* all deltas that came */
};

/* The header of a token that $BENCH_TOKEN has, with its line end; "" without one. */
const char *client_authorization(void);
/* -1: no connection */
int client_connect(const struct client *client);
void client_watch(const struct client *client, struct peer *peer);
/* Until everything is over or the time is. on_round may be NULL. */
void client_loop(struct client *client, int64_t until_ns, void (*on_ready)(struct peer *),
		 void (*on_round)(void));

void streams_run(struct client *client, int argc, char **argv);
void requests_run(struct client *client, int argc, char **argv);

#endif
