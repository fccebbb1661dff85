/*
 * net_curl_transfer: one transfer: what curl is told of it, its deadlines, and its head and body as
 * curl brings them. It knows nothing of the others: net_curl is above it.
 */
#ifndef NET_NET_CURL_TRANSFER_H
#define NET_NET_CURL_TRANSFER_H

#include "net/net.h"
#include <curl/curl.h>

struct net_curl_transfer {
	struct net_curl *all;                   /* its owner's, as is the next line */
	struct net_curl_transfer *next, **link; /* in one of the owner's lists */
	struct loop *loop;
	struct loop_timer timer; /* the next of the deadlines below; `fire` is the owner's */
	CURL *easy;
	struct curl_slist *headers;
	struct buffer body; /* until it has been sent */
	const struct net_events *events;
	void *ctx;
	int64_t connect_by_ms; /* the request must be on its way by then; 0 once it is */
	int64_t detach_at_ms;  /* it stops waiting for another's connection; 0: it has one */
	int64_t end_by_ms;     /* net_deadline; 0: none */
	int retry_after_s;
	bool resolving; /* a name server was asked */
	bool was_sent;  /* the request went to a connection */
	bool has_head;
	bool is_alone;  /* its connection is of TLS and HTTP/1.1 */
	bool cancelled; /* nobody wants to hear of it: curl is told so when it asks */
};

/* With the options that all have. share: what all of one owner have together; it stays until the
 * last of them is freed. on_close: of a socket of theirs, with ctx, as long as curl keeps it. NULL:
 * no memory. */
struct net_curl_transfer *net_curl_transfer_new(struct loop *loop, CURLSH *share,
						curl_closesocket_callback on_close, void *ctx);
void net_curl_transfer_free(struct net_curl_transfer *transfer); /* NULL is fine */
/* Everything that differs from request to request; takes the body over, always. */
bool net_curl_transfer_prepare(struct net_curl_transfer *transfer,
			       const struct net_request *request, struct buffer *body);
/* It is to wait for no other's connection any more, when it is given to curl again. */
void net_curl_transfer_detach(struct net_curl_transfer *transfer);
/* Unless it is over by then, its timer fires in `ms` from now. A later call moves it. */
void net_curl_transfer_deadline(struct net_curl_transfer *transfer, int64_t ms);
/* Over, out of curl: its deadlines, headers and body go, the rest may serve again. */
void net_curl_transfer_reset(struct net_curl_transfer *transfer);

#endif
