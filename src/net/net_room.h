/*
 * net_room: what net's files know of each other.
 *
 *   net_multi.c     all transfers of one loop: curl's sockets and timers, deadlines, ends
 *   net_transfer.c  one transfer: its options, head and body as curl brings them
 *   net_failure.c   curl's codes -> how a transfer failed
 */
#ifndef NET_NET_ROOM_H
#define NET_NET_ROOM_H

#include "net/net.h"
#include <curl/curl.h>

struct net_transfer {
	struct net_multi *multi;
	struct net_transfer *next, **link; /* in one of the multi's lists */
	CURL *easy;
	struct curl_slist *headers;
	const struct net_events *events;
	void *ctx;
	int64_t connect_by_ms; /* the request must be on its way by then; 0 once it is */
	int64_t detach_at_ms; /* it stops waiting for another's connection; 0: it has one of its own
			       */
	int64_t end_by_ms;    /* net_deadline; 0: none */
	int retry_after_s;
	bool resolving; /* a name server was asked */
	bool was_sent;  /* the request went to a connection */
	bool has_head;
	bool cancelled;
};

struct net_multi {
	CURLM *curl;
	struct loop *loop;
	struct loop_timer curl_timer, tick;
	/* timed: those with a deadline; free: spare ones, their easy handles kept. */
	struct net_transfer *timed, *running, *cancelled, *free;
	size_t free_count;
	bool inside; /* curl is on the stack: nothing may be removed from it */
};

struct net_transfer *net_transfer_new(struct net_multi *multi);
void net_transfer_free(struct net_transfer *transfer);
/* Everything that differs from request to request. */
bool net_transfer_prepare(struct net_transfer *transfer, const struct net_request *request);

void net_transfer_sent(struct net_transfer *transfer); /* net_multi.c: it is no longer connecting */

enum net_failure net_failure_of(const struct net_transfer *transfer, CURLcode code);
enum net_failure net_failure_unconnected(const struct net_transfer *transfer);

#endif
