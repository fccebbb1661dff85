/*
 * events: every Server-Sent Event that an answer is told in, in the order in which they come.
 * framing.c writes them, docs/reference/events.md is made of them.
 */
#ifndef STREAM_EVENTS_H
#define STREAM_EVENTS_H

#define EVENT_RUN   "run"
#define EVENT_DELTA "delta"
#define EVENT_ERROR "error"
#define EVENT_USAGE "usage"
#define EVENT_DONE  "done"

/* X(name, schema of its data in /api/openapi.json or NULL for a JSON string, when it comes) */
/* clang-format off */
#define STREAM_EVENTS(X) \
	X(EVENT_RUN, "EventRun", "first: which answer this is") \
	X(EVENT_DELTA, NULL, "the next piece of the text, whole characters; `id:` counts it in") \
	X(EVENT_ERROR, "Problem", "what went wrong, as in an error's body; `done` follows unless the client itself was cut off") \
	X(EVENT_USAGE, "EventUsage", "what the model says that it used, when it does") \
	X(EVENT_DONE, "EventDone", "last: how the answer ended; a stream without it was cut")
/* clang-format on */

/* What comes after silence (C1D_HEARTBEAT_MS): a comment, which readers of events pass over. */
#define EVENT_HEARTBEAT ": hb"

#endif
