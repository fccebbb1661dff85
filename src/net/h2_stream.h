/*
 * h2_stream: one request and its answer over HTTP/2: what it waits for, its deadlines, and whom
 * they are told.
 *
 *   waits (its host's queue) --begun--> on a connection --end of stream, reset, deadline--> gone
 *       ^------- the server has not processed it ----------'
 */
#ifndef NET_H2_STREAM_H
#define NET_H2_STREAM_H

#include "net_question.h"

#define H2_TRIES_MAX 3

struct h2_connection;
struct h2_host;
struct h2_stream;

struct h2_events {
	struct net_events net;
	/* Instead of `end`: this host speaks HTTP/1.1 only. The question is the receiver's, nothing
	 * of it was sent, and the stream is gone. */
	void (*elsewhere)(void *ctx, struct net_question *question);
};

struct h2_stream {
	struct h2_stream *next, **link; /* in its host's queue, or among its connection's */
	struct h2_host *host;
	struct h2_connection *connection; /* NULL: it waits */
	struct loop *loop;
	struct loop_timer timer;       /* the next of the two below; `fire` is the host's */
	int64_t connect_by_ms;         /* it must have begun by then; 0 once it has */
	int64_t end_by_ms;             /* net_deadline; 0: none */
	struct net_question *question; /* NULL: sent, and surely taken */
	size_t sent;                   /* of its body */
	const struct h2_events *events;
	void *ctx;
	int32_t id;
	uint8_t tries, interim;   /* connections it was begun on; heads of 1xx */
	bool is_sent;             /* something of it may have left */
	bool has_head, was_reset; /* by the server */
};

/* Lists of streams; the queue is kept in order by putting at *last. */
void h2_stream_put(struct h2_stream **list, struct h2_stream *stream);
void h2_stream_take_out(struct h2_stream *stream);

/* Takes the question over, always. NULL: no memory. */
struct h2_stream *h2_stream_new(struct loop *loop, struct net_question *question,
				const struct h2_events *events, void *ctx);
void h2_stream_free(struct h2_stream *stream); /* out of its list; nobody is told */

void h2_stream_deadline(struct h2_stream *stream, int64_t ms);
/* On a connection now: what it had to be begun by is over. */
void h2_stream_begins(struct h2_stream *stream, struct h2_connection *connection);
/* Not processed there: it waits again, as long as it may. */
void h2_stream_again(struct h2_stream *stream);
bool h2_stream_may_again(const struct h2_stream *stream);

/* Its owner's last event; it is gone. */
void h2_stream_end(struct h2_stream *stream, enum net_failure failure);
void h2_stream_elsewhere(struct h2_stream *stream);

#endif
