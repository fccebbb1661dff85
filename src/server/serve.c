/* serve: see serve.h. */
#include "serve.h"

#include "access.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "incoming.h"
#include "record.h"
#include "record_sink.h"
#include <poll.h>
#include <unistd.h>

#define ANSWER_MS 60000 /* for a whole answer; nothing of it is taken for C1D_WRITE_MS at most */
#define HEAD_MAX  16384
#define IDLE_MS   60000 /* between two requests: far longer than nginx lets a connection wait */

struct answered {
	int64_t bytes;
	const char *outcome;
};

/* --- the end of a connection --- */

static void end(struct kept *kept, struct connection *connection)
{
	kept_leave(kept, connection);
	close(connection->fd);
}

/* It has said nothing that we can serve. */
static void drop(struct kept *kept, struct connection *connection)
{
	end(kept, connection);
	metrics_add(M_BAD_PEERS, 0, 0, 1);
	log_notice("connection without a usable request");
}

/* Its web server left, or let it wait for too long, or there are too many. */
static void part(struct kept *kept, struct connection *connection)
{
	if (connection->is_used)
		end(kept, connection);
	else
		drop(kept, connection);
}

void serve_sweep(struct kept *kept)
{
	struct connection overdue;
	int64_t now_ms = clock_mono_ms();

	while (kept_overdue(kept, now_ms, &overdue))
		part(kept, &overdue);
}

/* Accepted just before we stop: its first request is on its way, and is waited for here. */
static bool wait_for_first(const struct request_work *work, const struct connection *connection)
{
	struct pollfd peer = { .fd = connection->fd, .events = POLLIN };

	return !connection->is_used && poll(&peer, 1, (int)work->config->read_ms) > 0;
}

/* true: something came meanwhile, and it is ours still. */
static bool let_wait(const struct request_work *work, struct kept *kept,
		     struct connection *connection)
{
	int64_t until_ms =
		clock_mono_ms() + (connection->is_used ? IDLE_MS : work->config->read_ms);
	enum kept_state state = kept_wait(kept, connection, until_ms);
	struct connection oldest;

	if (state == KEPT_FULL && kept_overdue(kept, INT64_MAX, &oldest)) {
		part(kept, &oldest);
		state = kept_wait(kept, connection, until_ms);
	}
	if (state == KEPT_SHUT && wait_for_first(work, connection))
		return true;
	if (state == KEPT_FULL || state == KEPT_SHUT)
		part(kept, connection);
	return state == KEPT_READY;
}

/* --- one request --- */

/* The body as it stands, then piece by piece what the response goes on with. Gives its length; *ok
 * false: the client has gone or takes nothing. A body that fails is cut: without the request's end
 * the web server sees that it is not whole. */
static int64_t write_body(const struct record_way *way, struct slice head,
			  struct response *response, bool *ok)
{
	struct buffer *body = &response->body;
	int64_t bytes = 0;

	for (;;) {
		bool is_last = !response->more && !body->failed;

		bytes += (int64_t)body->len;
		*ok = record_write(way, head, buffer_slice(body), is_last);
		if (!*ok || is_last || body->failed)
			return bytes;
		head = SLICE("");
		buffer_reset(body);
		if (!response->more(response->more_ctx, body))
			response->more = NULL;
	}
}

/* Half an answer would be another one: without a word of ours the web server says 503. */
static bool is_whole(const struct response *response, const struct buffer *head)
{
	return !head->failed && !response->headers.failed && !response->body.failed;
}

/* false: the connection is of no use any more. */
static bool write_answer(const struct request_work *work, const struct incoming *in,
			 struct response *response, struct answered *out)
{
	const struct record_way way = { .fd = in->records.fd,
					.request_id = in->records.request_id,
					.write_ms = work->config->write_ms,
					.until_ms = clock_mono_ms() + ANSWER_MS };
	struct buffer head;
	bool ok = true;

	*out = (struct answered){ .outcome = response->error ? error_word(response->error) : "ok" };
	buffer_init(&head, HEAD_MAX);
	record_head(&head, response->status, buffer_slice(&response->headers));
	if (is_whole(response, &head))
		out->bytes = write_body(&way, buffer_slice(&head), response, &ok);
	else
		response->status = 503;
	if (!ok || !is_whole(response, &head)) {
		out->outcome = ok ? "no_memory" : "client_gone";
		ok = false;
	}
	buffer_done(&head);
	return ok;
}

static void hand_over(const struct request_work *work, int fd, uint16_t request_id,
		      struct response *response, const struct access *access)
{
	struct sink *sink = record_sink_new(fd, request_id, access);

	if (!sink) {
		close(fd);
		access_answer(access, 499, 0, "no_memory");
	}
	engine_hand_over(work->engine, response->stream, sink);
}

/* true: a next request may come. */
static bool answer(const struct request_work *work, struct kept *kept,
		   struct connection *connection, struct incoming *in)
{
	struct response response;
	struct answered answered;
	struct access access;
	bool keeps;

	response_init(&response);
	work->app->handle(work->app_state, &in->request, &response);
	access_fill(&access, &in->request, &response);
	keeps = incoming_release(in);
	if (response.stream) {
		keeps = false;
		kept_leave(kept, connection);
		hand_over(work, connection->fd, in->records.request_id, &response, &access);
	} else {
		access_first_byte(&access);
		keeps = write_answer(work, in, &response, &answered) && keeps;
		if (!keeps)
			end(kept, connection);
		access_answer(&access, response.status, answered.bytes, answered.outcome);
	}
	response_done(&response);
	incoming_done(in);
	return keeps;
}

bool serve_next(const struct request_work *work, struct kept *kept, struct connection *connection)
{
	struct incoming in;

	incoming_open(&in, connection->fd, work->config->read_ms);
	switch (record_in_first(&in.records)) {
	case RECORD_IN_SILENT: return let_wait(work, kept, connection);
	case RECORD_IN_LEFT: part(kept, connection); return false;
	case RECORD_IN_SPEAKS: break;
	}
	if (!incoming_read(&in, work->budget)) {
		drop(kept, connection);
		return false;
	}
	metrics_add(M_KEPT_REQUESTS, 0, 0, connection->is_used);
	connection->is_used = true;
	return answer(work, kept, connection, &in) && let_wait(work, kept, connection);
}
