/*
 * net: HTTP to others, over libcurl; a long stream over TLS by HTTP/2 of our own (RFC 9113, nghttp2
 * and OpenSSL) where the server speaks it. Certificates are always verified, redirects are never
 * followed, proxies of the environment are ignored, plain http speaks HTTP/1.1 only (h2c is broken
 * in Debian 12's curl, curl #10634), and no content encoding is asked for unless the request wants
 * it. Error texts for clients name no host.
 *
 * A request is processed at most once: when a kept connection turns out to be dead behind it, the
 * transfer fails (NET_CUT) and the caller decides. Only when a server says by HTTP/2 that it has
 * processed nothing of it (REFUSED_STREAM, or a GOAWAY that names an earlier stream as its last) it
 * is sent anew, three times in all. The connect deadline covers everything before the request is
 * sent: the name server, TCP, TLS, and the wait for a connection that has room for it. What befalls
 * one transfer (no descriptor, no memory) ends that one alone.
 *
 * One net_multi carries all transfers of one engine, on its loop, on its thread.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/reach.h"

/* Once a process, before threads. */
bool net_init(struct error *err);
void net_done(void);
/* Loads the modules by which the system's resolver finds names (nsswitch.conf), too. */
void net_wake(void);
/* What it takes to ask this address: its port, the resolver's files, certificates (ca_file NULL:
 * the system's). url NULL: an address that another library calls. */
void net_reach(const char *url, const char *ca_file, struct reach *reach);
/* Of the libraries behind this, curl and nghttp2, as built against or as running: for `c1d
 * version`. */
const char *net_version(bool running);
const char *net_h2_version(bool running);

/* Blocking: does the host of this address answer, with TLS when it is https? Nothing is sent. Any
 * thread. */
bool net_probe(const char *url, const char *ca_file, int64_t ms, struct error *err);

struct net_multi;
struct net_transfer;

struct net_request {
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated; copied. Secrets in them are
				       never logged */
	const char *ca_file;        /* NULL: the system's */
	int64_t connect_ms;
	bool may_gzip; /* net_start: the answer's body may come compressed; it is handed on plain */
	bool is_stream; /* net_start: the answer comes piece by piece for a long time */
};

/* Blocking, any thread: one request (a POST with that body, a GET without) and the status of its
 * answer, all within `ms`. The error's detail is curl's word for what went wrong. */
bool net_ask(const struct net_request *request, struct slice body, int64_t ms, int *status,
	     struct error *err);

/* What a GET brought, beside its body. */
struct net_got {
	int status;
	int64_t max_age_s; /* Cache-Control's max-age; -1: it says none, or that nothing be kept */
};
/* Blocking, any thread: one GET and its answer's body, which the buffer's cap bounds
 * (ERROR_TOO_LARGE), all within `ms`. Given up within about a second once *stop is true. */
bool net_get(const struct net_request *request, int64_t ms, const _Atomic bool *stop,
	     struct buffer *body, struct net_got *got, struct error *err);

/* How a transfer failed. The last two are our own doing: no memory or no descriptor, before any of
 * the request was sent, or behind that. */
enum net_failure {
	NET_OK,
	NET_CONNECT,
	NET_DNS,
	NET_TLS,
	NET_TIMEOUT,
	NET_CUT,
	NET_PROTOCOL,
	NET_UNSENT,
	NET_NO_MEMORY
};

/* In a word or two, for the log: "no connection". */
const char *net_failure_word(enum net_failure failure);

struct net_response {
	int status;
	struct slice content_type; /* "" when absent */
	int retry_after_s;         /* seconds or HTTP date, clamped to 0..86400; -1 when absent */
};

/* All on the loop's thread. From inside them net_cancel and net_deadline of this transfer are
 * allowed; of others, and net_start, from `end` only. */
struct net_events {
	/* The final response's head (1xx are skipped). */
	void (*head)(void *ctx, const struct net_response *response);
	void (*body)(void *ctx, struct slice bytes);
	/* Exactly once unless cancelled; the transfer is gone afterwards. NET_OK: the body came
	 * whole. */
	void (*end)(void *ctx, enum net_failure failure);
};

struct net_multi *net_multi_open(struct loop *loop, size_t connections_max, struct error *err);
void net_multi_free(struct net_multi *multi); /* cancels what runs, without `end` */

/* POSTs the body, which is taken over, also on failure, and let go as soon as it has been sent;
 * over HTTP/2 two seconds later, since it may be refused until then. */
struct net_transfer *net_start(struct net_multi *multi, const struct net_request *request,
			       struct buffer *body, const struct net_events *events, void *ctx,
			       struct error *err);
/* A connection for such requests is opened in `ms` from now, unless one of them has come by then:
 * none has to wait for name server, TCP and TLS. Where they go over HTTP/2, or it has to be found
 * out whether they do; else nothing happens. What goes wrong is in the log, and nobody's error. */
void net_dial_ahead(struct net_multi *multi, const struct net_request *request, int64_t ms);

/* Closes it at once (HTTP/2: resets the stream, others on the connection go on); no further event.
 */
void net_cancel(struct net_transfer *transfer);

/* Unless it is over by then, it ends with NET_TIMEOUT in `ms` from now. A later call moves it. */
void net_deadline(struct net_transfer *transfer, int64_t ms);

#endif
