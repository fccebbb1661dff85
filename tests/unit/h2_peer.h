/*
 * h2_peer: an HTTP/2 connection of the program's and a server's session of nghttp2, without a
 * socket between them. What one has to say is fed to the other when the test says so.
 */
#ifndef TESTS_UNIT_H2_PEER_H
#define TESTS_UNIT_H2_PEER_H

#include "../../src/net/h2_connection.h"
#include "../../src/net/h2_session.h"
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* --- what the server sees --- */

static struct peer {
	nghttp2_session *session;
	nghttp2_session_callbacks *callbacks;
	int requests, resets, bodies_ended, pings, goaways;
	int32_t last_id;
	uint32_t reset_code;
	size_t body;
	char fields[2048]; /* "name: value\n", those that are never indexed with a "!" before */
} peer;

static int peer_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
			  size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
			  void *ctx)
{
	size_t at = strlen(peer.fields);

	(void)session, (void)frame, (void)ctx;
	snprintf(peer.fields + at, sizeof peer.fields - at, "%s%.*s: %.*s\n",
		 flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "", (int)name_len, (const char *)name,
		 (int)value_len, (const char *)value);
	return 0;
}

static int peer_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
			size_t n, void *ctx)
{
	(void)session, (void)flags, (void)id, (void)bytes, (void)ctx;
	peer.body += n;
	return 0;
}

static int peer_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	(void)session, (void)ctx;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		peer.requests++;
		peer.last_id = frame->hd.stream_id;
	} else if (frame->hd.type == NGHTTP2_RST_STREAM) {
		peer.resets++;
		peer.reset_code = frame->rst_stream.error_code;
	}
	peer.pings += frame->hd.type == NGHTTP2_PING;
	peer.goaways += frame->hd.type == NGHTTP2_GOAWAY;
	if (frame->hd.type == NGHTTP2_DATA && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		peer.bodies_ended++;
	return 0;
}

/* --- both ends --- */

static struct loop *loop;
static struct h2_shared shared;
static struct h2_connection connection;
static struct h2_stream *refused; /* the last that was given back */
static int refusals, readies;

static void on_ready(void *ctx)
{
	(void)ctx;
	readies++;
}

static void on_refused(void *ctx, struct h2_stream *stream)
{
	(void)ctx;
	h2_stream_again(stream);
	refused = stream;
	refusals++;
}

static void on_over(void *ctx, struct h2_connection *over)
{
	(void)ctx, (void)over;
}

static bool is_last(void *ctx)
{
	(void)ctx;
	return true;
}

static const struct h2_connection_calls calls = { on_ready, on_refused, is_last, on_over };

static inline void to_peer(void)
{
	const uint8_t *bytes;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(connection.session, &bytes)) > 0)
		assert_int_equal(nghttp2_session_mem_recv(peer.session, bytes, (size_t)n), n);
	assert_int_equal(n, 0);
}

static inline void from_peer(void)
{
	const uint8_t *bytes;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(peer.session, &bytes)) > 0)
		h2_session_feed(&connection, bytes, (size_t)n);
	assert_int_equal(n, 0);
}

static inline void exchange(void)
{
	to_peer();
	from_peer();
	to_peer();
	from_peer();
}

static inline void feed(const void *bytes, size_t n)
{
	h2_session_feed(&connection, bytes, n);
}

static inline int open_both(void **state)
{
	(void)state;
	peer = (struct peer){ 0 };
	refused = NULL;
	refusals = readies = 0;
	loop = loop_open(NULL);
	memset(&shared, 0, sizeof shared);
	assert_true(h2_shared_open(&shared, loop));
	connection = (struct h2_connection){ .shared = &shared,
					     .calls = &calls,
					     .watch.fd = -1,
					     .state = H2_OPEN,
					     .usual_max = H2_STREAMS_MAX,
					     .was_open = true,
					     .heard_ms = loop_now_ms(loop) };
	assert_true(h2_session_open(&connection));
	nghttp2_session_callbacks_new(&peer.callbacks);
	nghttp2_session_callbacks_set_on_header_callback(peer.callbacks, peer_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(peer.callbacks, peer_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(peer.callbacks, peer_on_frame);
	return nghttp2_session_server_new(&peer.session, peer.callbacks, NULL) ||
	       nghttp2_submit_settings(peer.session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static inline int close_both(void **state)
{
	(void)state;
	while (connection.streams) {
		struct h2_stream *stream = connection.streams;

		h2_session_drop(stream);
		h2_stream_free(stream);
	}
	nghttp2_session_del(connection.session);
	nghttp2_session_del(peer.session);
	nghttp2_session_callbacks_del(peer.callbacks);
	h2_shared_close(&shared);
	loop_free(loop);
	return 0;
}

/* --- a stream and what it came to --- */

struct seen {
	struct h2_stream *stream;
	int heads, status, ends, retry_after_s;
	enum net_failure failure;
	char type[64];
	size_t body;
	bool cancels_at_head;
};

static void seen_head(void *ctx, const struct net_response *response)
{
	struct seen *seen = ctx;

	seen->heads++;
	seen->status = response->status;
	seen->retry_after_s = response->retry_after_s;
	snprintf(seen->type, sizeof seen->type, "%.*s", SLICE_ARG(response->content_type));
	if (!seen->cancels_at_head)
		return;
	h2_session_drop(seen->stream);
	h2_stream_free(seen->stream);
	seen->stream = NULL;
}

static void seen_body(void *ctx, struct slice bytes)
{
	((struct seen *)ctx)->body += bytes.len;
}

static void seen_end(void *ctx, enum net_failure failure)
{
	struct seen *seen = ctx;

	seen->ends++;
	seen->failure = failure;
	seen->stream = NULL;
}

static const struct h2_events seen_events = { { seen_head, seen_body, seen_end }, NULL };

static inline struct net_question *ask(size_t body_size)
{
	static const char *const headers[] = { "Authorization: Bearer secret",
					       "Content-Type: application/json", NULL };
	const struct net_request request = { .url = "https://model.example/v1/chat?a=b",
					     .headers = headers,
					     .connect_ms = 1000 };
	struct net_question *question;
	struct buffer body;
	char *room;

	buffer_init(&body, body_size + 1);
	room = buffer_reserve(&body, body_size);
	memset(room, 'x', body_size);
	buffer_commit(&body, body_size);
	question = net_question_new(&request, &body);
	assert_non_null(question);
	return question;
}

static inline void begin(struct seen *seen, size_t body_size)
{
	seen->stream = h2_stream_new(loop, ask(body_size), &seen_events, seen);
	assert_non_null(seen->stream);
	assert_true(h2_session_begin(&connection, seen->stream));
}

/* --- what the server says --- */

#define NV(name, value)                                                                            \
	(nghttp2_nv)                                                                               \
	{                                                                                          \
		(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1, 0      \
	}

static inline void say_head(int32_t id, const char *status, bool is_last)
{
	nghttp2_nv fields[] = { NV(":status", "000"), NV("content-type", "text/event-stream"),
				NV("retry-after", "7") };

	fields[0].value = (uint8_t *)status;
	assert_int_equal(nghttp2_submit_headers(peer.session, is_last ? NGHTTP2_FLAG_END_STREAM : 0,
						id, NULL, fields, 3, NULL),
			 0);
}

struct text {
	size_t left;
	bool is_last;
};

static inline ssize_t read_text(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
				uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct text *text = source->ptr;
	size_t n = text->left < size ? text->left : size;

	(void)session, (void)id, (void)ctx;
	memset(out, 'y', n);
	text->left -= n;
	if (text->left == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF |
			  (text->is_last ? 0 : (uint32_t)NGHTTP2_DATA_FLAG_NO_END_STREAM);
	return (ssize_t)n;
}

static inline void say_text(int32_t id, struct text *text)
{
	nghttp2_data_provider source = { .source.ptr = text, .read_callback = read_text };

	assert_int_equal(nghttp2_submit_data(peer.session, NGHTTP2_FLAG_END_STREAM, id, &source),
			 0);
}

static inline void say_reset(int32_t id, uint32_t code)
{
	assert_int_equal(nghttp2_submit_rst_stream(peer.session, 0, id, code), 0);
}

#endif
