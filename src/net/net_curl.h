/*
 * net_curl: all transfers of one loop that libcurl carries: plain HTTP, servers that speak no
 * HTTP/2, and whatever is no long stream. The functions are those of net.h; net_multi chooses.
 */
#ifndef NET_NET_CURL_H
#define NET_NET_CURL_H

#include "net_curl_transfer.h"

struct net_curl;

struct net_curl *net_curl_open(struct loop *loop, size_t connections_max, struct error *err);
void net_curl_free(struct net_curl *all); /* NULL is fine; cancels what runs, without `end` */

struct net_curl_transfer *net_curl_start(struct net_curl *all, const struct net_request *request,
					 struct buffer *body, const struct net_events *events,
					 void *ctx, struct error *err);
void net_curl_cancel(struct net_curl_transfer *transfer);

#endif
