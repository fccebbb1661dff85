/*
 * request: what came in, whatever the transport. Views live as long as the request. No value was
 * checked yet beyond what is said here.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include <stdint.h>

/* The request headers that c1d reads; any other never gets past the transport. */
#define REQUEST_HEADERS(X)                                                                         \
	X(HOST, "HTTP_HOST")                                                                       \
	X(ORIGIN, "HTTP_ORIGIN")                                                                   \
	X(AUTHORIZATION, "HTTP_AUTHORIZATION")                                                     \
	X(COOKIE, "HTTP_COOKIE")                                                                   \
	X(SEC_FETCH_SITE, "HTTP_SEC_FETCH_SITE")                                                   \
	X(X_FORWARDED_FOR, "HTTP_X_FORWARDED_FOR")                                                 \
	X(IDEMPOTENCY_KEY, "HTTP_IDEMPOTENCY_KEY")                                                 \
	X(IF_MATCH, "HTTP_IF_MATCH")                                                               \
	X(IF_NONE_MATCH, "HTTP_IF_NONE_MATCH")                                                     \
	X(LAST_EVENT_ID, "HTTP_LAST_EVENT_ID")                                                     \
	X(ACCEPT, "HTTP_ACCEPT")                                                                   \
	X(CONTENT_TYPE, "CONTENT_TYPE")

enum request_header {
#define X(id, param) HEADER_##id,
	REQUEST_HEADERS(X)
#undef X
		HEADER_COUNT
};

#define REQUEST_ID_MAX 64

struct request {
	struct slice method;
	struct slice target; /* REQUEST_URI as it came: the only thing that is routed on */
	struct slice path;   /* the target up to '?', still encoded */
	struct slice query;  /* behind it, "" without */
	/* "" when absent; of two lines the first, of two X-Forwarded-For neither. */
	struct slice headers[HEADER_COUNT];
	/* The transport reads the body when a handler's route is known: at most max bytes,
	 * ERROR_TOO_LARGE over it, ERROR_OVERLOADED when the budget has no room for it. Who has
	 * read it may let it go (buffer_done) before the request ends. */
	struct buffer body;
	bool (*read_body)(struct request *request, size_t max, struct error *err);
	void *transport;
	char id[REQUEST_ID_MAX]; /* the web server's when it is well-formed, else ours */
	struct slice remote_addr;
	/* What the web server says under a name that no client can use; "" when it says nothing, or
	 * says it twice. NULL: there is no web server (tests). */
	struct slice (*param)(const struct request *request, const char *name);
	bool is_https; /* as far as the web server knows: TLS may have ended before it */
	int64_t arrived_ms, arrived_us; /* monotonic, the same moment */
	struct arena *arena;            /* lives as long as the request */
	struct budget *budget;          /* that large things are drawn from; NULL: no limit */
};

/* Splits target into path and query. ERROR_BAD_REQUEST unless it is an absolute path of printable
 * ASCII. */
bool request_split_target(struct request *request, struct error *err);

/* Cuts the next parameter off what is left of a query: name and value as they stand, still encoded.
 * false: none is left. */
bool request_next_param(struct slice *rest, struct slice *name, struct slice *value);

/* Percent-decodes one path segment or query value ('+' is a space when form) into the arena, a NUL
 * behind it. ERROR_BAD_REQUEST for bad encoding or a NUL, ERROR_BAD_UTF8. */
bool request_decode(struct arena *arena, struct slice text, bool form, struct slice *out,
		    struct error *err);

#endif
