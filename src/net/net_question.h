/*
 * net_question: a request that waits: all that it says in memory of its own, until it has been
 * sent, and a moment longer where the server may still say that it did not take it.
 */
#ifndef NET_NET_QUESTION_H
#define NET_NET_QUESTION_H

#include "net/net.h"

#define NET_HEADERS_MAX 16

struct net_question {
	struct net_request request; /* points into this memory */
	struct buffer body;
	char *host, *port; /* of the address; an IPv6 address without its brackets */
	char *authority;   /* as the server is named to itself: host, and port unless it is 443 */
	char *path;        /* with the query */
	int64_t sent_ms;   /* loop time; 0: not all of the body has gone */
};

/* Is this address one for HTTP/2: https, and no password in it? */
bool net_question_may_h2(const char *url);

/* Takes the body over, also on failure. NULL: no memory, or an address that is none. Names of
 * headers are in small letters then, as HTTP/2 wants them (RFC 9113, 8.2). */
struct net_question *net_question_new(const struct net_request *request, struct buffer *body);
void net_question_free(struct net_question *question); /* NULL is fine */

#endif
