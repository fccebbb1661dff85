/*
 * sink: where a follower's bytes go. server/ makes one of FastCGI records, tests make one of a
 * buffer.
 *
 * Never blocks. A call takes all it is given: what the peer does not take now is kept by the sink
 * (SINK_BLOCKED), and nothing more may be sent until flush says SINK_DONE. So a sink holds one
 * chunk at most. SINK_GONE: the peer has left; only close may follow. The engine's thread only,
 * once handed over.
 */
#ifndef STREAM_SINK_H
#define STREAM_SINK_H

#include "base/error.h"
#include "base/slice.h"
#include <stdint.h>

#define SINK_CHUNK_MAX 16384 /* the most bytes of one send */

enum sink_result { SINK_DONE, SINK_BLOCKED, SINK_GONE };

/* For the access log line that close writes. */
struct sink_summary {
	int status;          /* 200, or the early failure's; 499: gone before anything was sent */
	int64_t bytes;       /* of the body */
	const char *outcome; /* a message status, or "client_gone" */
	const char *run_id;
};

struct sink;

struct sink_ops {
	int (*fd)(struct sink *sink); /* to watch for EPOLLRDHUP and EPOLLOUT; -1: there is none */
	/* Status line and header lines ("Name: value\r\n" each): kept, and sent with the first
	 * bytes or the end. */
	void (*begin)(struct sink *sink, int status, struct slice headers);
	enum sink_result (*send)(struct sink *sink, struct slice bytes);
	enum sink_result (*flush)(struct sink *sink);
	enum sink_result (*end)(
		struct sink *sink); /* the body's end; SINK_DONE: all of it is with the kernel */
	void (*close)(struct sink *sink, const struct sink_summary *summary); /* frees it */
};

struct sink {
	const struct sink_ops *ops;
};

#endif
