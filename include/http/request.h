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
	X(SEC_FETCH_SITE, "HTTP_SEC_FETCH_SITE")                                                   \
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
	struct slice headers[HEADER_COUNT]; /* "" when absent */
	/* The transport reads the body when a handler's route is known: at most max bytes,
	 * ERROR_TOO_LARGE over it, ERROR_OVERLOADED when the budget has no room for it. Who has
	 * read it may let it go (buffer_done) before the request ends. */
	struct buffer body;
	bool (*read_body)(struct request *request, size_t max, struct error *err);
	void *transport;
	char id[REQUEST_ID_MAX]; /* the web server's when it is well-formed, else ours */
	struct slice remote_addr;
	bool is_https; /* as far as the web server knows: TLS may have ended before it */
	int64_t arrived_ms, arrived_us; /* monotonic, the same moment */
	struct arena *arena;            /* lives as long as the request */
	struct budget *budget;          /* that large things are drawn from; NULL: no limit */
};

/* Splits target into path and query. ERROR_BAD_REQUEST unless it is an absolute path of printable
 * ASCII. */
bool request_split_target(struct request *request, struct error *err);

/* The decoded value of a query parameter, in the arena. false with err NONE when absent; with an
 * error for bad encoding (ERROR_BAD_REQUEST), bad UTF-8 or a NUL, or the same name twice. */
bool request_query(const struct request *request, const char *name, struct slice *out,
		   struct error *err);

/* A whole number within [min, max], or `absent`. ERROR_VALIDATION naming the parameter. */
bool request_query_int(const struct request *request, const char *name, int64_t min, int64_t max,
		       int64_t absent, int64_t *out, struct error *err);

/* Percent-decodes one path segment or query value ('+' is a space when form). */
bool request_decode(struct arena *arena, struct slice text, bool form, struct slice *out,
		    struct error *err);

#endif
