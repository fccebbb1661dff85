/*
 * firestore_answer: see firestore_answer.h. An error has the word of google.rpc.Code in its body,
 * as {"error":{"status":"ABORTED",...}}, or as the first of an array where answers are streamed;
 * where something else answered there is the HTTP status alone.
 */
#include "firestore_answer.h"

#include <strings.h>

#define SAID_MAX 512

/* "status": "WORD" of an error's text, without a parser: it may be anything, of any size. */
static struct slice word_of(struct slice text)
{
	static const char name[] = "\"status\"";
	const char *at = text.len > 0 ? memmem(text.ptr, text.len, name, sizeof name - 1) : NULL;
	const char *end = text.ptr + text.len, *word;

	if (!at)
		return SLICE("");
	for (at += sizeof name - 1; at < end && strchr(" :\t\r\n", *at) && *at; at++)
		;
	if (at == end || *at++ != '"')
		return SLICE("");
	for (word = at; at < end && ((*at >= 'A' && *at <= 'Z') || *at == '_'); at++)
		;
	return (struct slice){ word, (size_t)(at - word) };
}

static enum firestore_status of_failure(const struct net_answer *answer)
{
	if (answer->is_too_large || answer->failure == NET_NO_MEMORY ||
	    answer->failure == NET_UNSENT)
		return FIRESTORE_TOO_LARGE;
	return answer->was_sent ? FIRESTORE_UNKNOWN : FIRESTORE_DOWN;
}

static bool is_json(const struct net_answer *answer)
{
	static const char type[] = "application/json";

	return strncasecmp(answer->content_type, type, sizeof type - 1) == 0;
}

struct firestore_result firestore_result_of(const struct net_answer *answer, struct slice text)
{
	struct firestore_result result = { .http = answer->status,
					   .retry_after_s = answer->retry_after_s,
					   .was_sent = answer->was_sent };
	struct slice word;

	if (answer->failure != NET_OK) {
		result.http = 0;
		result.status = of_failure(answer);
		result.is_nobody_there =
			answer->failure == NET_CONNECT || answer->failure == NET_CUT;
		result.said = slice_of(net_failure_word(answer->failure));
		return result;
	}
	result.said = (struct slice){ text.ptr, text.len < SAID_MAX ? text.len : SAID_MAX };
	result.was_sent = true;
	if (answer->status == 200) { /* of a portal, a proxy: it may have got there or not */
		result.status = is_json(answer) ? FIRESTORE_OK : FIRESTORE_UNKNOWN;
		return result;
	}
	word = word_of(text);
	result.status =
		word.len > 0 ? firestore_status_of(word) : firestore_status_of_http(answer->status);
	result.is_unauthorized = answer->status == 401;
	return result;
}
