/*
 * Connections that wait for a request: each byte is seen by one thread, none is lost, and nobody is
 * taken for another one who had the place before.
 */
#include "../../src/server/serve.h"

#include "fcgi_peer.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PLACES 3
#define LATER  1000000 /* ms: a time that no test sees */

static struct kept *kept;

static int open_kept(void **state)
{
	(void)state;
	kept = kept_open(PLACES);
	return kept ? 0 : -1;
}

static int close_kept(void **state)
{
	(void)state;
	kept_free(kept);
	return 0;
}

/* The web server's end; ours waits. */
static int waiting_peer(int64_t until_ms)
{
	struct connection connection = { .place = -1 };
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	connection.fd = ends[0];
	assert_int_equal(kept_wait(kept, &connection, until_ms), KEPT_WAITS);
	return ends[1];
}

static void say(int peer)
{
	assert_int_equal(send(peer, "x", 1, MSG_NOSIGNAL), 1);
}

static void hear(const struct connection *connection)
{
	char byte;

	assert_int_equal(recv(connection->fd, &byte, 1, MSG_DONTWAIT), 1);
}

static struct connection claimed(void)
{
	struct connection connection;
	uint64_t seen;

	assert_true(kept_look(kept, 10000, &seen));
	assert_true(kept_claim(kept, seen, &connection));
	return connection;
}

static void assert_nothing_is_seen(void)
{
	uint64_t seen;

	assert_false(kept_look(kept, 0, &seen));
}

static void end(struct connection *connection, int peer)
{
	kept_leave(kept, connection);
	close(connection->fd);
	close(peer);
}

static void one_that_speaks_is_seen_once_and_waits_again(void **state)
{
	int peer = waiting_peer(LATER);
	struct connection connection;

	(void)state;
	assert_nothing_is_seen();
	for (int i = 0; i < 3; i++) {
		say(peer);
		connection = claimed();
		assert_nothing_is_seen();
		hear(&connection);
		connection.is_used = true;
		assert_int_equal(kept_wait(kept, &connection, LATER), KEPT_WAITS);
	}
	assert_int_equal(kept_count(kept), 1);
	say(peer);
	connection = claimed();
	assert_true(connection.is_used);
	end(&connection, peer);
	assert_int_equal(kept_count(kept), 0);
}

static void one_that_leaves_is_seen_too(void **state)
{
	int peer = waiting_peer(LATER);
	struct connection connection;
	char byte;

	(void)state;
	close(peer);
	connection = claimed();
	assert_int_equal(recv(connection.fd, &byte, 1, MSG_DONTWAIT), 0);
	end(&connection, -1);
}

static void what_comes_while_it_is_served_is_not_forgotten(void **state)
{
	int peer = waiting_peer(LATER);
	struct connection connection, other;
	uint64_t seen;

	(void)state;
	say(peer);
	connection = claimed();
	hear(&connection);
	say(peer);
	assert_true(kept_look(kept, 10000, &seen)); /* by another thread */
	assert_false(kept_claim(kept, seen, &other));
	assert_int_equal(kept_wait(kept, &connection, LATER), KEPT_READY);
	hear(&connection);
	assert_int_equal(kept_wait(kept, &connection, LATER), KEPT_WAITS);
	say(peer);
	connection = claimed();
	end(&connection, peer);
}

/* It was seen, and before it was claimed its connection went and another one got the place. */
static void what_was_said_of_the_last_one_is_no_word_on_the_next(void **state)
{
	int peer = waiting_peer(0), next;
	struct connection connection;
	uint64_t seen;

	(void)state;
	say(peer);
	assert_true(kept_look(kept, 10000, &seen));
	assert_true(kept_overdue(kept, 0, &connection));
	end(&connection, peer);
	next = waiting_peer(LATER);
	assert_false(kept_claim(kept, seen, &connection));
	say(next);
	connection = claimed();
	end(&connection, next);
}

static void who_waits_longest_makes_room(void **state)
{
	const int64_t until_ms[PLACES] = { LATER + 2, LATER, LATER + 1 };
	struct connection one = { .place = -1 }, oldest;
	int peers[PLACES], ends[2];

	(void)state;
	for (int i = 0; i < PLACES; i++)
		peers[i] = waiting_peer(until_ms[i]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	one.fd = ends[0];
	assert_int_equal(kept_wait(kept, &one, LATER), KEPT_FULL);
	assert_false(kept_overdue(kept, LATER - 1, &oldest));
	assert_true(kept_overdue(kept, INT64_MAX, &oldest));
	end(&oldest, -1);
	assert_int_equal(kept_wait(kept, &one, LATER), KEPT_WAITS);
	assert_int_equal(kept_count(kept), PLACES);
	say(peers[0]);
	say(peers[2]);
	say(ends[1]);
	for (int i = 0; i < PLACES; i++) {
		oldest = claimed();
		end(&oldest, -1);
	}
	for (int i = 0; i < PLACES; i++)
		close(peers[i]);
	close(ends[1]);
}

static void one_that_is_put_back_unread_is_seen_again(void **state)
{
	int peer = waiting_peer(LATER);
	struct connection connection;

	(void)state;
	say(peer);
	connection = claimed();
	assert_nothing_is_seen();
	kept_put_back(kept, &connection);
	connection = claimed();
	hear(&connection);
	end(&connection, peer);
}

static void nobody_waits_any_more_once_it_is_shut(void **state)
{
	int peer = waiting_peer(LATER), other = waiting_peer(LATER);
	struct connection connection;

	(void)state;
	say(peer);
	connection = claimed();
	kept_shut(kept);
	assert_int_equal(kept_wait(kept, &connection, LATER), KEPT_SHUT);
	end(&connection, peer);
	say(other); /* who waits still is seen */
	connection = claimed();
	end(&connection, other);
}

/* --- all at once --- */

#define THREADS  4
#define PEERS    12 /* four times as many as there are places */
#define REQUESTS 200

static atomic_bool is_over;

/* Serves as request threads do: a byte is a request, and is answered by one. */
static void serve_all(struct connection *connection)
{
	enum kept_state state = KEPT_READY;
	struct connection oldest;
	char byte;

	while (state == KEPT_READY) {
		ssize_t n = recv(connection->fd, &byte, 1, MSG_DONTWAIT);

		if (n == 0 || (n == 1 && send(connection->fd, &byte, 1, MSG_NOSIGNAL) != 1))
			break;
		state = kept_wait(kept, connection, LATER);
		if (state == KEPT_FULL && kept_overdue(kept, INT64_MAX, &oldest)) {
			end(&oldest, -1);
			state = kept_wait(kept, connection, LATER);
		}
	}
	if (state == KEPT_WAITS)
		return;
	end(connection, -1);
}

static void *serve_thread(void *unused)
{
	struct connection connection;
	uint64_t seen;

	(void)unused;
	while (!atomic_load(&is_over))
		if (kept_look(kept, 10, &seen) && kept_claim(kept, seen, &connection))
			serve_all(&connection);
	return NULL;
}

/* Comes again when its connection was closed for want of places. */
static void *peer_thread(void *unused)
{
	int ends[2] = { -1, -1 };
	char byte = 'x';

	(void)unused;
	for (int answered = 0; answered < REQUESTS;) {
		if (ends[1] < 0) {
			struct connection connection = { .place = -1 };

			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
			connection.fd = ends[0];
			serve_all(&connection);
		}
		if (send(ends[1], &byte, 1, MSG_NOSIGNAL) == 1 && recv(ends[1], &byte, 1, 0) == 1) {
			answered++;
			continue;
		}
		close(ends[1]);
		ends[1] = -1;
	}
	close(ends[1]);
	return NULL;
}

static void every_request_is_answered_whoever_sees_it(void **state)
{
	pthread_t servers[THREADS], peers[PEERS];
	struct connection left;

	(void)state;
	atomic_store(&is_over, false);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&servers[i], NULL, serve_thread, NULL), 0);
	for (int i = 0; i < PEERS; i++)
		assert_int_equal(pthread_create(&peers[i], NULL, peer_thread, NULL), 0);
	for (int i = 0; i < PEERS; i++)
		pthread_join(peers[i], NULL);
	atomic_store(&is_over, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(servers[i], NULL);
	while (kept_overdue(kept, INT64_MAX, &left))
		end(&left, -1);
	assert_int_equal(kept_count(kept), 0);
}

/* --- the moment of a stop --- */

static void answer_shortly(void *app, struct request *request, struct response *response)
{
	(void)app;
	(void)request;
	buffer_append(&response->body, SLICE("here"));
}

static void *say_late(void *peer)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000000 };
	struct buffer params;
	int fd = *(int *)peer;

	nanosleep(&pause, NULL);
	buffer_init(&params, 1024);
	peer_add_param(&params, "REQUEST_METHOD", "GET");
	peer_begin(fd, 1);
	peer_say(fd, PEER_PARAMS, 1, buffer_slice(&params));
	peer_say(fd, PEER_PARAMS, 1, SLICE(""));
	peer_say(fd, PEER_STDIN, 1, SLICE(""));
	buffer_done(&params);
	return NULL;
}

/* Its web server has connected and says the rest in a moment: nobody else would answer it. */
static void d10_one_that_was_accepted_just_before_a_stop_is_still_answered(void **state)
{
	static const struct config config = { .read_ms = 10000, .write_ms = 10000 };
	static const struct server_app app = { .handle = answer_shortly };
	const struct request_work work = { .config = &config, .app = &app };
	struct connection connection = { .place = -1 };
	struct peer_answer answer;
	pthread_t peer;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	connection.fd = ends[0];
	kept_shut(kept);
	assert_int_equal(pthread_create(&peer, NULL, say_late, &ends[1]), 0);
	while (serve_next(&work, kept, &connection))
		;
	pthread_join(peer, NULL);
	peer_read_answer(ends[1], 1, &answer);
	assert_true(answer.ended && !answer.wrong);
	assert_non_null(strstr(answer.text.data, "here"));
	buffer_done(&answer.text);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_kept, close_kept)
		TEST(one_that_speaks_is_seen_once_and_waits_again),
		TEST(one_that_leaves_is_seen_too),
		TEST(what_comes_while_it_is_served_is_not_forgotten),
		TEST(what_was_said_of_the_last_one_is_no_word_on_the_next),
		TEST(who_waits_longest_makes_room),
		TEST(one_that_is_put_back_unread_is_seen_again),
		TEST(nobody_waits_any_more_once_it_is_shut),
		TEST(every_request_is_answered_whoever_sees_it),
		TEST(d10_one_that_was_accepted_just_before_a_stop_is_still_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
