/*
 * client: requests of many threads on few connections. One thread carries them all on a net_multi,
 * and who asks waits. Where the other side speaks HTTP/2 all that go to one host are streams of one
 * connection; to plain http each at once has a connection of its own, which is kept.
 *
 * A libcurl handle a caller would be simpler, but handles of several threads cannot share an HTTP/2
 * connection: a connection each is what they would make.
 */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "net/net.h"

struct net_client;

/* In a process that does not fork any more: starts the thread. connections_max are kept. */
struct net_client *net_client_open(size_t connections_max, struct error *err);
/* Whatever is asked, and will be, is over at once: so that those who ask come to an end. */
void net_client_stop(struct net_client *client);
/* Nobody may be asking any more. NULL is fine. */
void net_client_free(struct net_client *client);

#define NET_TYPE_MAX 64

struct net_answer {
	enum net_failure failure; /* NET_OK: the answer came whole; what follows is of its head */
	bool was_sent;            /* failed: it may have reached the other side */
	bool is_too_large;        /* failed: the buffer's cap, or no memory for it */
	int status;
	int retry_after_s;               /* -1: it says none */
	char content_type[NET_TYPE_MAX]; /* "" when it says none; cut when longer */
};

/* Any thread, blocking: one POST and its answer, whose body goes into `reply`, by until_ms
 * (monotonic). Sent at most once. */
void net_client_post(struct net_client *client, const struct net_request *request,
		     struct slice body, int64_t until_ms, struct buffer *reply,
		     struct net_answer *out);

#endif
