/*
 * metrics_table: every metric family there is. Histograms use the one list of buckets below
 * (seconds). X(id, name, type, help, label a, its names or NULL when named later, its size, label
 * b, its names, its size)
 */
#ifndef BASE_METRICS_TABLE_H
#define BASE_METRICS_TABLE_H

#define METRIC_ROUTES_MAX 48

/* Statuses that are counted one by one; any other counts as "other". */
/* clang-format off */
#define METRIC_STATUSES(X) \
	X(200) X(201) X(204) X(304) X(400) X(401) X(403) X(404) X(405) X(406) X(409) X(410) X(412) X(413) \
	X(415) X(416) X(422) X(429) X(499) X(500) X(502) X(503) X(504)
/* clang-format on */

/* How a run ends; the same order as enum message_status in model/message.h behind "streaming". */
#define METRIC_OUTCOMES(X) X(complete) X(length) X(stopped) X(error) X(interrupted)

#define METRIC_BUCKETS_MS                                                                          \
	{                                                                                          \
		5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 120000,       \
			300000, 600000                                                             \
	}

#define METRIC_FAMILIES(X)                                                                         \
	X(M_REQUESTS, "c1d_requests_total", COUNTER, "Requests answered, by route and status.",    \
	  "route", NULL, METRIC_ROUTES_MAX, "status", metric_status_names, METRIC_STATUS_COUNT)    \
	X(M_REQUEST_SECONDS, "http_server_request_duration_seconds", HISTOGRAM,                    \
	  "Time from the request's arrival to its answer's last byte, streams excepted.", NULL,    \
	  NULL, 1, NULL, NULL, 1)                                                                  \
	X(M_CHAT_REQUESTS, "chat_requests_total", COUNTER,                                         \
	  "Chat turns ended, by how the run ended.", "outcome", metric_outcome_names,              \
	  METRIC_OUTCOME_COUNT, "route", metric_chat_routes, 1)                                    \
	X(M_CHAT_SECONDS, "chat_duration_seconds", HISTOGRAM,                                      \
	  "Time from a chat request to its run's end.", "route", metric_chat_routes, 1, NULL,      \
	  NULL, 1)                                                                                 \
	X(M_FIRST_BYTE_SECONDS, "c1d_chat_first_byte_seconds", HISTOGRAM,                          \
	  "Time from a chat request to the first byte of its answer.", NULL, NULL, 1, NULL, NULL,  \
	  1)                                                                                       \
	X(M_STREAM_BYTES, "c1d_stream_bytes_total", COUNTER,                                       \
	  "Bytes of answers sent to followers.", NULL, NULL, 1, NULL, NULL, 1)                     \
	X(M_MEMORY_REFUSED, "c1d_memory_refused_total", COUNTER,                                   \
	  "Requests refused because the memory's budget was spent.", NULL, NULL, 1, NULL, NULL, 1) \
	X(M_CHUNKS, "c1d_upstream_deltas_total", COUNTER, "Deltas received from the C1 API.",      \
	  NULL, NULL, 1, NULL, NULL, 1)                                                            \
	X(M_TOKENS, "c1d_tokens_total", COUNTER,                                                   \
	  "Tokens that the C1 API counted, of prompts (input) and answers (output).", "kind",      \
	  metric_token_kinds, METRIC_TOKENS_KINDS, NULL, NULL, 1)                                  \
	X(M_UPSTREAM_ERRORS, "c1d_upstream_errors_total", COUNTER,                                 \
	  "Failed calls of the C1 API, by kind.", "kind", metric_upstream_kinds,                   \
	  METRIC_UPSTREAM_KINDS, NULL, NULL, 1)                                                    \
	X(M_UPSTREAM_DROPPED, "c1d_upstream_ignored_frames_total", COUNTER,                        \
	  "Frames of the C1 API that were skipped: not JSON, or behind the end.", NULL, NULL, 1,   \
	  NULL, NULL, 1)                                                                           \
	X(M_HTTP2, "c1d_upstream_http2_total", COUNTER,                                            \
	  "HTTP/2 with the C1 API: connections opened, resumed (opened by an earlier one's "       \
	  "session), failed before they were open, lost with answers on them, draining (the "      \
	  "server is leaving), http1 (it speaks nothing newer); again: a question sent anew, "     \
	  "which the server said it had not processed.",                                           \
	  "event", metric_http2_kinds, METRIC_HTTP2_KINDS, NULL, NULL, 1)                          \
	X(M_STORE_ERRORS, "c1d_store_errors_total", COUNTER,                                       \
	  "Failed calls of the store, by kind.", "kind", metric_store_kinds, METRIC_STORE_KINDS,   \
	  NULL, NULL, 1)                                                                           \
	X(M_FIRESTORE_RETRIES, "c1d_firestore_retries_total", COUNTER,                             \
	  "Requests to Firestore that were made again, by what the one before came to.", "why",    \
	  metric_firestore_kinds, METRIC_FIRESTORE_KINDS, NULL, NULL, 1)                           \
	X(M_FIRESTORE_TOKENS, "c1d_firestore_tokens_total", COUNTER,                               \
	  "Times a token for Firestore was asked for, by how that went.", "result",                \
	  metric_fetches, METRIC_FETCHES, NULL, NULL, 1)                                           \
	X(M_CACHE, "c1d_cache_reads_total", COUNTER,                                               \
	  "Threads and pages looked for in Redis first, by what came: hit; none, or held by a "    \
	  "change; off, away (it was not asked); failed, bad (it was no use).",                    \
	  "result", metric_cache_kinds, METRIC_CACHE_KINDS, NULL, NULL, 1)                         \
	X(M_CACHE_CHANGES, "c1d_cache_changes_total", COUNTER,                                     \
	  "Changes that Redis was to be told of: told, or debt (it did not take that).", "result", \
	  metric_cache_changes, METRIC_CACHE_CHANGES, NULL, NULL, 1)                               \
	X(M_SAVES_RETRIED, "c1d_saves_retried_total", COUNTER,                                     \
	  "Finished answers that the store did not take at the first try.", NULL, NULL, 1, NULL,   \
	  NULL, 1)                                                                                 \
	X(M_SPOOL_ERRORS, "c1d_spool_errors_total", COUNTER,                                       \
	  "Spool files that could not be made or written.", NULL, NULL, 1, NULL, NULL, 1)          \
	X(M_SPOOL_LATE, "c1d_spool_files_late_total", COUNTER,                                     \
	  "Answers whose file was not made ahead but when they began.", NULL, NULL, 1, NULL, NULL, \
	  1)                                                                                       \
	X(M_HANDED_OVER, "c1d_connections_handed_over_total", COUNTER,                             \
	  "Connections handed to another worker, which had less to do.", NULL, NULL, 1, NULL,      \
	  NULL, 1)                                                                                 \
	X(M_KEPT_REQUESTS, "c1d_requests_kept_total", COUNTER,                                     \
	  "Requests over a connection that had carried one before.", NULL, NULL, 1, NULL, NULL, 1) \
	X(M_RELOADS_FAILED, "c1d_reloads_failed_total", COUNTER,                                   \
	  "Reloads after which the settings and workers before them stayed.", NULL, NULL, 1, NULL, \
	  NULL, 1)                                                                                 \
	X(M_CLIENTS_GONE, "c1d_clients_gone_total", COUNTER,                                       \
	  "Followers that left before the end.", NULL, NULL, 1, NULL, NULL, 1)                     \
	X(M_LOG_DROPPED, "c1d_log_lines_dropped_total", COUNTER,                                   \
	  "Log lines that nobody read in time.", NULL, NULL, 1, NULL, NULL, 1)                     \
	X(M_VISITORS, "c1d_visitors_total", COUNTER, "Visitors made.", NULL, NULL, 1, NULL, NULL,  \
	  1)                                                                                       \
	X(M_COOKIES_REFUSED, "c1d_visitor_cookies_refused_total", COUNTER,                         \
	  "Visitors' cookies that were not taken, by reason.", "reason", metric_cookie_kinds,      \
	  METRIC_COOKIE_KINDS, NULL, NULL, 1)                                                      \
	X(M_AUTH_REFUSED, "c1d_auth_refused_total", COUNTER,                                       \
	  "Requests whose token or key was refused, by the reason that its sender is not told.",   \
	  "reason", metric_refusals, METRIC_REFUSALS, NULL, NULL, 1)                               \
	X(M_KEY_FETCHES, "c1d_token_key_fetches_total", COUNTER,                                   \
	  "Times the keys of tokens were asked for at their address, by how that went.", "result", \
	  metric_fetches, METRIC_FETCHES, NULL, NULL, 1)                                           \
	X(M_HEADERS_REFUSED, "c1d_header_injection_blocked_total", COUNTER,                        \
	  "Answers not given because a header of theirs held a control character.", NULL, NULL, 1, \
	  NULL, NULL, 1)                                                                           \
	X(M_LIMITED, "c1d_limited_total", COUNTER, "Requests refused by a limit, by which.",       \
	  "limit", metric_limit_kinds, METRIC_LIMIT_KINDS, NULL, NULL, 1)                          \
	X(M_LIMITS_CROWDED, "c1d_limits_crowded_total", COUNTER,                                   \
	  "Requests counted together with another user's for want of room.", NULL, NULL, 1, NULL,  \
	  NULL, 1)                                                                                 \
	X(M_LIMITS_REDIS, "c1d_limits_redis_total", COUNTER,                                       \
	  "Requests that Redis was to count: ok, failed, away (it was not asked).", "result",      \
	  metric_redis_kinds, METRIC_REDIS_KINDS, NULL, NULL, 1)                                   \
	X(M_BAD_PEERS, "c1d_fastcgi_rejected_total", COUNTER,                                      \
	  "FastCGI connections without a usable request.", NULL, NULL, 1, NULL, NULL, 1)

#define METRIC_UPSTREAM_KIND_LIST(X)                                                               \
	X(connect) X(dns) X(tls) X(status) X(timeout) X(cut) X(protocol)
#define METRIC_HTTP2_KIND_LIST(X)                                                                  \
	X(opened) X(resumed) X(failed) X(lost) X(draining) X(http1) X(again)
#define METRIC_TOKENS_KIND_LIST(X)    X(input) X(output)
#define METRIC_FIRESTORE_KIND_LIST(X) X(aborted) X(busy) X(down) X(unknown) X(token)
#define METRIC_STORE_KIND_LIST(X)     X(down) X(timeout) X(failed) X(full) X(busy)
/* Why a token is refused: its form, its header, another algorithm or key than its issuer's, a bad
 * signature, a claim that is missing or malformed, its times, whom it is from and for, the name in
 * it, or nobody knows since the issuer's keys are not to be had. Of an API key: there is none such.
 * Of anything that says who somebody is: it was made before he was shown the door. */
/* clang-format off */
#define METRIC_REFUSAL_LIST(X) \
	X(form) X(header) X(algorithm) X(key) X(signature) X(claims) X(expired) X(early) X(issuer) \
	X(audience) X(user) X(no_keys) X(api_key) X(revoked)
/* clang-format on */
#define METRIC_FETCH_LIST(X) X(ok) X(failed) X(refused)

enum metric_refusal {
#define X(name) METRIC_REFUSAL_##name,
	METRIC_REFUSAL_LIST(X)
#undef X
		METRIC_REFUSALS
};

/* How a question for the issuer's keys ended: with keys, with nothing, or with what is none. */
enum metric_fetch {
#define X(name) METRIC_FETCH_##name,
	METRIC_FETCH_LIST(X)
#undef X
		METRIC_FETCHES
};

#define METRIC_COOKIE_KIND_LIST(X) X(form) X(signature) X(expired) X(twice)

enum metric_cookie_kind {
#define X(name) METRIC_COOKIE_##name,
	METRIC_COOKIE_KIND_LIST(X)
#undef X
		METRIC_COOKIE_KINDS
};

/* They are the names of the policies in the RateLimit headers, too. */
#define METRIC_LIMIT_KIND_LIST(X) X(chat) X(read) X(write) X(site) X(runs) X(failed)

enum metric_limit_kind {
#define X(name) METRIC_LIMIT_##name,
	METRIC_LIMIT_KIND_LIST(X)
#undef X
		METRIC_LIMIT_KINDS
};

#define METRIC_REDIS_KIND_LIST(X)   X(ok) X(failed) X(away)
#define METRIC_CACHE_KIND_LIST(X)   X(hit) X(none) X(held) X(off) X(away) X(failed) X(bad)
#define METRIC_CACHE_CHANGE_LIST(X) X(told) X(debt)

enum metric_cache_kind {
#define X(name) METRIC_CACHE_##name,
	METRIC_CACHE_KIND_LIST(X)
#undef X
		METRIC_CACHE_KINDS
};

enum metric_cache_change {
#define X(name) METRIC_CACHE_CHANGE_##name,
	METRIC_CACHE_CHANGE_LIST(X)
#undef X
		METRIC_CACHE_CHANGES
};

enum metric_redis_kind {
#define X(name) METRIC_REDIS_##name,
	METRIC_REDIS_KIND_LIST(X)
#undef X
		METRIC_REDIS_KINDS
};

enum metric_upstream_kind {
#define X(name) METRIC_UPSTREAM_##name,
	METRIC_UPSTREAM_KIND_LIST(X)
#undef X
		METRIC_UPSTREAM_KINDS
};

enum metric_http2_kind {
#define X(name) METRIC_HTTP2_##name,
	METRIC_HTTP2_KIND_LIST(X)
#undef X
		METRIC_HTTP2_KINDS
};

enum metric_tokens_kind {
#define X(name) METRIC_TOKENS_##name,
	METRIC_TOKENS_KIND_LIST(X)
#undef X
		METRIC_TOKENS_KINDS
};

/* As enum firestore_status has them; token: it was not taken. */
enum metric_firestore_kind {
#define X(name) METRIC_FIRESTORE_##name,
	METRIC_FIRESTORE_KIND_LIST(X)
#undef X
		METRIC_FIRESTORE_KINDS
};

enum metric_store_kind {
#define X(name) METRIC_STORE_##name,
	METRIC_STORE_KIND_LIST(X)
#undef X
		METRIC_STORE_KINDS
};

enum {
#define X(n) METRIC_STATUS_##n,
	METRIC_STATUSES(X)
#undef X
		METRIC_STATUS_other,
	METRIC_STATUS_COUNT
};

enum {
#define X(name) METRIC_OUTCOME_##name,
	METRIC_OUTCOMES(X)
#undef X
		METRIC_OUTCOME_COUNT
};

int metric_status_label(int status); /* 200 -> METRIC_STATUS_200 */

#endif
