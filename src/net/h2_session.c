/* h2_session: see h2_session.h. */
#include "h2_session.h"

#include "base/metrics.h"
#include <stdio.h>

#define STREAM_WINDOW     (256 << 10)
#define CONNECTION_WINDOW (8 << 20)
#define INTERIM_MAX       100   /* heads of 1xx before the real one */
#define FLOOD_MAX         10000 /* frames that bring nothing, in a second */
#define QUIET_MS          500 /* of silence: a stream given up then makes its connection doubtful */
#define FIELDS_MAX        (NET_HEADERS_MAX + 5)

/* --- streams --- */

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* nghttp2 forgets it first: whom it is told may go. */
static void end(struct h2_stream *stream, enum net_failure failure)
{
	nghttp2_session_set_stream_user_data(stream->connection->session, stream->id, NULL);
	h2_let_go(stream);
	h2_stream_end(stream, failure);
}

static void reset(struct h2_connection *connection, int32_t id, uint32_t code)
{
	nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, id, code);
	h2_touch(connection);
}

static void end_reset(struct h2_stream *stream, uint32_t code, enum net_failure failure)
{
	reset(stream->connection, stream->id, code);
	end(stream, failure);
}

void h2_session_drop(struct h2_stream *stream)
{
	struct h2_connection *connection = stream->connection;

	if (connection->session && connection->state != H2_OVER) {
		nghttp2_session_set_stream_user_data(connection->session, stream->id, NULL);
		reset(connection, stream->id, NGHTTP2_CANCEL);
		if (loop_now_ms(connection->shared->loop) - connection->heard_ms >= QUIET_MS)
			h2_session_ping(connection); /* which gets no stream before it is heard */
	}
	h2_let_go(stream);
}

/* --- what comes --- */

/* What a callback gives back to end the connection. */
static int no_more(nghttp2_session *session)
{
	nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* PING, SETTINGS, frames of nothing: each costs us and brings nothing. What brings something is
 * taken off again by on_data. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *ctx)
{
	struct h2_connection *connection = ctx;
	int64_t now_ms = loop_now_ms(connection->shared->loop);

	(void)head;
	if (now_ms - connection->flood_ms >= 1000) {
		connection->flood_ms = now_ms;
		connection->flood = 0;
	}
	return ++connection->flood > FLOOD_MAX ? no_more(session) : 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_connection *connection = ctx;

	(void)session, (void)frame;
	h2_head_begin(&connection->head);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *ctx)
{
	struct h2_connection *connection = ctx;

	(void)frame, (void)flags;
	h2_head_field(&connection->head, (struct slice){ (const char *)name, name_len },
		      (struct slice){ (const char *)value, value_len });
	return connection->head.size > H2_HEAD_BOMB ? no_more(session) : 0;
}

/* A block of fields is whole: heads of 1xx, the head, trailers. False: the stream is gone. */
static bool take_head(struct h2_connection *connection, struct h2_stream *stream, int32_t id)
{
	struct net_response response = h2_head_response(&connection->head);

	if (!stream->has_head && response.status < 100) { /* nghttp2 lets 051 pass as a final one */
		end_reset(stream, NGHTTP2_PROTOCOL_ERROR, NET_PROTOCOL);
		return false;
	}
	stream->interim += !stream->has_head && response.status < 200;
	if (connection->head.size > H2_HEAD_MAX || stream->interim > INTERIM_MAX) {
		end_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM, NET_PROTOCOL);
		return false;
	}
	if (stream->has_head || response.status < 200)
		return true;
	stream->has_head = true;
	stream->events->net.head(stream->ctx, &response);
	return stream_of(connection->session, id) != NULL;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
		   size_t n, void *ctx)
{
	struct h2_connection *connection = ctx;
	struct h2_stream *stream = stream_of(session, id);

	(void)flags;
	/* At once, whatever becomes of them: no stream may close the window of the others. Without
	 * memory for it the connection ends and not this stream alone: nghttp2 says of its fatal
	 * errors, of which that is one, that the session may only be deleted behind them. */
	if (nghttp2_session_consume(session, id, n) != 0) {
		h2_is_over(connection, NET_NO_MEMORY);
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	connection->flood -= connection->flood > 0;
	h2_touch(connection);
	if (stream)
		stream->events->net.body(stream->ctx, (struct slice){ (const char *)bytes, n });
	return 0;
}

/* The answer is whole. What was not sent of the question is not wanted (RFC 9113, 8.1). */
static void take_end(struct h2_stream *stream)
{
	if (nghttp2_session_get_stream_local_close(stream->connection->session, stream->id) == 0)
		end_reset(stream, NGHTTP2_NO_ERROR, NET_OK);
	else
		end(stream, NET_OK);
}

static void take_goaway(struct h2_connection *connection)
{
	if (connection->state != H2_OPEN)
		return;
	connection->state = H2_DRAINS;
	metrics_add(M_HTTP2, METRIC_HTTP2_draining, 0, 1);
}

static void take_settings(struct h2_connection *connection)
{
	connection->has_settings = true;
	connection->calls->ready(connection->ctx);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_connection *connection = ctx;
	struct h2_stream *stream = stream_of(session, frame->hd.stream_id);
	bool is_answer = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;

	h2_touch(connection);
	if (frame->hd.type == NGHTTP2_GOAWAY)
		take_goaway(connection);
	else if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		take_settings(connection);
	if (!stream)
		return 0;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		stream->was_reset = true;
	if (frame->hd.type == NGHTTP2_HEADERS && !take_head(connection, stream, stream->id))
		return 0;
	if (is_answer && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		take_end(stream);
	return 0;
}

/* Not processed: begun again if it may be, and it may not always. */
static void take_refusal(struct h2_connection *connection, struct h2_stream *stream)
{
	if (!h2_stream_may_again(stream)) {
		end(stream, NET_CUT);
		return;
	}
	nghttp2_session_set_stream_user_data(connection->session, stream->id, NULL);
	h2_let_go(stream);
	connection->calls->refused(connection->ctx, stream);
}

/* Before its end came: reset by the server, by nghttp2 for what is no HTTP, or beyond a GOAWAY. */
static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct h2_connection *connection = ctx;
	struct h2_stream *stream = stream_of(session, id);

	h2_touch(connection);
	if (stream && code == NGHTTP2_REFUSED_STREAM)
		take_refusal(connection, stream);
	else if (stream)
		end(stream, stream->was_reset ? NET_CUT : NET_PROTOCOL);
	return 0;
}

/* A request that still waited inside nghttp2 when a GOAWAY came. It was no stream yet. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int code, void *ctx)
{
	struct h2_connection *connection = ctx;
	struct h2_stream *stream = connection->streams;

	(void)session, (void)code;
	while (stream && stream->id != frame->hd.stream_id)
		stream = stream->next;
	if (stream && frame->hd.type == NGHTTP2_HEADERS)
		take_refusal(connection, stream);
	return 0;
}

void h2_session_feed(struct h2_connection *connection, const unsigned char *bytes, size_t n)
{
	ssize_t read = nghttp2_session_mem_recv(connection->session, bytes, n);

	if (read < 0)
		h2_is_over(connection, read == NGHTTP2_ERR_NOMEM ? NET_NO_MEMORY : NET_PROTOCOL);
}

/* --- what goes --- */

static int before_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_connection *connection = ctx;
	struct h2_stream *stream = stream_of(session, frame->hd.stream_id);

	if (stream)
		stream->is_sent = true;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		connection->failure = NET_PROTOCOL; /* nghttp2 has found out */
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
			 uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct h2_stream *stream = stream_of(session, id);
	struct slice rest;

	(void)source;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	rest = slice_skip(buffer_slice(&stream->question->body), stream->sent);
	rest.len = rest.len < size ? rest.len : size;
	memcpy(out, rest.ptr, rest.len);
	stream->sent += rest.len;
	if (stream->sent < stream->question->body.len)
		return (ssize_t)rest.len;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	stream->question->sent_ms = loop_now_ms(((struct h2_connection *)ctx)->shared->loop);
	return (ssize_t)rest.len;
}

static nghttp2_nv field(const char *name, size_t name_len, const char *value)
{
	bool is_secret = name_len == 13 && memcmp(name, "authorization", 13) == 0;

	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, name_len, strlen(value),
			     is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };
}

static size_t write_fields(const struct net_question *question, const char *length,
			   nghttp2_nv out[FIELDS_MAX])
{
	size_t n = 0;

	out[n++] = field(":method", 7, "POST");
	out[n++] = field(":scheme", 7, "https");
	out[n++] = field(":authority", 10, question->authority);
	out[n++] = field(":path", 5, question->path);
	for (const char *const *header = question->request.headers; *header; header++) {
		const char *value = strchr(*header, ':');
		size_t len = value ? (size_t)(value - *header) : 0;

		if (len)
			out[n++] = field(*header, len, value + 1 + strspn(value + 1, " \t"));
	}
	out[n++] = field("content-length", 14, length);
	return n;
}

bool h2_session_begin(struct h2_connection *connection, struct h2_stream *stream)
{
	nghttp2_data_provider body = { .read_callback = read_body };
	nghttp2_nv fields[FIELDS_MAX];
	char length[24];
	size_t n;
	int32_t id;

	snprintf(length, sizeof length, "%zu", stream->question->body.len);
	n = write_fields(stream->question, length, fields);
	id = nghttp2_submit_request(connection->session, NULL, fields, n, &body, stream);
	if (id < 0)
		return false;
	stream->id = id;
	h2_stream_begins(stream, connection);
	h2_stream_put(&connection->streams, stream);
	connection->stream_count++;
	connection->was_used = true;
	h2_touch(connection);
	return true;
}

void h2_session_ping(struct h2_connection *connection)
{
	if (connection->asked_ms)
		return;
	connection->asked_ms = loop_now_ms(connection->shared->loop);
	nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
	h2_touch(connection);
}

uint32_t h2_session_max(const struct h2_connection *connection)
{
	uint32_t max = connection->usual_max;

	if (connection->has_settings)
		max = nghttp2_session_get_remote_settings(connection->session,
							  NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return max < H2_STREAMS_MAX ? max : H2_STREAMS_MAX;
}

/* --- life --- */

bool h2_session_init(struct h2_shared *shared)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&shared->callbacks) != 0 ||
	    nghttp2_option_new(&shared->option) != 0)
		return false;
	callbacks = shared->callbacks;
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
	nghttp2_option_set_no_auto_window_update(shared->option, 1);
	nghttp2_option_set_peer_max_concurrent_streams(shared->option, H2_STREAMS_MAX);
	nghttp2_option_set_no_closed_streams(shared->option, 1);
	nghttp2_option_set_max_reserved_remote_streams(shared->option, 0);
	return true;
}

bool h2_session_open(struct h2_connection *connection)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEAD_MAX },
	};

	return nghttp2_session_client_new2(&connection->session, connection->shared->callbacks,
					   connection, connection->shared->option) == 0 &&
	       nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
				       sizeof settings / sizeof *settings) == 0 &&
	       nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0,
						     CONNECTION_WINDOW) == 0;
}
