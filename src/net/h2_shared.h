/*
 * h2_shared: a connection as its parts see it, and what all connections of one loop have together.
 *
 *   h2_connection.c   its life: dials, is open, silent, idle, over
 *   h2_wire.c         its socket under TLS: what comes is fed to the session, what it says is sent
 *   h2_session.c      nghttp2's side: frames in, requests out
 *   h2_head.c         the head of an answer
 */
#ifndef NET_H2_SHARED_H
#define NET_H2_SHARED_H

#include "h2_dial.h"
#include "h2_head.h"
#include "h2_stream.h"
#include "h2_tls.h"
#include <nghttp2/nghttp2.h>

#define H2_OUTPUT_MAX 32768 /* of one write; a frame has half of it at most */

/* To a connection's owner, with his `ctx`. */
struct h2_connection_calls {
	/* Something is better than it was: it is open, a stream ended, it was heard of again. */
	void (*ready)(void *ctx);
	/* The server has not processed this one, which is on no connection any more. */
	void (*refused)(void *ctx, struct h2_stream *stream);
	/* Is it the only one to its host? */
	bool (*is_last)(void *ctx);
	/* OVER; it is gone behind this. Of one that never was open: NET_OK says that the server
	 * speaks HTTP/1.1, anything else what failed. */
	void (*over)(void *ctx, struct h2_connection *connection);
};

struct h2_shared {
	struct loop *loop;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	struct h2_connection *touched; /* they have something to write, or are OVER */
	struct loop_timer round;       /* its end; `fire` is the owner's */
	struct h2_input input;
	unsigned char plain[16384], output[H2_OUTPUT_MAX];
};

struct h2_connection {
	struct h2_connection *next;         /* the owner's */
	struct h2_connection *next_touched; /* all following: the parts' */
	struct h2_shared *shared;
	const struct h2_connection_calls *calls;
	void *ctx;
	struct loop_watch watch;
	struct loop_timer timer;
	struct h2_addresses *addresses;
	struct h2_address at; /* the one that took it */
	size_t tls_failed;    /* so many of them spoke no TLS, or had no good certificate */
	struct h2_dial *dial;
	struct h2_tls *tls;
	const char *host;
	SSL_SESSION **resume;
	SSL *ssl;
	nghttp2_session *session;
	struct h2_stream *streams;
	uint32_t stream_count, usual_max; /* what it allows at once until it has said so */
	enum { H2_DIALS, H2_SHAKES_HANDS, H2_OPEN, H2_DRAINS, H2_OVER } state;
	enum net_failure failure; /* why it is OVER, and what its streams are told */
	bool is_touched, was_open, was_used, has_settings;
	int64_t open_by_ms; /* loop time, as are the next four */
	int64_t heard_ms;
	int64_t asked_ms; /* a PING is out since then; 0: none */
	int64_t idle_ms;  /* no stream since then */
	int64_t flood_ms;
	uint32_t flood;      /* frames since flood_ms that brought nothing */
	unsigned char *kept; /* what the socket did not take yet */
	size_t kept_at, kept_len;
	struct h2_head head; /* the one that is being read */
};

/* It has something to write, or is OVER: it is looked at when the round ends. */
void h2_touch(struct h2_connection *connection);
/* Its streams are told so when the round ends; the first word counts. */
void h2_is_over(struct h2_connection *connection, enum net_failure failure);
/* A stream leaves it, in whatever way. */
void h2_let_go(struct h2_stream *stream);

#endif
