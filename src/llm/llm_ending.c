/*
 * llm_ending: how a call ended: what the message's status becomes, what the client is told, what is
 * counted.
 */
#include "llm_ending.h"

#include "base/metrics.h"

#define RETRY_AFTER_MAX_S     60
#define RETRY_AFTER_DEFAULT_S 10 /* limits are counted by the minute */
#define NOT_COUNTED           (-1)

/* clang-format off */
static const struct {
	enum message_status outcome;
	enum error_code code;
	int kind; /* of M_UPSTREAM_ERRORS */
	enum llm_verdict verdict;
	const char *word, *detail;
} endings[ENDING_COUNT] = {
	[ENDING_COMPLETE] = { STATUS_COMPLETE, ERROR_NONE, NOT_COUNTED, LLM_WORKS,
		"complete", "" },
	[ENDING_LENGTH] = { STATUS_LENGTH, ERROR_NONE, NOT_COUNTED, LLM_WORKS,
		"length", "" },
	[ENDING_FILTERED] = { STATUS_ERROR, ERROR_UPSTREAM, NOT_COUNTED, LLM_WORKS,
		"filtered", "The C1 API's content filter stopped the answer." },
	[ENDING_UNSUPPORTED] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_protocol, LLM_SAYS_NOTHING,
		"unsupported finish reason", "The C1 API ended the answer in a way that is not supported." },
	[ENDING_CONNECT] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_connect, LLM_FAILS,
		"connect", "The C1 API could not be reached; try again." },
	[ENDING_DNS] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_dns, LLM_FAILS,
		"dns", "The C1 API could not be found; try again." },
	[ENDING_TLS] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_tls, LLM_FAILS,
		"tls", "No secure connection to the C1 API could be made." },
	[ENDING_TIMEOUT] = { STATUS_ERROR, ERROR_UPSTREAM_TIMEOUT, METRIC_UPSTREAM_timeout, LLM_FAILS,
		"timeout", "The C1 API did not answer in time; try again." },
	[ENDING_CUT] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_cut, LLM_FAILS,
		"cut before any text", "The C1 API broke off before it answered; try again." },
	[ENDING_CUT_TEXT] = { STATUS_INTERRUPTED, ERROR_UPSTREAM, METRIC_UPSTREAM_cut, LLM_FAILS,
		"cut", "The C1 API broke off in mid answer." },
	[ENDING_EMPTY] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_protocol, LLM_FAILS,
		"empty", "The C1 API gave no answer; try again." },
	[ENDING_LIMITED] = { STATUS_ERROR, ERROR_UPSTREAM_LIMITED, METRIC_UPSTREAM_status, LLM_FAILS,
		"limited", "The C1 API takes no more of our requests for now." },
	[ENDING_REFUSED] = { STATUS_ERROR, ERROR_UPSTREAM_CONFIG, METRIC_UPSTREAM_status, LLM_FAILS,
		"refused", "The C1 API refused this server's request; its operator has to look at the key "
		"and the model." },
	[ENDING_UNFIT] = { STATUS_ERROR, ERROR_UPSTREAM_CONFIG, METRIC_UPSTREAM_status, LLM_SAYS_NOTHING,
		"unfit", "The C1 API does not take this request: the conversation may be too long for the "
		"model, or the server's operator has to look at the model." },
	[ENDING_STATUS] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_status, LLM_FAILS,
		"status", "The C1 API failed; try again." },
	[ENDING_NO_STREAM] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_protocol, LLM_FAILS,
		"no stream", "The C1 API answered with something else than a stream." },
	[ENDING_PROTOCOL] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_protocol, LLM_FAILS,
		"protocol", "The C1 API sent something that is no answer." },
	[ENDING_ERROR_OBJECT] = { STATUS_ERROR, ERROR_UPSTREAM, METRIC_UPSTREAM_status, LLM_FAILS,
		"error in the stream", "The C1 API reported an error; try again." },
	[ENDING_UNSENT] = { STATUS_ERROR, ERROR_OVERLOADED, NOT_COUNTED, LLM_SAYS_NOTHING,
		"unsent", "There is no memory to ask the C1 API; try again." },
	[ENDING_NO_MEMORY] = { STATUS_ERROR, ERROR_OVERLOADED, NOT_COUNTED, LLM_SAYS_NOTHING,
		"no memory", "There is no memory for the answer; ask anew." },
};
/* clang-format on */

bool llm_ending_is_good(enum llm_ending ending)
{
	return endings[ending].code == ERROR_NONE;
}

enum llm_ending llm_ending_of_status(int status)
{
	switch (status) {
	case 429: return ENDING_LIMITED;
	case 401:
	case 403:
	case 404: return ENDING_REFUSED;
	case 400:
	case 413:
	case 422: return ENDING_UNFIT;
	default: return ENDING_STATUS;
	}
}

enum llm_ending llm_ending_of_reason(const char *finish_reason)
{
	static const struct {
		const char *reason;
		enum llm_ending ending;
	} reasons[] = {
		{ "", ENDING_COMPLETE }, /* [DONE] without a reason */
		{ "stop", ENDING_COMPLETE },
		{ "length", ENDING_LENGTH },
		{ "content_filter", ENDING_FILTERED },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strcmp(finish_reason, reasons[i].reason) == 0)
			return reasons[i].ending;
	return ENDING_UNSUPPORTED;
}

enum llm_ending llm_ending_of_failure(enum net_failure failure, bool any_text)
{
	static const enum llm_ending before_text[] = {
		[NET_OK] = ENDING_EMPTY,
		[NET_CONNECT] = ENDING_CONNECT,
		[NET_DNS] = ENDING_DNS,
		[NET_TLS] = ENDING_TLS,
		[NET_TIMEOUT] = ENDING_TIMEOUT,
		[NET_CUT] = ENDING_CUT,
		[NET_PROTOCOL] = ENDING_PROTOCOL,
		[NET_UNSENT] = ENDING_UNSENT,
		[NET_NO_MEMORY] = ENDING_NO_MEMORY,
	};

	return any_text && failure != NET_NO_MEMORY ? ENDING_CUT_TEXT : before_text[failure];
}

void llm_ending_tell(enum llm_ending ending, int retry_after_s, struct llm_end *out)
{
	out->outcome = endings[ending].outcome;
	out->verdict = endings[ending].verdict;
	out->asked = ending != ENDING_CONNECT && ending != ENDING_DNS && ending != ENDING_TLS &&
		     ending != ENDING_UNSENT;
	if (endings[ending].code != ERROR_NONE)
		error_set(&out->error, endings[ending].code, "%s", endings[ending].detail);
	if (endings[ending].kind != NOT_COUNTED)
		metrics_add(M_UPSTREAM_ERRORS, endings[ending].kind, 0, 1);
	if (ending != ENDING_LIMITED)
		return;
	if (retry_after_s < 0)
		retry_after_s = RETRY_AFTER_DEFAULT_S;
	out->error.retry_after_s = retry_after_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S
				   : retry_after_s < 1               ? 1
								     : retry_after_s;
}

const char *llm_ending_word(enum llm_ending ending)
{
	return endings[ending].word;
}
