/*
 * firestore_status: what became of a request to Firestore. Pure.
 */
#ifndef FIRESTORE_STATUS_H
#define FIRESTORE_STATUS_H

#include "base/error.h"
#include "base/slice.h"

/* What became of it: Firestore's own words (google.rpc.Code) as far as anybody acts on them. */
enum firestore_status {
	FIRESTORE_OK,
	FIRESTORE_NOT_FOUND,    /* NOT_FOUND: a document that a precondition wants, a database */
	FIRESTORE_EXISTS,       /* ALREADY_EXISTS: a precondition `exists: false` */
	FIRESTORE_PRECONDITION, /* FAILED_PRECONDITION: updateTime; an index that is missing */
	FIRESTORE_ABORTED,      /* ABORTED: contention; a transaction has to begin anew */
	FIRESTORE_INVALID,      /* INVALID_ARGUMENT, OUT_OF_RANGE: our mistake, or over a limit */
	FIRESTORE_DENIED,       /* PERMISSION_DENIED, UNAUTHENTICATED: key, rights or API */
	FIRESTORE_BUSY,         /* RESOURCE_EXHAUSTED: the quota, or too fast */
	FIRESTORE_DOWN,         /* not reached, or UNAVAILABLE: nothing was done */
	FIRESTORE_UNKNOWN,      /* cut, late, INTERNAL: it may be done or not */
	FIRESTORE_TOO_LARGE     /* the reply is over the buffer's cap, or there is no memory */
};

/* Of the word of an error in a streamed reply: "ABORTED". FIRESTORE_UNKNOWN: none of ours. */
enum firestore_status firestore_status_of(struct slice word);
/* Of an HTTP status that came without a word. */
enum firestore_status firestore_status_of_http(int http);
/* What this means for a caller of the store, where nobody knows better. */
enum error_code firestore_error(enum firestore_status status);
/* "not found", "busy": for the log. */
const char *firestore_status_word(enum firestore_status status);

#endif
