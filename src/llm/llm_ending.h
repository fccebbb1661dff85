/*
 * llm_ending: the ways in which a call ends, and what each means, as one table.
 */
#ifndef LLM_ENDING_H
#define LLM_ENDING_H

#include "llm/llm.h"

enum llm_ending {
	ENDING_COMPLETE,
	ENDING_LENGTH,
	ENDING_FILTERED,    /* finish_reason content_filter */
	ENDING_UNSUPPORTED, /* tool_calls, or a reason nobody knows */
	ENDING_CONNECT,
	ENDING_DNS,
	ENDING_TLS,
	ENDING_TIMEOUT,
	ENDING_CUT,       /* before any text */
	ENDING_CUT_TEXT,  /* in mid answer */
	ENDING_EMPTY,     /* a clean end that says nothing, before any text */
	ENDING_LIMITED,   /* 429 */
	ENDING_REFUSED,   /* 401 403 404: our key or our model */
	ENDING_UNFIT,     /* 400 413 422: what was asked, or how we ask */
	ENDING_STATUS,    /* any other status */
	ENDING_NO_STREAM, /* 200, but no event stream */
	ENDING_PROTOCOL,
	ENDING_ERROR_OBJECT,
	ENDING_UNSENT,    /* no memory, or no descriptor, to ask with */
	ENDING_NO_MEMORY, /* for what was answered */
	ENDING_COUNT
};

/* Is the answer whole, as far as the upstream gave it? */
bool llm_ending_is_good(enum llm_ending ending);

enum llm_ending llm_ending_of_status(int status);
enum llm_ending llm_ending_of_reason(const char *finish_reason);
enum llm_ending llm_ending_of_failure(enum net_failure failure, bool any_text);

/* Fills outcome, error, verdict and asked, and counts the failure. retry_after_s: the upstream's
 * wish, -1 for none.
 */
void llm_ending_tell(enum llm_ending ending, int retry_after_s, struct llm_end *out);

/* A short word for the log. */
const char *llm_ending_word(enum llm_ending ending);

#endif
