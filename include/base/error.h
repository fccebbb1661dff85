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

/* code, HTTP status, stable machine word, title (RFC 9457), what to do about it (docs/reference).
 * The status is what the API answers. */
/* clang-format off */
#define ERROR_CODES(X) \
	X(ERROR_NONE, 200, "none", "OK", \
	  "") \
	X(ERROR_BAD_REQUEST, 400, "bad_request", "Bad request", \
	  "The client is wrong: `detail` says where; do not send it again unchanged.") \
	X(ERROR_BAD_JSON, 400, "bad_json", "The body is not valid JSON", \
	  "Send one JSON object in UTF-8; `detail` has the place.") \
	X(ERROR_BAD_UTF8, 400, "bad_utf8", "The request is not valid UTF-8", \
	  "Encode address, query and body in UTF-8.") \
	X(ERROR_DUPLICATE_KEY, 400, "duplicate_key", "A JSON key occurs twice", \
	  "Write each name once.") \
	X(ERROR_BAD_ID, 400, "bad_id", "An id is not well-formed", \
	  "An id is one of `[A-Za-z0-9_-]`, then up to 127 of `[A-Za-z0-9._-]`.") \
	X(ERROR_UNAUTHORIZED, 401, "unauthorized", "Not signed in", \
	  "Sign in anew; `c1d_auth_refused_total` tells the administrator why.") \
	X(ERROR_ACCESS_DENIED, 403, "access_denied", "Access denied", \
	  "It is another user's, or the API key lacks the scope that `detail` names.") \
	X(ERROR_FOREIGN_ORIGIN, 403, "foreign_origin", "Not from this page", \
	  "Call from the site's own page, or have its origin put into `C1D_ORIGINS`.") \
	X(ERROR_NOT_FOUND, 404, "not_found", "Not found", \
	  "Nothing has this address, or it was deleted.") \
	X(ERROR_METHOD, 405, "method_not_allowed", "Method not allowed", \
	  "`Allow` has the methods of this address.") \
	X(ERROR_CONFLICT, 409, "conflict", "Conflict", \
	  "`detail` says what is in the way; read it again, then decide.") \
	X(ERROR_RUN_ACTIVE, 409, "run_active", "An answer is still being written", \
	  "Follow or stop the answer that `link` leads to, then ask again.") \
	X(ERROR_RUN_ELSEWHERE, 409, "run_elsewhere", "Another node writes the answer", \
	  "Send the request to the node that writes it, or wait until it has ended.") \
	X(ERROR_NOT_SAVED, 409, "not_saved_yet", "The answer is not saved yet", \
	  "Send the same again after `retry_after` seconds.") \
	X(ERROR_GONE, 410, "gone", "No longer kept", \
	  "Read the message that `link` leads to: it has the whole answer.") \
	X(ERROR_PRECONDITION, 412, "precondition_failed", "It has changed meanwhile", \
	  "Read it again, and change what there is now.") \
	X(ERROR_TOO_LARGE, 413, "too_large", "The body is too large", \
	  "Send less; `detail` has the limit.") \
	X(ERROR_MEDIA_TYPE, 415, "unsupported_media_type", "Send application/json", \
	  "Send `Content-Type: application/json`.") \
	X(ERROR_RANGE, 416, "range_not_satisfiable", "No answer starts there", \
	  "Take `offset` from what was received, or 0.") \
	X(ERROR_VALIDATION, 422, "validation", "The request is well-formed, but wrong", \
	  "`errors` names the field and the reason; mend it.") \
	X(ERROR_KEY_REUSED, 422, "idempotency_key_reused", "The key was used with another body", \
	  "Take a new key for a new question.") \
	X(ERROR_RATE_LIMITED, 429, "rate_limited", "Too many requests", \
	  "Wait `retry_after` seconds; `violated-policies` names the limit.") \
	X(ERROR_UPSTREAM_LIMITED, 429, "upstream_rate_limited", "The C1 API limits our requests", \
	  "Wait `retry_after` seconds; administrator: raise the limit at Thesys.") \
	X(ERROR_INTERNAL, 500, "internal", "Something broke on our side", \
	  "Try again once; administrator: the log has `request_id`.") \
	X(ERROR_STORE, 500, "storage_failed", "The store failed the request", \
	  "Try again once; administrator: the log has the store's own words.") \
	X(ERROR_CORRUPT, 500, "corrupt", "A stored document is damaged", \
	  "Nothing helps the client; administrator: the log names the document.") \
	X(ERROR_UPSTREAM, 502, "upstream_failed", "The C1 API failed", \
	  "Ask again; nothing of the answer was kept that is not shown.") \
	X(ERROR_UPSTREAM_CONFIG, 502, "upstream_config", "The C1 API refused our request", \
	  "Administrator: key or model are refused; `c1d check` says which.") \
	X(ERROR_STORE_DOWN, 503, "storage_unavailable", "The store is unavailable", \
	  "Try again after `retry_after` seconds; administrator: `c1d check`.") \
	X(ERROR_STORE_FULL, 503, "storage_full", "The store has no room", \
	  "Administrator: make room; what is there can be read meanwhile.") \
	X(ERROR_OVERLOADED, 503, "overloaded", "Too much is going on", \
	  "Try again after `retry_after` seconds; it goes by itself.") \
	X(ERROR_NO_KEYS, 503, "keys_unavailable", "Nobody can be signed in for now", \
	  "Try again after `retry_after` seconds; the sign-in service's keys are not to be had.") \
	X(ERROR_SPOOL, 503, "spool_unavailable", "No room for another answer", \
	  "Try again later; administrator: make room on the disk of the spool.") \
	X(ERROR_STORE_TIMEOUT, 504, "storage_timeout", "The store did not answer in time", \
	  "It may be done or not: look, or send the same again with its key.") \
	X(ERROR_UPSTREAM_TIMEOUT, 504, "upstream_timeout", "The C1 API did not answer in time", \
	  "Ask again; administrator: `C1D_FIRST_BYTE_MS` and its neighbours.") \
	X(ERROR_CONFIG, 500, "config", "A setting is wrong", \
	  "Administrator: `c1d check` says which setting, and how to mend it.")
/* clang-format on */

enum error_code {
#define X(code, ...) code,
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
/* Is it want of descriptors or memory, which is nobody else's fault and passes? */
bool error_is_shortage(int reason);

int error_status(enum error_code code);
const char *error_word(enum error_code code);
const char *error_title(enum error_code code);
enum error_code error_of_word(const char *word); /* ERROR_INTERNAL for an unknown one */

#endif
