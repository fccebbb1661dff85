/*
 * llm: one call of the C1 API (OpenAI chat completions, streamed): prompt -> request; SSE ->
 * deltas. https://docs.thesys.dev/api-reference ;
 * https://platform.openai.com/docs/api-reference/chat/streaming
 *
 * What comes out of `text` is C1 text that the web client renders: C1 deltas pass verbatim, plain
 * text is wrapped as a Card, <custommarkdown> (it crashes the client) is rewritten to a Card, or to
 * a note beside the one that is there. Text is always whole UTF-8 characters.
 */
#ifndef LLM_LLM_H
#define LLM_LLM_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"
#include "llm/llm_health.h"
#include "model/message.h"
#include "net/net.h"

struct llm_message {
	enum message_role role;
	struct slice content;
};

/* The body of the request. ERROR_VALIDATION is not possible: contents are UTF-8 by then. */
bool llm_request_body(const char *model, const struct llm_message *messages, size_t count,
		      struct buffer *out);

/* How a call ended. error.code is ERROR_NONE when `outcome` is COMPLETE, LENGTH or STOPPED-free;
 * its words may be shown. */
struct llm_end {
	enum message_status outcome; /* COMPLETE, LENGTH, ERROR (failed before the first text, error
					object, filter), INTERRUPTED */
	char finish_reason[32]; /* the upstream's, verbatim (checked: printable); "" for none */
	struct usage usage;     /* all three or none */
	bool asked; /* the model may have got the question: asking again may cost twice */
	struct error error;
	enum llm_verdict verdict; /* what it says of the C1 API's health */
};

struct llm_events {
	void (*byte)(void *ctx); /* anything came from upstream (deadlines); before the others */
	/* Where text is appended next; what is there stays. `text` follows at once. */
	struct buffer *(*room)(void *ctx);
	void (*text)(void *ctx, size_t len); /* so much was; 0: nothing came of it */
	void (*end)(void *ctx,
		    const struct llm_end
			    *end); /* exactly once unless cancelled; the call is gone afterwards */
};

/* What all calls of an engine share. */
struct llm {
	struct net_multi *multi;
	const struct config *config;
	struct buffer scratch; /* one delta without its escapes */
};

void llm_init(struct llm *llm, struct net_multi *multi, const struct config *config);
void llm_done(struct llm *llm); /* a zeroed one is fine */

/* The first call finds a connection that is open: it is dialled in `ms` from now, if at all
 * (net.h). The engine's thread, or before there is one. */
void llm_dial_ahead(struct llm *llm, int64_t ms);

struct llm_call;

/* run_id names the call in the log and must live as long as it. body is taken over, also on
 * failure, and let go as soon as it has been sent. The engine's thread. */
struct llm_call *llm_start(struct llm *llm, const char *run_id, struct buffer *body,
			   const struct llm_events *events, void *ctx, struct error *err);
void llm_cancel(struct llm_call *call); /* closes the upstream connection or stream at once; no
					   further event */

#endif
