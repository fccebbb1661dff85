/* firestore_status: see firestore_status.h. */
#include "firestore_status.h"

static const struct code {
	const char *word;
	int http;
	enum firestore_status status;
} codes[] = {
	{ "NOT_FOUND", 404, FIRESTORE_NOT_FOUND },
	{ "ALREADY_EXISTS", 409, FIRESTORE_EXISTS },
	{ "ABORTED", 409, FIRESTORE_ABORTED },
	{ "FAILED_PRECONDITION", 400, FIRESTORE_PRECONDITION },
	{ "INVALID_ARGUMENT", 400, FIRESTORE_INVALID },
	{ "OUT_OF_RANGE", 400, FIRESTORE_INVALID },
	{ "UNIMPLEMENTED", 501, FIRESTORE_INVALID },
	{ "PERMISSION_DENIED", 403, FIRESTORE_DENIED },
	{ "UNAUTHENTICATED", 401, FIRESTORE_DENIED },
	{ "RESOURCE_EXHAUSTED", 429, FIRESTORE_BUSY },
	{ "UNAVAILABLE", 503, FIRESTORE_DOWN },
	{ "DEADLINE_EXCEEDED", 504, FIRESTORE_UNKNOWN },
	{ "CANCELLED", 499, FIRESTORE_UNKNOWN },
	{ "INTERNAL", 500, FIRESTORE_UNKNOWN },
	{ "UNKNOWN", 500, FIRESTORE_UNKNOWN },
	{ "DATA_LOSS", 500, FIRESTORE_UNKNOWN },
};

static const struct meaning {
	const char *word;
	enum error_code error;
} meanings[] = {
	[FIRESTORE_OK] = { "ok", ERROR_NONE },
	[FIRESTORE_NOT_FOUND] = { "not found", ERROR_NOT_FOUND },
	[FIRESTORE_EXISTS] = { "exists", ERROR_CONFLICT },
	[FIRESTORE_PRECONDITION] = { "a precondition failed", ERROR_STORE },
	[FIRESTORE_ABORTED] = { "aborted", ERROR_STORE_TIMEOUT },
	[FIRESTORE_INVALID] = { "invalid", ERROR_STORE },
	[FIRESTORE_DENIED] = { "denied", ERROR_STORE_DOWN },
	[FIRESTORE_BUSY] = { "busy", ERROR_OVERLOADED },
	[FIRESTORE_DOWN] = { "down", ERROR_STORE_DOWN },
	[FIRESTORE_UNKNOWN] = { "outcome unknown", ERROR_STORE_TIMEOUT },
	[FIRESTORE_TOO_LARGE] = { "too large", ERROR_OVERLOADED },
};

enum firestore_status firestore_status_of(struct slice word)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (slice_is(word, codes[i].word))
			return codes[i].status;
	return FIRESTORE_UNKNOWN;
}

/* 409 without a word is contention: what exists is always said. 413: the request. */
enum firestore_status firestore_status_of_http(int http)
{
	if (http == 413)
		return FIRESTORE_INVALID;
	if (http == 409)
		return FIRESTORE_ABORTED;
	if (http == 502)
		return FIRESTORE_UNKNOWN;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].http == http)
			return codes[i].status;
	return http >= 400 && http < 500 ? FIRESTORE_INVALID : FIRESTORE_UNKNOWN;
}

const char *firestore_status_word(enum firestore_status status)
{
	return meanings[status].word;
}

enum error_code firestore_error(enum firestore_status status)
{
	return meanings[status].error;
}
