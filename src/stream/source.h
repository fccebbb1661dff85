/*
 * source: where an answer's text comes from. A run takes one after another into one answer: an
 * attempt at the upstream (source_upstream.h), the file that another worker writes
 * (source_file.h); what else there may be one day (a second model, a tool's round, another node)
 * looks the same to it.
 *
 *   begin ──► room, text | grown ──► end ──► saved (of a file)
 *
 * On the loop's thread. Events come from inside `begin` and later, never from inside `free`.
 */
#ifndef STREAM_SOURCE_H
#define STREAM_SOURCE_H

#include "base/buffer.h"
#include "base/error.h"
#include "model/message.h"

struct source_end {
	enum message_status status; /* not STREAMING */
	const char *finish_reason;
	struct usage usage;
	bool asked; /* the model may have got the question */
	struct error error;
};

struct source_events {
	/* Where new text is appended, to be kept, then shown; `text` follows at once. */
	struct buffer *(*room)(void *ctx);
	void (*text)(void *ctx, size_t len);                  /* so much was */
	void (*grown)(void *ctx);                             /* there is more in the spool */
	void (*end)(void *ctx, const struct source_end *end); /* once; no text behind it */
	void (*saved)(void *ctx); /* whoever writes the file has saved it; behind the end */
};

struct source;

struct source_ops {
	void (*begin)(struct source *source); /* its owner is ready for events */
	void (*free)(struct source *source);  /* ends it at once, without an event */
};

/* The first member of each kind; `events` and `ctx` are set before it begins. */
struct source {
	const struct source_ops *ops;
	const struct source_events *events;
	void *ctx;
};

#endif
