/*
 * problem: an error as application/problem+json (RFC 9457): {type, title, status, detail,
 * message, code, request_id} and, by kind, retry_after and errors:[{field, reason}]. The one place
 * where errors become bodies.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "base/error.h"
#include "http/response.h"

/* The JSON alone: also the data of an SSE `error` event. */
bool problem_json(const struct error *err, const char *request_id, struct buffer *out);

/* Replaces whatever the response held but the kept headers: status, Retry-After, Link. */
void problem_response(const struct error *err, const char *request_id, struct response *response);

#endif
