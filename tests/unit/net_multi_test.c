/*
 * net_multi against a server in a thread of its own: what befalls one transfer ends that one alone,
 * and a request's body is held no longer than it has to be.
 */
#include "base/loop.h"
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BODY_SIZE (4u << 20)

/* --- epoll_ctl, as it fails when memory or watches run out --- */

static int adds_to_fail;

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && adds_to_fail > 0) {
		adds_to_fail--;
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

/* Only a build with the address sanitizer can tell what has been freed. */
int __asan_address_is_poisoned(const volatile void *byte) __attribute__((weak));

static bool is_freed(const char *byte, bool unless_known)
{
	return __asan_address_is_poisoned ? __asan_address_is_poisoned(byte) : unless_known;
}

/* --- the server: takes one connection, reads one request, answers as it is told --- */

static struct server {
	int listener, go[2]; /* a byte in `go` for each step */
	pthread_t thread;
	char url[64];
	size_t read; /* of the request, head included */
} server;

static struct loop *loop;
static struct net_multi *multi;

static void read_request(int fd, size_t body)
{
	static char piece[65536];
	char *end = NULL;
	size_t head = 0, got = 0;
	ssize_t n;

	while ((!end || got < head + body) && (n = read(fd, piece, sizeof piece - 1)) > 0) {
		piece[n] = '\0';
		if (!end && (end = strstr(piece, "\r\n\r\n")))
			head = got + (size_t)(end + 4 - piece);
		got += (size_t)n;
	}
	server.read = got;
}

static void *serve(void *arg)
{
	size_t body = *(size_t *)arg;
	int fd = accept(server.listener, NULL, NULL);
	char step;

	read_request(fd, body);
	loop_notify(loop);
	if (read(server.go[0], &step, 1) == 1 && step == 'h')
		dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	if (read(server.go[0], &step, 1) == 1 && step == 'b')
		dprintf(fd, "ok");
	close(fd);
	return NULL;
}

static void step(char which)
{
	assert_int_equal(write(server.go[1], &which, 1), 1);
}

static struct sockaddr_in listen_with(int backlog)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(server.listener, backlog), 0);
	assert_int_equal(getsockname(server.listener, (struct sockaddr *)&at, &len), 0);
	snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
	return at;
}

static void serve_one(size_t body)
{
	static size_t size;

	size = body;
	listen_with(16);
	assert_int_equal(pipe(server.go), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, &size), 0);
}

static int open_all(void **state)
{
	(void)state;
	loop = loop_open(NULL);
	multi = net_multi_open(loop, 8, NULL);
	return loop && multi && net_init(NULL) ? 0 : -1;
}

static int close_client(void **state)
{
	(void)state;
	close(server.listener);
	net_multi_free(multi);
	loop_free(loop);
	net_done();
	return 0;
}

static int close_all(void **state)
{
	close(server.go[1]);
	pthread_join(server.thread, NULL);
	close(server.go[0]);
	return close_client(state);
}

/* --- a transfer and what it came to --- */

struct seen {
	struct net_transfer *transfer;
	int status, ends;
	enum net_failure failure;
	char text[8];
	size_t len;
	void (*then)(struct seen *seen); /* after its end */
};

static void on_head(void *ctx, const struct net_response *response)
{
	struct seen *seen = ctx;

	seen->status = response->status;
	loop_notify(loop);
}

static void on_body(void *ctx, struct slice bytes)
{
	struct seen *seen = ctx;

	assert_true(seen->len + bytes.len < sizeof seen->text);
	memcpy(seen->text + seen->len, bytes.ptr, bytes.len);
	seen->len += bytes.len;
}

static void on_end(void *ctx, enum net_failure failure)
{
	struct seen *seen = ctx;

	seen->ends++;
	seen->failure = failure;
	seen->transfer = NULL;
	seen->then(seen);
}

static const struct net_events events = { on_head, on_body, on_end };

static void stop(struct seen *seen)
{
	(void)seen;
	loop_stop(loop);
}

static void let_the_body_come(struct seen *seen)
{
	(void)seen;
	step('b');
}

static const char *start_within(struct seen *seen, size_t body_size, int64_t connect_ms)
{
	struct buffer body;
	struct net_request request = { .url = server.url,
				       .headers = (const char *const[]){ NULL },
				       .connect_ms = connect_ms };
	char *room;

	buffer_init(&body, body_size);
	room = buffer_reserve(&body, body_size);
	memset(room, 'x', body_size);
	buffer_commit(&body, body_size);
	seen->transfer = net_start(multi, &request, &body, &events, seen, NULL);
	assert_non_null(seen->transfer);
	assert_null(body.data); /* taken over */
	return room;
}

static const char *start(struct seen *seen, size_t body_size)
{
	return start_within(seen, body_size, 600000);
}

/* --- tests --- */

static void stop_loop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void r11_the_body_of_a_request_is_let_go_when_it_is_sent(void **state)
{
	struct seen seen = { .then = stop };
	const char *body;

	(void)state;
	serve_one(BODY_SIZE);
	loop_wake(loop, stop_loop, NULL); /* when the server has read it all */
	body = start(&seen, BODY_SIZE);
	assert_false(is_freed(body, false));
	loop_run(loop);
	assert_true(server.read > BODY_SIZE);
	assert_int_equal(seen.ends, 0); /* the server is silent yet */
	assert_true(is_freed(body, true));
	step('h');
	step('b');
	loop_wake(loop, NULL, NULL);
	loop_run(loop);
	assert_int_equal(seen.failure, NET_OK);
	assert_string_equal(seen.text, "ok");
}

static struct seen first, second;

/* Told by the server when it has the first request, and by the first's head. */
static void start_second(void *ctx)
{
	(void)ctx;
	if (first.status == 0) {
		step('h');
	} else if (!second.transfer && second.ends == 0) {
		adds_to_fail = 1;
		start(&second, 2);
	}
}

static void r21_a_socket_that_cannot_be_watched_ends_its_transfer_alone(void **state)
{
	(void)state;
	first = (struct seen){ .then = stop };
	second = (struct seen){ .then = let_the_body_come };
	serve_one(2);
	loop_wake(loop, start_second, NULL);
	start(&first, 2);
	loop_run(loop);
	assert_int_equal(second.ends, 1);
	assert_int_equal(second.failure, NET_UNSENT);
	assert_int_equal(first.ends, 1);
	assert_int_equal(first.failure, NET_OK);
	assert_string_equal(first.text, "ok");
}

static void set_deadline(void *ctx)
{
	(void)ctx;
	net_deadline(first.transfer, 1);
}

static void c4_a_deadline_ends_its_transfer_and_says_so(void **state)
{
	(void)state;
	first = (struct seen){ .then = stop };
	serve_one(2);
	loop_wake(loop, set_deadline, NULL);
	start(&first, 2);
	loop_run(loop);
	assert_int_equal(first.ends, 1);
	assert_int_equal(first.failure, NET_TIMEOUT);
}

/* So that it may be asked again: nobody has seen the question. */
static void b4_a_server_that_takes_no_connection_in_time_is_not_one_that_fell_silent(void **state)
{
	struct sockaddr_in at = listen_with(0);
	int in_the_queue = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* its only place */

	(void)state;
	assert_int_equal(connect(in_the_queue, (struct sockaddr *)&at, sizeof at), 0);
	first = (struct seen){ .then = stop };
	start_within(&first, 2, 50);
	loop_run(loop);
	assert_int_equal(first.ends, 1);
	assert_int_equal(first.failure, NET_CONNECT);
	assert_int_equal(first.status, 0);
	close(in_the_queue);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(r11_the_body_of_a_request_is_let_go_when_it_is_sent),
		TEST(r21_a_socket_that_cannot_be_watched_ends_its_transfer_alone),
		TEST(c4_a_deadline_ends_its_transfer_and_says_so),
		cmocka_unit_test_setup_teardown(
			b4_a_server_that_takes_no_connection_in_time_is_not_one_that_fell_silent,
			open_all, close_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
