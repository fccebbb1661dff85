/* problem: the one place where an error becomes a body. */
#include "http/problem.h"

#include "base/json.h"

#define QUOTA_TYPES "https://iana.org/assignments/http-problem-types#"

/* Those of the RateLimit draft (draft-ietf-httpapi-ratelimit-headers-11); any other error is told
 * by its code. */
static const char *type_of(const struct error *err)
{
	if (err->code == ERROR_RATE_LIMITED)
		return QUOTA_TYPES "quota-exceeded";
	if (err->code == ERROR_OVERLOADED)
		return QUOTA_TYPES "temporary-reduced-capacity";
	return "about:blank";
}

bool problem_json(const struct error *err, const char *request_id, struct buffer *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, '{');
	json_put_text(&w, "type", type_of(err));
	json_put_text(&w, "title", error_title(err->code));
	json_put_int(&w, "status", error_status(err->code));
	json_put_text(&w, "detail", err->detail);
	/* Where the clients of other backends look for words to show (src/api/aliases.c). */
	json_put_text(&w, "message", err->detail);
	json_put_text(&w, "code", error_word(err->code));
	json_put_text(&w, "request_id", request_id);
	if (err->retry_after_s > 0)
		json_put_int(&w, "retry_after", err->retry_after_s);
	if (err->policy) {
		json_key(&w, "violated-policies");
		json_open(&w, '[');
		json_string(&w, slice_of(err->policy));
		json_close(&w, ']');
	}
	if (err->link[0])
		json_put_text(&w, "link", err->link);
	if (err->field[0]) {
		json_key(&w, "errors");
		json_open(&w, '[');
		json_open(&w, '{');
		json_put_text(&w, "field", err->field);
		json_put_text(&w, "reason", err->detail);
		json_close(&w, '}');
		json_close(&w, ']');
	}
	json_close(&w, '}');
	return !out->failed;
}

void problem_response(const struct error *err, const char *request_id, struct response *response)
{
	response_restart(response);
	response->status = error_status(err->code);
	response_header(response, "Content-Type", SLICE("application/problem+json"));
	response_header(response, "Cache-Control", SLICE("no-store"));
	if (err->retry_after_s > 0)
		response_headerf(response, "Retry-After", "%d", err->retry_after_s);
	if (err->link[0])
		response_headerf(response, "Link", "<%s>; rel=\"related\"", err->link);
	problem_json(err, request_id, &response->body);
}
