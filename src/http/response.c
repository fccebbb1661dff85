/* response: headers that no client byte can split, and a body. */
#include "http/response.h"

#include "base/log.h"
#include "base/metrics.h"

#define HEADERS_MAX 8192
#define BODY_MAX    65536 /* of a response that says nothing else */

void response_init(struct response *response)
{
	*response = (struct response){ .status = 200, .route = "" };
	buffer_init(&response->headers, HEADERS_MAX);
	buffer_init(&response->body, BODY_MAX);
}

void response_done(struct response *response)
{
	if (response->let_go)
		response->let_go(response->let_go_ctx);
	buffer_done(&response->headers);
	buffer_done(&response->body);
}

void response_keep(struct response *response)
{
	response->kept = response->headers.len;
}

void response_restart(struct response *response)
{
	response->headers.failed = false;
	if (response->headers.data)
		response->headers.data[response->headers.len = response->kept] = '\0';
	buffer_reset(&response->body);
	response->more = NULL;
}

static bool refuse(struct response *response, const char *name)
{
	response->header_refused = true;
	metrics_add(M_HEADERS_REFUSED, 0, 0, 1);
	log_error("header refused: a control character in its value", LOG_T("header", name));
	return false;
}

bool response_header(struct response *response, const char *name, struct slice value)
{
	struct buffer *out = &response->headers;
	size_t before = out->len;

	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7F)
			return refuse(response, name);
	if (strlen(name) + value.len + 4 > out->max - out->len)
		return false;
	buffer_append(out, slice_of(name));
	buffer_append(out, SLICE(": "));
	buffer_append(out, value);
	if (buffer_append(out, SLICE("\r\n")))
		return true;
	if (out->data) /* half of one would stay where headers are kept */
		out->data[out->len = before] = '\0';
	return false;
}

bool response_headerf(struct response *response, const char *name, const char *format, ...)
{
	struct buffer value;
	va_list ap;
	bool ok;

	buffer_init(&value, HEADERS_MAX);
	va_start(ap, format);
	ok = buffer_vappendf(&value, format, ap) &&
	     response_header(response, name, buffer_slice(&value));
	va_end(ap);
	response->headers.failed = response->headers.failed || value.failed;
	buffer_done(&value);
	return ok;
}

void response_shield(struct response *response)
{
#define X(name, value, about) name ": " value "\r\n"
	buffer_append(&response->headers, SLICE(RESPONSE_SHIELD(X)));
#undef X
}

void response_json(struct response *response, int status)
{
	response->status = status;
	response_header(response, "Content-Type", SLICE("application/json"));
	response_header(response, "Cache-Control", SLICE("no-store"));
}
