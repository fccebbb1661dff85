/*
 * stream: what requests and the engine say to each other: in which form an answer is sent, how a
 * run starts, and the ticket that carries a stream from a request thread to the engine.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "base/buffer.h"
#include "config/config.h"
#include "stream/sink.h"
#include "stream/spool.h"

/* Called on the engine's thread; must not block. */
struct engine_hooks {
	/* A run has ended and its spool says how. The saver saves it, marks the spool saved, and
	 * calls engine_saved. The reference to the spool is the callee's. */
	void (*ended)(void *ctx, struct spool *spool);
	void *ctx;
};

/* In which form it is sent (src/stream/framing.h). */
enum stream_format { STREAM_RAW, STREAM_SSE, STREAM_OPENAI };
const char *stream_type(enum stream_format format); /* its Content-Type */

/* What becomes of the run when its last follower leaves. */
enum leave_policy { LEAVE_CONTINUE, LEAVE_CANCEL, LEAVE_GRACE };

struct stream_options {
	enum stream_format format;
	int64_t keepalive_ms; /* raw: a comment after so much silence; 0: none. The others always
				 have their heartbeat */
	bool errors_card;     /* raw: failures are shown as a card, with 200 */
	int64_t offset;       /* follow from this byte of the answer */
	int64_t until_ms;     /* wall: the client is cut off then, since it counts as signed in no
				 longer; 0: never */
	char request_id[64];
	size_t headers_kept; /* so much of its headers stays when a problem is answered instead */
};

struct run_start {
	struct spool *spool; /* just made; the engine takes the reference */
	struct buffer body;  /* the upstream request; taken over */
	enum leave_policy leave;
	int64_t grace_ms;
	int64_t arrived_ms; /* monotonic, of the request: for the durations */
};

/* A new run with its first follower. Takes start->spool and start->body; headers is copied. NULL:
 * no memory, nothing was taken. */
struct stream_ticket *stream_ticket_start(const struct stream_options *options,
					  struct run_start *start, struct slice headers);
/* A follower of a run that exists, on this worker or another, ended or not. Takes the reference to
 * the spool (spool_open's). */
struct stream_ticket *stream_ticket_follow(const struct stream_options *options,
					   struct spool *spool, struct slice headers);
/* An answer that is over and no longer kept as a run: what a follower would have got. The text is
 * put into a file without a name, so that neither this thread nor memory waits for a slow reader.
 * ERROR_SPOOL. */
struct stream_ticket *stream_ticket_replay(const struct config *config,
					   const struct stream_options *options,
					   const struct spool_record *record, struct slice text,
					   struct slice headers, struct error *err);
/* The id of the ticket's run. */
const char *stream_ticket_run(const struct stream_ticket *ticket);
/* One that was never handed over: its run ends as `interrupted`, through the hooks' ended. NULL is
 * fine. */
void stream_ticket_drop(struct stream_ticket *ticket, const struct engine_hooks *hooks);

#endif
