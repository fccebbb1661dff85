/*
 * h2_host: one server of an https address: the streams that wait for it, its connections, and what
 * is known of it: its addresses, the newest TLS session, whether it speaks HTTP/2 at all.
 *
 * Streams go to the connection that has most room. Another is opened when they find none, when the
 * open ones are nearly full, and when many are on a single one, so that its loss is not
 * everybody's.
 */
#ifndef NET_H2_HOST_H
#define NET_H2_HOST_H

#include "h2_connection.h"

/* How long what was found out of a host is believed. */
struct h2_ages {
	int64_t fresh_ms; /* its addresses; older ones are used, and looked up beside that */
	int64_t http1_ms; /* that it speaks HTTP/1.1 only */
};

struct h2_host {
	struct h2_host *next; /* the owner's */
	struct h2_shared *shared;
	struct h2_names *names;
	const struct h2_ages *ages;
	char *name, *port, *ca_file; /* ca_file NULL: the system's */
	size_t connections_max;
	struct h2_tls *tls;
	int64_t tls_made_ms;
	bool tls_is_doubted; /* a connection failed of it */
	SSL_SESSION *session;
	struct h2_addresses addresses;
	int64_t looked_up_ms; /* 0: never, or they are no good any more */
	bool is_looking_up;
	struct h2_connection *connections;
	size_t connection_count;
	uint32_t usual_max;              /* streams that a connection takes, as the last one said */
	struct h2_stream *first, **last; /* they wait, in order */
	size_t waiting;
	struct loop_timer timer;  /* what was hoped for did not come */
	int64_t http1_until_ms;   /* it spoke HTTP/1.1 only; not asked again before */
	int64_t refused_until_ms; /* no further connection before: the last was refused */
	int64_t useless_until_ms; /* none at all before: the last was open and took no stream */
	bool is_due;              /* h2_host_serve has something to do */
	bool dials_ahead;         /* though nobody waits, when the timer fires */
};

/* NULL: no memory. All but the question's host is the caller's. */
struct h2_host *h2_host_new(struct h2_shared *shared, struct h2_names *names,
			    const struct h2_ages *ages, const struct net_question *question,
			    size_t connections_max);
void h2_host_free(struct h2_host *host); /* its streams with it, and nobody is told */
bool h2_host_is(const struct h2_host *host, const struct net_question *question);

/* Does it speak HTTP/1.1 only, as far as is known? */
bool h2_host_is_http1(const struct h2_host *host);

/* It waits from now on; something happens in h2_host_serve at the earliest. */
void h2_host_add(struct h2_host *host, struct h2_stream *stream);
/* Opens a first connection in so many milliseconds, unless a stream has done so before. What goes
 * wrong with it is in the log. */
void h2_host_dial_ahead(struct h2_host *host, int64_t ms);
/* Wherever the stream is; nobody is told. */
void h2_host_cancel(struct h2_stream *stream);

/* Once a round, of one that is due: streams to connections, connections opened, what cannot be is
 * told. */
void h2_host_serve(struct h2_host *host);

#endif
