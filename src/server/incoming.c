/* incoming: see incoming.h. */
#include "incoming.h"

#include "base/clock.h"
#include "base/id.h"
#include <stddef.h>
#include <stdio.h>

/* A page and what comes with it, or what a store hands back of a body; the budget bounds the sum.
 */
#define ARENA_MAX  (48u << 20)
#define CHUNK      16384
#define PARAMS_MAX 65536       /* bytes of all parameters: twice what nginx takes of headers */
#define DRAIN_MAX  (16u << 20) /* above what the shipped web server files let through */

/* The parameters that anybody reads, and where they go. The others cost a look at their names. */
static const struct known {
	struct slice name;
	size_t at;
} known[] = {
#define PARAM(name, field) { { (name), sizeof(name) - 1 }, offsetof(struct incoming, field) },
#define X(id, name)        PARAM(name, request.headers[HEADER_##id])
	PARAM("REQUEST_METHOD", request.method) PARAM("REQUEST_URI", request.target)
		PARAM("REMOTE_ADDR", request.remote_addr) PARAM("HTTPS", https)
			PARAM("HTTP_X_REQUEST_ID", request_id)
				PARAM("CONTENT_LENGTH", content_length) REQUEST_HEADERS(X)
#undef X
#undef PARAM
};

#define KNOWN_COUNT (sizeof known / sizeof known[0])

/* --- parameters --- */

/* One or four bytes (FastCGI 1.0, 3.4). */
static bool take_length(struct slice *rest, size_t *out)
{
	const unsigned char *p = (const unsigned char *)rest->ptr;
	size_t size = rest->len > 0 && p[0] & 0x80 ? 4 : 1;

	if (rest->len < size)
		return false;
	*out = size == 1 ? p[0]
			 : (size_t)(p[0] & 0x7F) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
				   p[3];
	*rest = slice_skip(*rest, size);
	return true;
}

/* The next pair; false at the end, or when it declares more than there is. */
static bool take_pair(struct slice *rest, struct slice *name, struct slice *value)
{
	struct slice at = *rest;

	if (!take_length(&at, &name->len) || !take_length(&at, &value->len) || name->len > at.len ||
	    value->len > at.len - name->len)
		return false;
	name->ptr = at.ptr;
	value->ptr = at.ptr + name->len;
	*rest = slice_skip(at, name->len + value->len);
	return true;
}

static struct slice *place_of(struct incoming *in, const struct known *param)
{
	return (struct slice *)((char *)in + param->at);
}

static struct slice *find_place(struct incoming *in, struct slice name)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (slice_equal(known[i].name, name))
			return place_of(in, &known[i]);
	return NULL;
}

/* Of two of a name the first one counts. A NUL would end a value early for whoever takes it for C's
 * text, and what was judged whole would be taken cut; no web server sends one. */
static bool sort_params(struct incoming *in)
{
	struct slice rest = in->params, name, value, *place;

	while (take_pair(&rest, &name, &value)) {
		if (memchr(name.ptr, '\0', name.len + value.len))
			return false;
		place = find_place(in, name);
		if (place && !place->ptr)
			*place = value;
	}
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (!place_of(in, &known[i])->ptr)
			*place_of(in, &known[i]) = SLICE("");
	return rest.len == 0;
}

/* Those that came in several pieces. */
static bool join_params(struct incoming *in, struct slice next)
{
	struct buffer all;

	buffer_init(&all, PARAMS_MAX);
	buffer_append(&all, in->params);
	while (next.len > 0 && buffer_append(&all, next))
		next = record_in_next(&in->records);
	in->params.len = all.len;
	in->params.ptr = arena_copy(&in->arena, buffer_slice(&all));
	buffer_done(&all);
	return next.len == 0;
}

static bool read_params(struct incoming *in)
{
	struct slice piece = record_in_next(&in->records);

	in->params = (struct slice){ arena_copy(&in->arena, piece), piece.len };
	piece = record_in_next(&in->records);
	return (piece.len == 0 || join_params(in, piece)) && in->records.state == RECORD_IN_ENDED &&
	       !in->arena.failed && sort_params(in);
}

/* Of two nobody could say which one the web server means. */
static struct slice request_param(const struct request *request, const char *wanted)
{
	const struct incoming *in = request->transport;
	struct slice rest = in->params, name, value, found = SLICE("");
	int count = 0;

	while (take_pair(&rest, &name, &value))
		if (slice_is(name, wanted)) {
			found = value;
			count++;
		}
	return count == 1 ? found : SLICE("");
}

/* The web server's, when it can stand in a log and a body as it is. */
static void choose_id(struct request *request, struct slice given)
{
	char made[ID_UUID_SIZE];

	if (given.len < REQUEST_ID_MAX && id_valid(given)) {
		snprintf(request->id, sizeof request->id, "%.*s", SLICE_ARG(given));
		return;
	}
	id_uuid7(made);
	snprintf(request->id, sizeof request->id, "%s", made);
}

static bool read_body(struct request *request, size_t max, struct error *err);

static bool take_params(struct incoming *in)
{
	struct request *request = &in->request;

	request->is_https = slice_is(in->https, "on");
	choose_id(request, in->request_id);
	request->read_body = read_body;
	request->param = request_param;
	request->transport = in;
	/* Web servers that do not join the lines of a header hand on a client's own first. */
	request->headers[HEADER_X_FORWARDED_FOR] = request_param(request, "HTTP_X_FORWARDED_FOR");
	request->arena = &in->arena;
	return request->method.len > 0;
}

/* What libfcgi's reader calls when it has no bytes left. */
static void fill_body(FCGX_Stream *body)
{
	struct incoming *in = body->data;
	struct slice piece = record_in_next(&in->records);

	body->rdNext = body->stopUnget = (unsigned char *)(uintptr_t)piece.ptr;
	body->stop = body->wrNext = body->rdNext + piece.len;
	body->isClosed = piece.len == 0;
	if (in->records.state == RECORD_IN_FAILED)
		body->FCGI_errno = FCGX_PROTOCOL_ERROR;
}

void incoming_open(struct incoming *in, int fd, int64_t read_ms)
{
	memset(&in->body, 0, sizeof *in - offsetof(struct incoming, body));
	record_in_open(&in->records, fd, read_ms);
	in->body = (FCGX_Stream){ .isReader = 1, .fillBuffProc = fill_body, .data = in };
}

bool incoming_read(struct incoming *in, struct budget *budget)
{
	arena_init(&in->arena, ARENA_MAX);
	in->arena.loan = loan_of(budget);
	in->request.budget = budget;
	in->request.arrived_us = clock_mono_us();
	in->request.arrived_ms = in->request.arrived_us / 1000;
	if (record_in_begin(&in->records) && read_params(in) && take_params(in)) {
		record_in_body(&in->records);
		return true;
	}
	arena_done(&in->arena);
	return false;
}

/* --- the body --- */

/* -1: it is not said. One that no number holds is the largest there is. */
static bool announced_length(const struct incoming *in, int64_t *out)
{
	struct slice text = in->content_length;

	*out = text.len > 0 ? 0 : -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		*out = *out > INT64_MAX / 10 - 1 ? INT64_MAX - 9 : *out * 10 + text.ptr[i] - '0';
	}
	return true;
}

static bool too_large(size_t max, struct error *err)
{
	return error_set(err, ERROR_TOO_LARGE, "The body may have up to %zu KiB here.", max / 1024);
}

static bool ended_early(struct error *err)
{
	return error_set(err, ERROR_BAD_REQUEST, "The body ended early.");
}

/* Straight into its place: all of it at once where its length was announced, and always one byte
 * more, which only one that is too long has. */
static bool read_all(struct incoming *in, struct buffer *body, int64_t announced, struct error *err)
{
	size_t step = announced >= 0 ? (size_t)announced + 1 : CHUNK;

	for (;;) {
		size_t n = step < body->max - body->len ? step : body->max - body->len;
		char *into = n > 0 ? buffer_reserve(body, n) : NULL;
		int got;

		if (n == 0)
			return true; /* too long */
		if (!into)
			return budget_refused(err);
		got = FCGX_GetStr(into, (int)n, &in->body);
		buffer_commit(body, (size_t)got);
		if (got < (int)n)
			return FCGX_GetError(&in->body) == 0 || ended_early(err);
	}
}

static bool read_body(struct request *request, size_t max, struct error *err)
{
	struct incoming *in = request->transport;
	struct buffer *body = &request->body;
	int64_t announced;

	if (!announced_length(in, &announced))
		return error_set(err, ERROR_BAD_REQUEST, "Content-Length is no number.");
	if (announced > (int64_t)max)
		return too_large(max, err);
	record_in_extend(&in->records);
	buffer_init(body, max + 1);
	body->loan = loan_of(request->budget);
	if (!read_all(in, body, announced, err))
		return false;
	if (body->len > max)
		return too_large(max, err);
	return announced < 0 || (int64_t)body->len == announced || ended_early(err);
}

/* --- the end --- */

bool incoming_release(struct incoming *in)
{
	size_t total = 0;
	struct slice piece;

	record_in_extend(&in->records);
	while (total < DRAIN_MAX && (piece = record_in_next(&in->records)).len > 0)
		total += piece.len;
	return in->records.keeps && record_in_is_over(&in->records);
}

void incoming_done(struct incoming *in)
{
	buffer_done(&in->request.body);
	arena_done(&in->arena);
}
