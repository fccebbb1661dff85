/*
 * cors: pages elsewhere (https://fetch.spec.whatwg.org/#http-cors-protocol). One that C1D_ORIGINS
 * names may do all that a page of ours may; any other may change nothing, and its browser shows it
 * nothing, since no answer allows that.
 */
#include "api_room.h"

/* Beside the few that any page may read and send. */
#define READABLE                                                                                   \
	"ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "   \
	"X-Response-Id, X-Run-Id, "                                                                \
	"X-Thread-Id, WWW-Authenticate"
#define SENDABLE                                                                                   \
	"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"
#define KEPT_S "600" /* how long a browser need not ask again */

static bool changes(struct slice method)
{
	return !slice_is(method, "GET") && !slice_is(method, "HEAD") &&
	       !slice_is(method, "OPTIONS");
}

void cors_begin(struct call *call)
{
	const struct request *request = call->request;
	struct response *response = call->response;

	call->origin = origin_of(call->api->config, request);
	response_header(response, "Vary",
			call->api->config->origins ? SLICE("Authorization, Cookie, Origin")
						   : SLICE("Authorization, Cookie"));
	if (call->origin == ORIGIN_LISTED) {
		response_header(response, "Access-Control-Allow-Origin",
				request->headers[HEADER_ORIGIN]);
		response_header(response, "Access-Control-Allow-Credentials", SLICE("true"));
		response_header(response, "Access-Control-Expose-Headers", SLICE(READABLE));
	}
	response_keep(response);
}

bool cors_admit(const struct call *call, struct error *err)
{
	return call->origin != ORIGIN_FOREIGN || !changes(call->request->method) ||
	       error_set(err, ERROR_FOREIGN_ORIGIN,
			 "This comes from a page of another site, and its origin is not listed in "
			 "C1D_ORIGINS.");
}

void cors_answer_options(struct call *call, const char *methods)
{
	struct response *response = call->response;

	response->status = 204;
	response_header(response, "Allow", slice_of(methods));
	if (call->origin != ORIGIN_LISTED)
		return;
	response_header(response, "Access-Control-Allow-Methods", slice_of(methods));
	response_header(response, "Access-Control-Allow-Headers", SLICE(SENDABLE));
	response_header(response, "Access-Control-Max-Age", SLICE(KEPT_S));
}
