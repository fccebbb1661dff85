/*
 * error: one error value: a code the machine acts on, words a person reads.
 *
 * Who fails fills it, those between pass `false` up, and one place at the top turns it into an
 * answer and a log line. Outputs are untouched on failure. A NULL error is allowed: the words are
 * lost.
 *
 * `detail` may be shown to any client: no secrets, addresses, paths or driver texts in it. What
 * only the operator may read goes to the log where it happens (base/log.h).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

/* code, HTTP status, stable machine word, title (RFC 9457). The status is what the API answers. */
#define ERROR_CODES(X)                                                                             \
	X(ERROR_NONE, 200, "none", "OK")                                                           \
	X(ERROR_BAD_REQUEST, 400, "bad_request", "Bad request")                                    \
	X(ERROR_BAD_JSON, 400, "bad_json", "The body is not valid JSON")                           \
	X(ERROR_BAD_UTF8, 400, "bad_utf8", "The request is not valid UTF-8")                       \
	X(ERROR_DUPLICATE_KEY, 400, "duplicate_key", "A JSON key occurs twice")                    \
	X(ERROR_BAD_ID, 400, "bad_id", "An id is not well-formed")                                 \
	X(ERROR_UNAUTHORIZED, 401, "unauthorized", "Not signed in")                                \
	X(ERROR_ACCESS_DENIED, 403, "access_denied", "Access denied")                              \
	X(ERROR_FOREIGN_ORIGIN, 403, "foreign_origin", "Not from this page")                       \
	X(ERROR_NOT_FOUND, 404, "not_found", "Not found")                                          \
	X(ERROR_METHOD, 405, "method_not_allowed", "Method not allowed")                           \
	X(ERROR_CONFLICT, 409, "conflict", "Conflict")                                             \
	X(ERROR_RUN_ACTIVE, 409, "run_active", "An answer is still being written")                 \
	X(ERROR_RUN_ELSEWHERE, 409, "run_elsewhere", "Another node writes the answer")             \
	X(ERROR_NOT_SAVED, 409, "not_saved_yet", "The answer is not saved yet")                    \
	X(ERROR_GONE, 410, "gone", "No longer kept")                                               \
	X(ERROR_PRECONDITION, 412, "precondition_failed", "It has changed meanwhile")              \
	X(ERROR_TOO_LARGE, 413, "too_large", "The body is too large")                              \
	X(ERROR_MEDIA_TYPE, 415, "unsupported_media_type", "Send application/json")                \
	X(ERROR_RANGE, 416, "range_not_satisfiable", "No answer starts there")                     \
	X(ERROR_VALIDATION, 422, "validation", "The request is well-formed, but wrong")            \
	X(ERROR_KEY_REUSED, 422, "idempotency_key_reused", "The key was used with another body")   \
	X(ERROR_RATE_LIMITED, 429, "rate_limited", "Too many requests")                            \
	X(ERROR_UPSTREAM_LIMITED, 429, "upstream_rate_limited", "The C1 API limits our requests")  \
	X(ERROR_INTERNAL, 500, "internal", "Something broke on our side")                          \
	X(ERROR_STORE, 500, "storage_failed", "The store failed the request")                      \
	X(ERROR_CORRUPT, 500, "corrupt", "A stored document is damaged")                           \
	X(ERROR_UPSTREAM, 502, "upstream_failed", "The C1 API failed")                             \
	X(ERROR_UPSTREAM_CONFIG, 502, "upstream_config", "The C1 API refused our request")         \
	X(ERROR_STORE_DOWN, 503, "storage_unavailable", "The store is unavailable")                \
	X(ERROR_STORE_FULL, 503, "storage_full", "The store has no room")                          \
	X(ERROR_OVERLOADED, 503, "overloaded", "Too much is going on")                             \
	X(ERROR_NO_KEYS, 503, "keys_unavailable", "Nobody can be signed in for now")               \
	X(ERROR_SPOOL, 503, "spool_unavailable", "No room for another answer")                     \
	X(ERROR_STORE_TIMEOUT, 504, "storage_timeout", "The store did not answer in time")         \
	X(ERROR_UPSTREAM_TIMEOUT, 504, "upstream_timeout", "The C1 API did not answer in time")    \
	X(ERROR_CONFIG, 500, "config", "A setting is wrong")

enum error_code {
#define X(code, status, word, title) code,
	ERROR_CODES(X)
#undef X
		ERROR_CODE_COUNT
};

struct error {
	enum error_code code;
	int retry_after_s; /* 0: say nothing; 1 for what is answered 503, until it is set */
	char detail[256];  /* one sentence or two: what, why, what to do */
	/* The limit that refused it, as RateLimit-Policy names it; a literal; NULL: none did. */
	const char *policy;
	char field[64]; /* the JSON field or query parameter at fault; "" when none is */
	char link[320]; /* a URI reference that helps (409: the running answer); "" when none */
};

/* Fills err (which may be NULL) anew and returns false, so that callers write `return
 * error_set(...)`. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for one wrong field: code is ERROR_VALIDATION unless the field is an id (ERROR_BAD_ID).
 */
bool error_field(struct error *err, enum error_code code, const char *field, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));

/* ERROR_ACCESS_DENIED of what is somebody else's: the same words whatever it is, so that they tell
 * nothing of it. */
bool error_denied(struct error *err);

/* What a place that the settings name failed with (errno), as a code: ERROR_CONFIG when it cannot
 * be used as it is written (it is not there, is no folder, is not ours), which only the
 * administrator mends; ERROR_INTERNAL for all that may pass by itself (no descriptors, memory, disk
 * or watches left, an input/output error), which is to be tried again. */
enum error_code error_of_errno(int reason);

int error_status(enum error_code code);
const char *error_word(enum error_code code);
const char *error_title(enum error_code code);
enum error_code error_of_word(const char *word); /* ERROR_INTERNAL for an unknown one */

#endif
