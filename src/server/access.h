/*
 * access: the one log line a request, and its count: id, method, route, status, who asked (a keyed
 * hash), time to the first byte, time, bytes, outcome, and of a stream its run. Nothing that a
 * client chose is in it but the method, nothing of what was said, no key and no query.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "http/request.h"
#include "http/response.h"
#include "stream/sink.h"

/* What outlives the request: a stream's line is written when the stream ends. */
struct access {
	char id[REQUEST_ID_MAX];
	char method[16];
	char user[sizeof((struct response *)NULL)->user];
	const char *route; /* a literal */
	int route_label;
	int64_t arrived_us;    /* monotonic */
	int64_t first_byte_us; /* monotonic: when the answer's head was sent; 0: not yet */
};

void access_fill(struct access *out, const struct request *request,
		 const struct response *response);
/* The first bytes go out now. */
void access_first_byte(struct access *access);
void access_answer(const struct access *access, int status, int64_t bytes, const char *outcome);
void access_stream(const struct access *access, const struct sink_summary *summary);

#endif
