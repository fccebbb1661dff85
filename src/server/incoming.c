/* incoming: see incoming.h. */
#include "incoming.h"

#include "base/clock.h"
#include "base/id.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A page and what comes with it, or what a store hands back of a body; the budget bounds the sum.
 */
#define ARENA_MAX  (48u << 20)
#define CHUNK      16384
#define PARAMS_MAX 65536       /* bytes of all parameters: twice what nginx takes of headers */
#define DRAIN_MAX  (16u << 20) /* above what the shipped web server files let through */

static const char *const header_params[HEADER_COUNT] = {
#define X(id, param) [HEADER_##id] = param,
	REQUEST_HEADERS(X)
#undef X
};

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

static bool has_nul(struct slice text)
{
	return memchr(text.ptr, '\0', text.len) != NULL;
}

/* As libfcgi keeps them: "NAME=value" each, then NULL. A NUL would end one early, and what was
 * judged whole would be taken cut; no web server sends one. */
static bool keep_params(struct incoming *in, struct slice all)
{
	struct slice rest = all, name, value;
	size_t count = 0;

	for (; take_pair(&rest, &name, &value); count++)
		if (has_nul(name) || has_nul(value))
			return false;
	if (rest.len > 0 || !(in->params = arena_alloc(&in->arena, (count + 1) * sizeof(char *))))
		return false;
	for (size_t i = 0; i < count && take_pair(&all, &name, &value); i++)
		in->params[i] =
			arena_printf(&in->arena, "%.*s=%.*s", SLICE_ARG(name), SLICE_ARG(value));
	return !in->arena.failed;
}

static bool read_params(struct incoming *in)
{
	struct buffer all;
	struct slice piece;
	bool ok;

	buffer_init(&all, PARAMS_MAX);
	while ((piece = record_in_next(&in->records)).len > 0 && buffer_append(&all, piece))
		;
	ok = in->records.state == RECORD_IN_ENDED && keep_params(in, buffer_slice(&all));
	buffer_done(&all);
	return ok;
}

static struct slice param(const struct incoming *in, const char *name)
{
	const char *value = FCGX_GetParam(name, in->params);

	return value ? slice_of(value) : SLICE("");
}

/* Of two nobody could say which one the web server means. */
static struct slice request_param(const struct request *request, const char *name)
{
	const struct incoming *in = request->transport;
	size_t len = strlen(name);
	int count = 0;

	for (char *const *at = in->params; *at; at++)
		count += strncmp(*at, name, len) == 0 && (*at)[len] == '=';
	return count == 1 ? param(in, name) : SLICE("");
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

	request->method = param(in, "REQUEST_METHOD");
	request->target = param(in, "REQUEST_URI");
	request->remote_addr = param(in, "REMOTE_ADDR");
	request->is_https = slice_is(param(in, "HTTPS"), "on");
	for (int i = 0; i < HEADER_COUNT; i++)
		request->headers[i] = param(in, header_params[i]);
	choose_id(request, param(in, "HTTP_X_REQUEST_ID"));
	request->read_body = read_body;
	request->param = request_param;
	request->transport = in;
	/* Web servers that do not join the lines of a header hand on a client's own first. */
	request->headers[HEADER_X_FORWARDED_FOR] = request_param(request, "HTTP_X_FORWARDED_FOR");
	request->arena = &in->arena;
	return request->method.len > 0 && !in->arena.failed;
}

static void set_read_deadline(int fd, int64_t ms)
{
	struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
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

bool incoming_read(struct incoming *in, int fd, int64_t read_ms, struct budget *budget)
{
	memset(&in->request, 0, sizeof in->request);
	arena_init(&in->arena, ARENA_MAX);
	in->arena.loan = loan_of(budget);
	in->request.budget = budget;
	in->request.arrived_us = clock_mono_us();
	in->request.arrived_ms = in->request.arrived_us / 1000;
	set_read_deadline(fd, read_ms);
	in->body = (FCGX_Stream){ .isReader = 1, .fillBuffProc = fill_body, .data = in };
	if (record_in_begin(&in->records, fd) && read_params(in) && take_params(in)) {
		record_in_body(&in->records);
		return true;
	}
	arena_done(&in->arena);
	return false;
}

/* --- the body --- */

static bool announced_length(struct incoming *in, int64_t *out)
{
	const char *text = FCGX_GetParam("CONTENT_LENGTH", in->params);
	char *end = NULL;

	*out = -1;
	if (!text || !*text)
		return true;
	*out = strtoll(text, &end, 10);
	return *end == '\0' && *out >= 0;
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

uint16_t incoming_release(struct incoming *in)
{
	size_t total = 0;
	struct slice piece;

	record_in_extend(&in->records);
	while (total < DRAIN_MAX && (piece = record_in_next(&in->records)).len > 0)
		total += piece.len;
	return in->records.request_id;
}

void incoming_done(struct incoming *in)
{
	buffer_done(&in->request.body);
	arena_done(&in->arena);
}
