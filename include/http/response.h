/*
 * response: what goes out, whatever the transport. A body, which `more` may go on with piece by
 * piece; or `stream`: a run's bytes, which the engine will write through the transport's sink.
 *
 * A header's value with a control character in it is refused by response_header, so no client byte
 * can split one: it is counted, and the answer it belonged to is not given.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "base/buffer.h"
#include "base/error.h"

struct stream_ticket; /* stream/engine.h */

struct response {
	int status;
	struct buffer headers; /* "Name: value\r\n" each, without the blank line */
	size_t kept;           /* bytes of headers that stay whatever becomes of the answer */
	bool header_refused;   /* one held a control character: a bug, answered 500 */
	struct buffer body;
	/* Of an answer too large to be held whole: appends the next piece to out, which is empty;
	 * false: nothing is left behind it. When out fails the answer is cut, so that its reader
	 * sees that it is not whole. What ctx points to lives until response_done. */
	bool (*more)(void *ctx, struct buffer *out);
	void *more_ctx;
	/* What the answer is made of, let go by response_done; NULL: nothing. */
	void (*let_go)(void *ctx);
	void *let_go_ctx;
	const char *route;            /* the route's template, for log and metrics; a literal */
	int route_label;              /* its number in M_REQUESTS */
	enum error_code error;        /* ERROR_NONE, or why it is not a success: for the log */
	char user[17];                /* who asked, as the log may name it; "" when nobody knows */
	struct stream_ticket *stream; /* NULL for a plain answer; else the body is the stream's and
					 status is 200 */
};

void response_init(struct response *response);
void response_done(struct response *response);

/* What the headers hold by now stays, also when the answer becomes a problem. */
void response_keep(struct response *response);
/* The answer becomes another one: all but the kept headers is dropped. */
void response_restart(struct response *response);

/* false (and nothing added) when the value holds a control character or does not fit. Without
 * memory for it headers.failed is set, and the answer is none any more. */
bool response_header(struct response *response, const char *name, struct slice value);
bool response_headerf(struct response *response, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What every answer says to browsers. X(name, value, what it is for) */
/* clang-format off */
#define RESPONSE_SHIELD(X) \
	X("X-Content-Type-Options", "nosniff", "the type of an answer is what it says") \
	X("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'", "nothing in an answer runs, and no page frames it") \
	X("Referrer-Policy", "no-referrer", "the address is told to nobody") \
	X("Cross-Origin-Resource-Policy", "same-origin", "no page elsewhere takes it in")
/* clang-format on */
void response_shield(struct response *response);

/* Sets status, Content-Type: application/json, no-store; the body is then written by the caller. */
void response_json(struct response *response, int status);

#endif
