/* h2_connection: see h2_connection.h. */
#include "h2_connection.h"

#include "base/log.h"
#include "base/metrics.h"
#include "h2_session.h"
#include "h2_wire.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS      2000
#define STALE_MS     5000   /* silent for so long it is asked before it gets a stream */
#define SILENT_MS    10000  /* or when it has streams that wait */
#define ANSWER_MS    10000  /* for the answer to that; a second when nobody else waits */
#define SOON_MS      300    /* an answer that takes longer is not waited for with a new stream */
#define HOPE_MS      2000   /* nor is one that takes longer to be open */
#define IDLE_MS      60000  /* without streams: it is not needed */
#define LAST_IDLE_MS 300000 /* the last one to its host */
#define QUESTION_MS  2000 /* what was sent is kept for a refusal; these come within a round trip */

/* --- what time brings --- */

static void keep_no_question(struct h2_connection *connection, int64_t now_ms)
{
	for (struct h2_stream *stream = connection->streams; stream; stream = stream->next) {
		struct net_question *question = stream->question;

		if (!question || !question->sent_ms ||
		    (now_ms - question->sent_ms < QUESTION_MS && !stream->has_head))
			continue;
		net_question_free(question);
		stream->question = NULL;
	}
}

static void say_goodbye(struct h2_connection *connection)
{
	nghttp2_session_terminate_session(connection->session, NGHTTP2_NO_ERROR);
	h2_is_over(connection, NET_CUT); /* which nobody hears: it has no streams */
}

static void look(struct h2_connection *connection, int64_t now_ms)
{
	int64_t answer_ms = connection->stream_count ? ANSWER_MS : ANSWER_MS / 10;
	int64_t idle_ms = connection->calls->is_last(connection->ctx) ? LAST_IDLE_MS : IDLE_MS;

	keep_no_question(connection, now_ms);
	if (connection->asked_ms && now_ms - connection->asked_ms >= answer_ms)
		h2_is_over(connection, NET_CUT);
	else if (connection->stream_count == 0 &&
		 (connection->state == H2_DRAINS || h2_session_max(connection) == 0 ||
		  now_ms - connection->idle_ms >= idle_ms))
		say_goodbye(connection); /* those that take none stand in the way of others */
	else if (connection->stream_count && now_ms - connection->heard_ms >= SILENT_MS)
		h2_session_ping(connection);
}

/* A certificate that was not good says more than what the other addresses did. */
static enum net_failure why_not_open(const struct h2_connection *connection)
{
	return connection->tls_failed ? NET_TLS : NET_CONNECT;
}

void h2_connection_look(struct h2_connection *connection)
{
	int64_t now_ms = loop_now_ms(connection->shared->loop);

	if (connection->was_open)
		look(connection, now_ms);
	else if (now_ms >= connection->open_by_ms)
		h2_is_over(connection, why_not_open(connection));
}

static void on_due(struct loop_timer *timer)
{
	struct h2_connection *connection = timer->owner;
	struct loop *loop = connection->shared->loop;

	if (connection->state == H2_OVER)
		return;
	h2_connection_look(connection);
	loop_set_timer(loop, timer, loop_now_ms(loop) + TICK_MS);
}

uint32_t h2_connection_room(struct h2_connection *connection)
{
	int64_t now_ms = loop_now_ms(connection->shared->loop);
	uint32_t max;

	if (connection->state != H2_OPEN)
		return 0;
	if (!nghttp2_session_check_request_allowed(connection->session)) {
		connection->state = H2_DRAINS; /* it has no more numbers for streams */
		return 0;
	}
	max = h2_session_max(connection);
	if (max == 0 && connection->stream_count == 0)
		say_goodbye(connection); /* it is open, and of no use */
	if (connection->stream_count >= max)
		return 0;
	if (now_ms - connection->heard_ms >= STALE_MS)
		h2_session_ping(connection);
	/* One whose socket is full would keep a question inside nghttp2. */
	return connection->asked_ms || connection->kept ? 0 : max - connection->stream_count;
}

bool h2_connection_comes(const struct h2_connection *connection)
{
	int64_t now_ms = loop_now_ms(connection->shared->loop);

	if (connection->state == H2_DIALS || connection->state == H2_SHAKES_HANDS)
		return now_ms - connection->heard_ms < HOPE_MS;
	return connection->state == H2_OPEN && connection->asked_ms &&
	       now_ms - connection->asked_ms < SOON_MS;
}

/* --- its beginning --- */

static void on_dialled(void *ctx, int fd, const struct h2_address *at, int error)
{
	struct h2_connection *connection = ctx;

	connection->dial = NULL;
	connection->at = *at;
	if (fd >= 0) {
		h2_wire_open(connection, fd);
		return;
	}
	log_warn("no connection to the upstream", LOG_T("error", strerror(error)));
	h2_is_over(connection, error_is_shortage(error) ? NET_UNSENT : why_not_open(connection));
}

/* To those addresses that were not found wanting. False: there are none, or no memory. */
static bool dial(struct h2_connection *connection)
{
	struct h2_addresses left = *connection->addresses;
	struct loop *loop = connection->shared->loop;
	int64_t now_ms = loop_now_ms(loop), look_ms = now_ms + TICK_MS;

	if (connection->tls_failed >= left.count)
		return false;
	left.count -= connection->tls_failed;
	connection->dial = h2_dial_start(loop, &left, on_dialled, connection);
	if (!connection->dial)
		return false;
	connection->state = H2_DIALS;
	connection->heard_ms = now_ms;
	loop_set_timer(loop, &connection->timer,
		       look_ms < connection->open_by_ms ? look_ms : connection->open_by_ms);
	return true;
}

/* One of several servers may have been forgotten when certificates were renewed. */
static bool tries_next_address(struct h2_connection *connection)
{
	if (connection->was_open || connection->failure != NET_TLS || connection->watch.fd < 0)
		return false;
	h2_addresses_put_last(connection->addresses, &connection->at);
	connection->tls_failed++;
	if (!dial(connection))
		return false;
	h2_wire_close(connection);
	connection->failure = NET_OK;
	return true;
}

/* --- its end --- */

static void tell_loss(const struct h2_connection *connection)
{
	if (connection->stream_count == 0)
		return;
	metrics_add(M_HTTP2, METRIC_HTTP2_lost, 0, 1);
	log_warn("upstream connection lost", LOG_T("error", net_failure_word(connection->failure)),
		 LOG_I("streams", connection->stream_count));
}

static void end_streams(struct h2_connection *connection)
{
	tell_loss(connection);
	while (connection->streams) {
		struct h2_stream *stream = connection->streams;
		bool is_unsent = !stream->is_sent && h2_stream_may_again(stream);

		h2_let_go(stream);
		if (is_unsent)
			connection->calls->refused(connection->ctx, stream);
		else
			h2_stream_end(stream, connection->failure);
	}
}

void h2_connection_free(struct h2_connection *connection)
{
	struct h2_connection **touched = &connection->shared->touched;

	while (connection->is_touched && *touched != connection)
		touched = &(*touched)->next_touched;
	if (connection->is_touched)
		*touched = connection->next_touched;
	loop_clear_timer(connection->shared->loop, &connection->timer);
	h2_dial_stop(connection->dial);
	h2_wire_close(connection);
	free(connection);
}

static void flush(struct h2_connection *connection)
{
	h2_wire_flush(connection);
	if (connection->state != H2_OVER) {
		connection->calls->ready(connection->ctx);
		return;
	}
	if (tries_next_address(connection))
		return;
	end_streams(connection);
	connection->calls->over(connection->ctx, connection);
	h2_connection_free(connection);
}

void h2_shared_flush(struct h2_shared *shared)
{
	struct h2_connection *connection;

	while ((connection = shared->touched)) {
		shared->touched = connection->next_touched;
		connection->is_touched = false;
		flush(connection);
	}
}

struct h2_connection *h2_connection_open(struct h2_shared *shared, struct h2_addresses *addresses,
					 struct h2_tls *tls, const char *host, SSL_SESSION **resume,
					 uint32_t usual_max, int64_t connect_ms,
					 const struct h2_connection_calls *calls, void *ctx)
{
	struct h2_connection *connection = calloc(1, sizeof *connection);
	int64_t now_ms = loop_now_ms(shared->loop);

	if (!connection)
		return NULL;
	connection->shared = shared;
	connection->watch.fd = -1;
	connection->timer = (struct loop_timer){ .fire = on_due, .owner = connection };
	connection->addresses = addresses;
	connection->tls = tls;
	connection->host = host;
	connection->resume = resume;
	connection->usual_max = usual_max;
	connection->calls = calls;
	connection->ctx = ctx;
	connection->open_by_ms = now_ms + connect_ms;
	if (dial(connection))
		return connection;
	free(connection);
	return NULL;
}

bool h2_shared_open(struct h2_shared *shared, struct loop *loop)
{
	shared->loop = loop;
	return h2_session_init(shared);
}

void h2_shared_close(struct h2_shared *shared)
{
	loop_clear_timer(shared->loop, &shared->round);
	nghttp2_session_callbacks_del(shared->callbacks);
	nghttp2_option_del(shared->option);
}
