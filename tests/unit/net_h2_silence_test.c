/* h2_connection: what silence brings: a PING, an end, a goodbye. Row B8. */
#include "h2_peer.h"

static struct seen first;

/* So many seconds pass in which nothing comes. */
static void pass(int s)
{
	connection.heard_ms -= s * 1000;
	connection.idle_ms -= s * 1000;
	connection.asked_ms -= connection.asked_ms ? s * 1000 : 0;
	if (connection.streams && connection.streams->question &&
	    connection.streams->question->sent_ms)
		connection.streams->question->sent_ms -= s * 1000;
	h2_connection_look(&connection);
}

/* As h2_wire does with each read. */
static void hear(void)
{
	from_peer();
	connection.heard_ms = loop_now_ms(loop);
	connection.asked_ms = 0;
}

static void begin_one(void)
{
	first = (struct seen){ 0 };
	begin(&first, 10);
	to_peer();
	hear();
	to_peer();
}

static void b8_a_silent_server_is_asked_and_goes_on_when_it_answers(void **state)
{
	(void)state;
	begin_one();
	pass(9);
	to_peer();
	assert_int_equal(peer.pings, 0);
	pass(2);
	pass(2); /* once */
	to_peer();
	assert_int_equal(peer.pings, 1);
	hear();
	pass(6);
	assert_int_equal(connection.state, H2_OPEN);
}

static void b8_a_server_that_does_not_answer_is_given_up(void **state)
{
	(void)state;
	begin_one();
	pass(11);
	pass(8);
	assert_int_equal(connection.state, H2_OPEN);
	pass(3);
	assert_int_equal(connection.state, H2_OVER);
	assert_int_equal(connection.failure, NET_CUT);
}

static void b8_a_quiet_connection_is_asked_before_it_gets_a_stream(void **state)
{
	(void)state;
	begin_one();
	pass(6);
	assert_int_equal(h2_connection_room(&connection), 0);
	assert_true(h2_connection_comes(&connection));
	to_peer();
	assert_int_equal(peer.pings, 1);
	hear();
	assert_int_equal(h2_connection_room(&connection), H2_STREAMS_MAX - 1);
}

static void b8_one_that_does_not_answer_soon_is_not_hoped_for(void **state)
{
	(void)state;
	begin_one();
	pass(6);
	h2_connection_room(&connection);
	pass(1);
	assert_false(h2_connection_comes(&connection));
}

static void one_without_streams_goes_after_a_while(void **state)
{
	(void)state;
	begin_one();
	say_head(1, "200", true);
	hear();
	assert_int_equal(first.ends, 1);
	pass(290);
	assert_int_equal(connection.state, H2_OPEN); /* the last one to its host */
	pass(20);
	assert_int_equal(connection.state, H2_OVER);
	to_peer();
	assert_int_equal(peer.goaways, 1);
}

static void r11_the_question_is_let_go_two_seconds_behind_its_sending(void **state)
{
	(void)state;
	begin_one();
	pass(1);
	assert_non_null(first.stream->question);
	pass(1);
	assert_null(first.stream->question);
	assert_false(h2_stream_may_again(first.stream));
	say_reset(1, NGHTTP2_REFUSED_STREAM);
	hear();
	assert_int_equal(first.failure, NET_CUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_both, close_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(b8_a_silent_server_is_asked_and_goes_on_when_it_answers),
		TEST(b8_a_server_that_does_not_answer_is_given_up),
		TEST(b8_a_quiet_connection_is_asked_before_it_gets_a_stream),
		TEST(b8_one_that_does_not_answer_soon_is_not_hoped_for),
		TEST(one_without_streams_goes_after_a_while),
		TEST(r11_the_question_is_let_go_two_seconds_behind_its_sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
