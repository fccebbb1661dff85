/*
 * sse: server-sent events, read as they come:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html Pure: how the bytes are cut into
 * feeds changes nothing. Only `data` matters here; other fields are skipped.
 */
#ifndef LLM_SSE_H
#define LLM_SSE_H

#include "base/buffer.h"
#include "base/slice.h"

#define SSE_LINE_MAX (1 << 20) /* of a line, and of the data of one event */

/* One event's data. False stops the reading at once. */
typedef bool (*sse_event)(void *ctx, struct slice data);

enum sse_result { SSE_OK, SSE_STOPPED, SSE_TOO_LONG, SSE_NO_MEMORY };

struct sse {
	struct buffer line; /* of an unfinished line */
	struct buffer data; /* of an unfinished event, unless it lies in the bytes being fed */
	struct slice fed;   /* the event's only data line so far, in the bytes being fed */
	bool has_data;
	bool after_cr;     /* a LF that follows belongs to it */
	unsigned bom_seen; /* bytes of the byte order mark matched; BOM_OVER when that is decided */
};

void sse_init(struct sse *sse);
void sse_done(struct sse *sse);

/* What is left of an event without its blank line is never told (the specification's words). */
enum sse_result sse_feed(struct sse *sse, struct slice bytes, sse_event event, void *ctx);

#endif
