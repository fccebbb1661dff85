/* incoming: see incoming.h. */
#include "incoming.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/id.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A page and what comes with it, or what a store hands back of a body; the budget bounds the sum.
 */
#define ARENA_MAX (48u << 20)
#define CHUNK     16384
#define DRAIN_MAX (16u << 20) /* above what the shipped web server files let through */

static const char *const header_params[HEADER_COUNT] = {
#define X(id, param) [HEADER_##id] = param,
	REQUEST_HEADERS(X)
#undef X
};

bool incoming_init(struct error *err)
{
	return FCGX_Init() == 0 || error_set(err, ERROR_INTERNAL, "libfcgi could not be started.");
}

/* --- parameters --- */

static struct slice param(struct incoming *in, const char *name)
{
	const char *value = FCGX_GetParam(name, in->fcgi.envp);
	char *copy = value ? arena_text(&in->arena, value) : NULL;

	return copy ? slice_of(copy) : SLICE("");
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
	request->transport = in;
	request->arena = &in->arena;
	return request->method.len > 0 && !in->arena.failed;
}

static void set_read_deadline(int fd, int64_t ms)
{
	struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

/* libfcgi closes the descriptor itself when it fails (-EBADF is then what is left), but not when it
 * gives a request that stalled behind its first record: that one has no method. */
bool incoming_read(struct incoming *in, int fd, int64_t read_ms, struct budget *budget)
{
	memset(in, 0, sizeof *in);
	arena_init(&in->arena, ARENA_MAX);
	in->arena.loan = loan_of(budget);
	in->request.budget = budget;
	in->request.arrived_us = clock_mono_us();
	in->request.arrived_ms = in->request.arrived_us / 1000;
	set_read_deadline(fd, read_ms);
	FCGX_InitRequest(&in->fcgi, -1, 0);
	in->fcgi.ipcFd = fd;
	in->fcgi.keepConnection = 1;
	if (FCGX_Accept_r(&in->fcgi) == 0) {
		if (take_params(in))
			return true;
		fd = in->fcgi.ipcFd;
		FCGX_Free(&in->fcgi, 0);
		in->fcgi.ipcFd = -1;
		if (fd >= 0)
			close(fd);
	}
	arena_done(&in->arena);
	return false;
}

/* --- the body --- */

static bool announced_length(struct incoming *in, int64_t *out)
{
	const char *text = FCGX_GetParam("CONTENT_LENGTH", in->fcgi.envp);
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

	while (!in->at_end) {
		size_t n = step < body->max - body->len ? step : body->max - body->len;
		char *into = n > 0 ? buffer_reserve(body, n) : NULL;
		int got;

		if (n == 0)
			return true; /* too long */
		if (!into)
			return budget_refused(err);
		got = FCGX_GetStr(into, (int)n, in->fcgi.in);
		buffer_commit(body, got > 0 ? (size_t)got : 0);
		in->at_end = got < (int)n;
	}
	return FCGX_GetError(in->fcgi.in) == 0 || ended_early(err);
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
	buffer_init(body, max + 1);
	body->loan = loan_of(request->budget);
	if (!read_all(in, body, announced, err))
		return false;
	if (body->len > max)
		return too_large(max, err);
	return announced < 0 || (int64_t)body->len == announced || ended_early(err);
}

/* --- the end --- */

static void drain(struct incoming *in)
{
	char chunk[CHUNK];
	size_t total = 0;
	int n;

	while (!in->at_end && total < DRAIN_MAX) {
		n = FCGX_GetStr(chunk, (int)sizeof chunk, in->fcgi.in);
		total += n > 0 ? (size_t)n : 0;
		in->at_end = n < (int)sizeof chunk;
	}
}

int incoming_release(struct incoming *in, uint16_t *request_id)
{
	int fd = in->fcgi.ipcFd;

	drain(in);
	*request_id = (uint16_t)in->fcgi.requestId;
	FCGX_Free(&in->fcgi, 0);
	in->fcgi.ipcFd = -1;
	return fd;
}

void incoming_done(struct incoming *in)
{
	buffer_done(&in->request.body);
	arena_done(&in->arena);
}
