/* A server's HTTP/2: whatever it sends, however it is cut, each stream has one head, then its body,
 * and ends once; all that the connection knows of agrees with it; and it ends with the streams. */
#include "../../src/net/h2_connection.h"
#include "../../src/net/h2_session.h"
#include "fuzz.h"

#define STREAMS   3
#define INPUT_MAX 4096 /* what the runner gives at most */

struct seen {
	struct h2_stream *stream;
	int heads, ends, refusals, status, retry_after_s;
	enum net_failure failure;
	size_t body;
	unsigned sum;
	bool cancels; /* at its head */
};

struct client {
	struct loop *loop;
	struct h2_shared shared;
	struct h2_connection connection;
	struct seen seen[STREAMS];
};

/* --- what streams are told --- */

static void let_go(struct seen *seen)
{
	h2_session_drop(seen->stream);
	h2_stream_free(seen->stream);
	seen->stream = NULL;
}

static void on_head(void *ctx, const struct net_response *response)
{
	struct seen *seen = ctx;

	CHECK(seen->stream && ++seen->heads == 1 && response->status >= 200);
	CHECK(response->retry_after_s >= -1 && response->retry_after_s <= 86400);
	CHECK(response->content_type.len <= H2_TYPE_MAX);
	seen->status = response->status;
	if (seen->cancels)
		let_go(seen);
}

static void on_body(void *ctx, struct slice bytes)
{
	struct seen *seen = ctx;

	CHECK(seen->stream && seen->heads == 1 && bytes.len > 0);
	seen->body += bytes.len;
	for (size_t i = 0; i < bytes.len; i++)
		seen->sum = seen->sum * 31 + (unsigned char)bytes.ptr[i];
}

static void on_end(void *ctx, enum net_failure failure)
{
	struct seen *seen = ctx;

	CHECK(seen->stream && ++seen->ends == 1);
	CHECK(failure != NET_OK || seen->heads == 1);
	seen->failure = failure;
	seen->stream = NULL;
}

static const struct h2_events events = { { on_head, on_body, on_end }, NULL };

static void on_ready(void *ctx)
{
	(void)ctx;
}

static void on_refused(void *ctx, struct h2_stream *stream)
{
	struct client *client = ctx;

	for (size_t i = 0; i < STREAMS; i++)
		if (client->seen[i].stream == stream) {
			CHECK(client->seen[i].heads == 0 && stream->question);
			client->seen[i].refusals++;
			client->seen[i].stream = NULL;
		}
	h2_stream_free(stream);
}

static void on_over(void *ctx, struct h2_connection *connection)
{
	(void)ctx, (void)connection;
}

static bool is_last(void *ctx)
{
	(void)ctx;
	return true;
}

static const struct h2_connection_calls calls = { on_ready, on_refused, is_last, on_over };

/* --- a client with three questions under way --- */

static struct h2_stream *ask(struct client *client, struct seen *seen)
{
	static const char *const headers[] = { "Accept: text/event-stream", NULL };
	const struct net_request request = { .url = "https://model.example/v1",
					     .headers = headers,
					     .connect_ms = 1000 };
	struct net_question *question;
	struct buffer body;

	buffer_init(&body, 64);
	buffer_append(&body, SLICE("{}"));
	question = net_question_new(&request, &body);
	CHECK(question);
	return h2_stream_new(client->loop, question, &events, seen);
}

static void say_all(struct client *client)
{
	const uint8_t *bytes;

	while (nghttp2_session_mem_send(client->connection.session, &bytes) > 0)
		;
}

static struct client *client_new(unsigned cancels)
{
	struct client *client = calloc(1, sizeof *client);

	CHECK(client && (client->loop = loop_open(NULL)));
	CHECK(h2_shared_open(&client->shared, client->loop));
	/* nghttp2 counts each read that ends inside a CONTINUATION's head as one more of them: by
	 * single bytes the first would be too many. Their size is bounded by us (H2_HEAD_BOMB). */
	nghttp2_option_set_max_continuations(client->shared.option, INPUT_MAX);
	client->connection = (struct h2_connection){ .shared = &client->shared,
						     .calls = &calls,
						     .ctx = client,
						     .watch.fd = -1,
						     .state = H2_OPEN,
						     .usual_max = H2_STREAMS_MAX,
						     .was_open = true };
	CHECK(h2_session_open(&client->connection));
	for (size_t i = 0; i < STREAMS; i++) {
		struct seen *seen = &client->seen[i];

		seen->cancels = cancels >> i & 1;
		seen->stream = ask(client, seen);
		CHECK(seen->stream && h2_session_begin(&client->connection, seen->stream));
	}
	say_all(client);
	return client;
}

static void client_free(struct client *client)
{
	size_t left = 0;

	for (size_t i = 0; i < STREAMS; i++) {
		left += client->seen[i].stream != NULL;
		CHECK(!client->seen[i].stream || client->seen[i].ends == 0);
	}
	CHECK(client->connection.stream_count == left);
	for (size_t i = 0; i < STREAMS; i++)
		if (client->seen[i].stream)
			let_go(&client->seen[i]);
	CHECK(!client->connection.streams && client->connection.stream_count == 0);
	say_all(client);
	nghttp2_session_del(client->connection.session);
	h2_shared_close(&client->shared);
	loop_free(client->loop);
	free(client);
}

/* --- the same bytes, whole and in pieces --- */

static void feed(struct client *client, struct slice bytes)
{
	if (client->connection.state != H2_OVER)
		h2_session_feed(&client->connection, (const unsigned char *)bytes.ptr, bytes.len);
}

static void feed_pieces(struct client *client, struct slice bytes, unsigned seed)
{
	while (bytes.len > 0) {
		struct slice piece = fuzz_piece(&bytes, &seed);

		feed(client, piece);
		fuzz_piece_done(piece);
	}
}

/* Or will be, with the next look at it. */
static bool is_over(const struct client *client)
{
	return client->connection.state == H2_OVER ||
	       !nghttp2_session_want_read(client->connection.session);
}

/* What a stream came to, or comes to when the connection is looked at. */
static int outcome(const struct client *client, const struct seen *seen)
{
	if (seen->stream && is_over(client))
		return client->connection.failure ? (int)client->connection.failure : NET_CUT;
	return seen->ends ? (int)seen->failure : -1;
}

static void compare(const struct client *a, const struct client *b)
{
	CHECK(is_over(a) == is_over(b));
	CHECK(is_over(a) || a->connection.state == b->connection.state);
	for (size_t i = 0; i < STREAMS; i++) {
		const struct seen *x = &a->seen[i], *y = &b->seen[i];

		CHECK(outcome(a, x) == outcome(b, y));
		CHECK(x->heads == y->heads && x->status == y->status);
		CHECK(x->refusals == y->refusals);
		/* What is no HTTP may be found out before its bytes are handed on, or behind them.
		 */
		if (outcome(a, x) != NET_PROTOCOL)
			CHECK(x->body == y->body && x->sum == y->sum);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct slice input = fuzz_input(bytes, size);
	unsigned seed = fuzz_byte(&input), cancels = fuzz_byte(&input);
	struct client *whole = client_new(cancels), *pieces = client_new(cancels);

	feed(whole, input);
	feed_pieces(pieces, input, seed);
	say_all(whole);
	say_all(pieces);
	compare(whole, pieces);
	client_free(whole);
	client_free(pieces);
	return 0;
}
