/* access: the one log line a request, and its count. */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "http/request.h"
#include "stream/sink.h"

/* What outlives the request: a stream's line is written when the stream ends. */
struct access {
	char id[REQUEST_ID_MAX];
	char method[16];
	const char *route; /* a literal */
	int route_label;
	int64_t arrived_us; /* monotonic */
};

void access_fill(struct access *out, const struct request *request, const char *route,
		 int route_label);
void access_answer(const struct access *access, int status, int64_t bytes, const char *outcome);
void access_stream(const struct access *access, const struct sink_summary *summary);

#endif
