/* h2_session against a server's session: heads, ends, refusals, windows, floods. Rows B10, B15,
 * B19. */
#include "h2_peer.h"

static struct seen first, second;

static void begin_two(void)
{
	first = second = (struct seen){ 0 };
	begin(&first, 10);
	begin(&second, 10);
	exchange();
	assert_int_equal(peer.requests, 2);
}

/* --- requests --- */

static void a_request_reaches_the_server_whole_and_its_key_is_never_indexed(void **state)
{
	(void)state;
	first = (struct seen){ 0 };
	begin(&first, 100000); /* more than the server's window: it has to give some back */
	exchange();
	exchange();
	assert_string_equal(peer.fields, ":method: POST\n:scheme: https\n"
					 ":authority: model.example\n:path: /v1/chat?a=b\n"
					 "!authorization: Bearer secret\n"
					 "content-type: application/json\n"
					 "content-length: 100000\n");
	assert_int_equal(peer.body, 100000);
	assert_int_equal(peer.bodies_ended, 1);
	assert_true(first.stream->question->sent_ms > 0);
}

static void an_answer_is_one_head_its_body_and_one_end(void **state)
{
	struct text text = { 1000, false };
	nghttp2_nv trailer = NV("checksum", "1");
	nghttp2_nv early = NV(":status", "103");

	(void)state;
	begin_two();
	nghttp2_submit_headers(peer.session, 0, 1, NULL, &early, 1, NULL);
	from_peer();
	assert_int_equal(first.heads, 0);
	say_head(1, "200", false);
	from_peer();
	assert_int_equal(first.heads, 1);
	assert_int_equal(first.status, 200);
	assert_int_equal(first.retry_after_s, 7);
	assert_string_equal(first.type, "text/event-stream");
	say_text(1, &text);
	from_peer();
	assert_int_equal(nghttp2_submit_trailer(peer.session, 1, &trailer, 1), 0);
	from_peer();
	assert_int_equal(first.heads, 1);
	assert_int_equal(first.body, 1000);
	assert_int_equal(first.ends, 1);
	assert_int_equal(first.failure, NET_OK);
	assert_int_equal(second.ends, 0);
	assert_int_equal(connection.stream_count, 1);
}

static void an_answer_before_the_question_has_gone_is_an_answer(void **state)
{
	(void)state;
	first = (struct seen){ 0 };
	begin(&first, 1 << 20);
	to_peer(); /* as much as the first window takes */
	assert_int_equal(peer.bodies_ended, 0);
	say_head(1, "413", true);
	from_peer();
	assert_int_equal(first.status, 413);
	assert_int_equal(first.failure, NET_OK);
	assert_int_equal(first.ends, 1);
	to_peer();
	assert_int_equal(peer.reset_code, NGHTTP2_NO_ERROR);
	assert_int_equal(peer.resets, 1);
}

/* --- ends that are none --- */

static void b10_what_is_refused_is_given_back_three_times_and_no_more(void **state)
{
	(void)state;
	first = (struct seen){ 0 };
	begin(&first, 10);
	for (int tries = 1; tries < 3; tries++) {
		exchange();
		say_reset(peer.last_id, NGHTTP2_REFUSED_STREAM);
		from_peer();
		assert_int_equal(refusals, tries);
		assert_int_equal(connection.stream_count, 0);
		assert_true(h2_session_begin(&connection, refused));
	}
	exchange();
	say_reset(peer.last_id, NGHTTP2_REFUSED_STREAM);
	from_peer();
	assert_int_equal(first.ends, 1);
	assert_int_equal(first.failure, NET_CUT);
	assert_int_equal(peer.requests, 3);
	assert_int_equal(peer.bodies_ended, 3);
}

static void b10_what_may_have_been_processed_is_never_begun_again(void **state)
{
	nghttp2_nv early = NV(":status", "103");

	(void)state;
	begin_two();
	say_head(1, "200", false);
	from_peer();
	say_reset(1, NGHTTP2_REFUSED_STREAM); /* a lie: its head has come */
	nghttp2_submit_headers(peer.session, 0, 3, NULL, &early, 1, NULL);
	from_peer();
	say_reset(3, NGHTTP2_REFUSED_STREAM); /* and of this one something, too */
	from_peer();
	assert_int_equal(first.failure, NET_CUT);
	assert_int_equal(second.failure, NET_CUT);
	assert_int_equal(refusals, 0);
}

static void b10_behind_a_goaway_the_earlier_go_on_and_the_later_are_given_back(void **state)
{
	struct text text = { 10, true };

	(void)state;
	begin_two();
	nghttp2_submit_goaway(peer.session, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	from_peer();
	assert_int_equal(connection.state, H2_DRAINS);
	assert_int_equal(refusals, 1);
	assert_ptr_equal(refused, second.stream);
	assert_int_equal(h2_connection_room(&connection), 0);
	say_head(1, "200", false);
	say_text(1, &text);
	from_peer();
	assert_int_equal(first.failure, NET_OK);
	assert_int_equal(first.body, 10);
	h2_stream_free(refused);
}

static void b10_a_reset_cuts_and_what_is_no_http_is_told_apart(void **state)
{
	nghttp2_nv head[] = { NV(":status", "200"), NV("content-length", "5") };
	struct text text = { 10, true };

	(void)state;
	begin_two();
	say_reset(1, NGHTTP2_INTERNAL_ERROR);
	from_peer();
	assert_int_equal(first.failure, NET_CUT);
	nghttp2_submit_headers(peer.session, 0, 3, NULL, head, 2, NULL);
	say_text(3, &text); /* twice what its head says */
	exchange();
	assert_int_equal(second.ends, 1);
	assert_int_equal(second.failure, NET_PROTOCOL);
	assert_int_not_equal(connection.state, H2_OVER);
}

/* --- what is cancelled --- */

static void s1_a_cancelled_stream_is_reset_and_closes_no_window(void **state)
{
	struct text text = { 64u << 20, true }, more = { 32u << 20, true };

	(void)state;
	begin_two();
	say_head(1, "200", false);
	say_head(3, "200", false);
	exchange();
	h2_session_drop(first.stream);
	h2_stream_free(first.stream);
	say_text(1, &text); /* it has not heard of it yet */
	from_peer();
	to_peer();
	assert_int_equal(peer.resets, 1);
	assert_int_equal(peer.reset_code, NGHTTP2_CANCEL);
	assert_int_equal(first.body, 0);
	say_text(3, &more);
	for (int rounds = 0; second.ends == 0 && rounds < 1000; rounds++)
		exchange();
	assert_int_equal(second.body, 32u << 20);
	assert_int_equal(second.failure, NET_OK);
}

static void s1_a_head_may_be_answered_by_cancelling(void **state)
{
	(void)state;
	begin_two();
	first.cancels_at_head = true;
	say_head(1, "200", true);
	exchange();
	assert_int_equal(first.heads, 1);
	assert_int_equal(first.ends, 0);
	assert_int_equal(connection.stream_count, 1);
}

static void s1_what_was_not_sent_yet_is_not_sent(void **state)
{
	(void)state;
	first = (struct seen){ 0 };
	begin(&first, 10);
	h2_session_drop(first.stream);
	h2_stream_free(first.stream);
	exchange();
	assert_int_equal(peer.requests, 0);
	assert_int_equal(connection.stream_count, 0);
}

/* --- floods --- */

static void b15_a_head_without_end_ends_its_stream_alone(void **state)
{
	static char value[16000];
	nghttp2_nv head[4] = { NV(":status", "200") };

	(void)state;
	begin_two();
	memset(value, 'v', sizeof value);
	for (size_t i = 1; i < 4; i++)
		head[i] = (nghttp2_nv){ (uint8_t *)"name", (uint8_t *)value, 4, sizeof value, 0 };
	nghttp2_submit_headers(peer.session, 0, 1, NULL, head, 4, NULL);
	exchange();
	assert_int_equal(first.heads, 0);
	assert_int_equal(first.failure, NET_PROTOCOL);
	say_head(3, "200", true);
	from_peer();
	assert_int_equal(second.failure, NET_OK);
}

/* Sixty-odd bytes that stand for four thousand, again and again. */
static void b15_a_head_that_unfolds_without_end_ends_the_connection(void **state)
{
	static unsigned char block[4 + 4000 + 4000];
	unsigned char frame[9] = { 0, 0, 0, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 0, 0, 0, 1 };
	unsigned char name[] = { 0x88, 0x40, 1, 'n', 0x7f, 0xa1, 0x1e };
	size_t n = sizeof name;

	(void)state;
	begin_two();
	memcpy(block, name, n); /* ":status: 200", then a value of 4,000 bytes for the table */
	memset(block + n, 'v', 4000);
	n += 4000;
	memset(block + n, 0xbe, 900); /* the table's newest, 900 times */
	n += 900;
	frame[1] = (unsigned char)(n >> 8);
	frame[2] = (unsigned char)n;
	feed(frame, sizeof frame);
	feed(block, n);
	assert_int_equal(connection.state, H2_OVER);
	assert_int_equal(connection.failure, NET_PROTOCOL);
	assert_int_equal(first.heads, 0);
}

static void b15_early_heads_without_end_end_their_stream(void **state)
{
	nghttp2_nv early = NV(":status", "103");

	(void)state;
	begin_two();
	for (int i = 0; i < 200 && first.ends == 0; i++) {
		nghttp2_submit_headers(peer.session, 0, 1, NULL, &early, 1, NULL);
		from_peer();
	}
	assert_int_equal(first.failure, NET_PROTOCOL);
	assert_int_equal(second.ends, 0);
}

static void flood_with(const char *frame, size_t size)
{
	static char many[64 * 9];
	const uint8_t *answers;

	begin_two();
	for (size_t i = 0; i < 64; i += 1)
		memcpy(many + i * size, frame, size);
	for (int i = 0; i < 20000 / 32 && connection.state != H2_OVER; i++) {
		feed(many, 32 * size);
		while (nghttp2_session_mem_send(connection.session, &answers) > 0)
			; /* so that answers do not pile up, which nghttp2 would not bear */
	}
	assert_int_equal(connection.state, H2_OVER);
	assert_int_equal(connection.failure, NET_PROTOCOL);
}

static void b15_settings_without_end_end_the_connection(void **state)
{
	(void)state;
	flood_with("\0\0\0\4\0\0\0\0\0", 9);
}

static void b15_data_of_nothing_without_end_ends_the_connection(void **state)
{
	(void)state;
	begin_two();
	say_head(1, "200", false);
	exchange();
	nghttp2_session_del(peer.session);
	assert_int_equal(nghttp2_session_server_new(&peer.session, peer.callbacks, NULL), 0);
	for (int i = 0; i < 20000 && connection.state != H2_OVER; i++)
		feed("\0\0\0\0\0\0\0\0\1", 9);
	assert_int_equal(connection.state, H2_OVER);
}

/* --- garbage --- */

static void b19_what_is_no_http2_ends_the_connection_in_words(void **state)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n and so on and on";
	const uint8_t *bytes;

	(void)state;
	first = (struct seen){ 0 };
	begin(&first, 10);
	while (nghttp2_session_mem_send(connection.session, &bytes) > 0)
		;
	feed(text, sizeof text - 1);
	while (nghttp2_session_mem_send(connection.session, &bytes) > 0)
		;
	assert_int_equal(connection.failure, NET_PROTOCOL);
	assert_false(nghttp2_session_want_read(connection.session));
}

static void how_many_streams_a_server_allows_is_minded(void **state)
{
	nghttp2_settings_entry one = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2 };

	(void)state;
	assert_int_equal(h2_connection_room(&connection), H2_STREAMS_MAX);
	nghttp2_submit_settings(peer.session, 0, &one, 1);
	begin_two();
	assert_int_equal(readies > 0, 1);
	assert_int_equal(h2_connection_room(&connection), 0);
	say_head(1, "200", true);
	from_peer();
	assert_int_equal(h2_connection_room(&connection), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_both, close_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_reaches_the_server_whole_and_its_key_is_never_indexed),
		TEST(an_answer_is_one_head_its_body_and_one_end),
		TEST(an_answer_before_the_question_has_gone_is_an_answer),
		TEST(b10_what_is_refused_is_given_back_three_times_and_no_more),
		TEST(b10_what_may_have_been_processed_is_never_begun_again),
		TEST(b10_behind_a_goaway_the_earlier_go_on_and_the_later_are_given_back),
		TEST(b10_a_reset_cuts_and_what_is_no_http_is_told_apart),
		TEST(s1_a_cancelled_stream_is_reset_and_closes_no_window),
		TEST(s1_a_head_may_be_answered_by_cancelling),
		TEST(s1_what_was_not_sent_yet_is_not_sent),
		TEST(b15_a_head_without_end_ends_its_stream_alone),
		TEST(b15_a_head_that_unfolds_without_end_ends_the_connection),
		TEST(b15_early_heads_without_end_end_their_stream),
		TEST(b15_settings_without_end_end_the_connection),
		TEST(b15_data_of_nothing_without_end_ends_the_connection),
		TEST(b19_what_is_no_http2_ends_the_connection_in_words),
		TEST(how_many_streams_a_server_allows_is_minded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
