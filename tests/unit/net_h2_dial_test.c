/* h2_dial and h2_names: addresses in turn, the next when one fails or is silent, names off the
 * loop; and net_question: an address taken apart. Rows B4, B5. */
#include "../../src/net/h2_dial.h"
#include "../../src/net/net_question.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct loop *loop;

static int open_loop(void **state)
{
	(void)state;
	loop = loop_open(NULL);
	return loop ? 0 : -1;
}

static int close_loop(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* --- dialling --- */

static struct h2_address bind_one(int fd)
{
	struct h2_address address = { .len = sizeof address.at.v4 };

	address.at.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
					      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, &address.at.any, address.len), 0);
	assert_int_equal(getsockname(fd, &address.at.any, &address.len), 0);
	return address;
}

static int make(struct h2_address *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = bind_one(fd);
	return fd;
}

static int found_fd, found_error;
static struct h2_address found_at;

static void on_done(void *ctx, int fd, const struct h2_address *at, int error)
{
	(void)ctx;
	found_at = *at;
	found_fd = fd;
	found_error = error;
	loop_stop(loop);
}

static void dial(const struct h2_addresses *addresses)
{
	found_fd = -2;
	assert_non_null(h2_dial_start(loop, addresses, on_done, NULL));
	assert_int_equal(found_fd, -2); /* nothing from within */
	loop_run(loop);
}

static void assert_is_at(int fd, const struct h2_address *address)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;

	assert_true(fd >= 0);
	assert_int_equal(found_at.at.v4.sin_port, address->at.v4.sin_port);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(at.sin_port, address->at.v4.sin_port);
	close(fd);
}

static void b4_the_next_address_is_tried_when_one_refuses(void **state)
{
	struct h2_addresses addresses = { .count = 2 };
	int closed = make(&addresses.list[0]), open = make(&addresses.list[1]);

	(void)state;
	listen(open, 1);
	dial(&addresses);
	assert_is_at(found_fd, &addresses.list[1]);
	close(closed);
	close(open);
}

static void b4_the_next_address_is_tried_beside_one_that_is_silent(void **state)
{
	struct h2_addresses addresses = { .count = 2 };
	int full = make(&addresses.list[0]), open = make(&addresses.list[1]);
	int in_the_queue = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* its only place */

	(void)state;
	listen(full, 0);
	listen(open, 1);
	assert_int_equal(connect(in_the_queue, &addresses.list[0].at.any, addresses.list[0].len),
			 0);
	dial(&addresses);
	assert_is_at(found_fd, &addresses.list[1]);
	close(in_the_queue);
	close(full);
	close(open);
}

static void b4_when_none_is_left_the_reason_is_told(void **state)
{
	struct h2_addresses addresses = { .count = 2 };
	int a = make(&addresses.list[0]), b = make(&addresses.list[1]);

	(void)state;
	dial(&addresses);
	assert_int_equal(found_fd, -1);
	assert_int_equal(found_error, ECONNREFUSED);
	close(a);
	close(b);
}

static void b4_one_that_is_stopped_tells_nothing(void **state)
{
	struct h2_addresses addresses = { .count = 1 };
	int open = make(&addresses.list[0]);
	struct h2_dial *dial;

	(void)state;
	listen(open, 1);
	found_fd = -2;
	dial = h2_dial_start(loop, &addresses, on_done, NULL);
	assert_non_null(dial);
	h2_dial_stop(dial);
	assert_int_equal(found_fd, -2);
	close(open);
}

/* --- names --- */

static struct h2_addresses found;

static void on_found(void *ctx, const struct h2_addresses *addresses, bool no_memory)
{
	(void)ctx, (void)no_memory;
	found = *addresses;
	loop_stop(loop);
}

static void b5_a_name_is_looked_up_and_told_on_the_loop(void **state)
{
	struct h2_names *names = h2_names_open(loop);

	(void)state;
	found.count = 0;
	assert_true(h2_names_ask(names, "localhost", "443", on_found, NULL));
	loop_run(loop);
	assert_true(found.count >= 1);
	assert_int_equal(ntohs(found.list[0].at.v4.sin_port),
			 443); /* v6 has it at the same place */
	h2_names_free(names);
}

static void b5_a_name_that_nobody_has_is_told_to_have_no_address(void **state)
{
	struct h2_names *names = h2_names_open(loop);

	(void)state;
	found.count = 99;
	assert_true(h2_names_ask(names, "no name at all", "443", on_found, NULL));
	loop_run(loop);
	assert_int_equal(found.count, 0);
	h2_names_free(names);
}

/* Who closes does not wait for the resolver, and nobody is told any more. */
static void b5_names_may_be_closed_with_a_lookup_under_way(void **state)
{
	struct h2_names *names = h2_names_open(loop);

	(void)state;
	found.count = 99;
	assert_true(h2_names_ask(names, "localhost", "443", on_found, NULL));
	h2_names_free(names);
	assert_int_equal(found.count, 99);
}

static void b5_an_address_in_numbers_asks_nobody(void **state)
{
	struct h2_addresses addresses;

	(void)state;
	assert_true(h2_names_numeric("127.0.0.1", "8443", &addresses));
	assert_int_equal(addresses.count, 1);
	assert_int_equal(ntohs(addresses.list[0].at.v4.sin_port), 8443);
	assert_true(h2_names_numeric("::1", "443", &addresses));
	assert_int_equal(addresses.list[0].at.any.sa_family, AF_INET6);
	assert_false(h2_names_numeric("localhost", "443", &addresses));
}

/* --- questions --- */

static struct net_question *ask(const char *url)
{
	static const char *const headers[] = { "Content-Type: text/Plain", NULL };
	const struct net_request request = { .url = url, .headers = headers };
	struct buffer body;

	buffer_init(&body, 16);
	buffer_append(&body, SLICE("{}"));
	return net_question_new(&request, &body);
}

static void an_address_is_taken_apart(void **state)
{
	static const struct {
		const char *url, *host, *port, *authority, *path;
	} rows[] = {
		{ "https://a.example/v1/x?y=z", "a.example", "443", "a.example", "/v1/x?y=z" },
		{ "https://a.example:443", "a.example", "443", "a.example", "/" },
		{ "HTTPS://a.example:8443/x", "a.example", "8443", "a.example:8443", "/x" },
		{ "https://[::1]:8443/x", "::1", "8443", "[::1]:8443", "/x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct net_question *question = ask(rows[i].url);

		assert_true(net_question_may_h2(rows[i].url));
		assert_non_null(question);
		assert_string_equal(question->host, rows[i].host);
		assert_string_equal(question->port, rows[i].port);
		assert_string_equal(question->authority, rows[i].authority);
		assert_string_equal(question->path, rows[i].path);
		assert_string_equal(question->request.headers[0], "content-type: text/Plain");
		net_question_free(question);
	}
	assert_null(ask("https://"));
	assert_false(net_question_may_h2("http://a.example/"));
	assert_false(net_question_may_h2("https://user:word@a.example/"));
	assert_true(net_question_may_h2("https://a.example/@"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(b4_the_next_address_is_tried_when_one_refuses),
		TEST(b4_the_next_address_is_tried_beside_one_that_is_silent),
		TEST(b4_when_none_is_left_the_reason_is_told),
		TEST(b4_one_that_is_stopped_tells_nothing),
		TEST(b5_a_name_is_looked_up_and_told_on_the_loop),
		TEST(b5_a_name_that_nobody_has_is_told_to_have_no_address),
		TEST(b5_names_may_be_closed_with_a_lookup_under_way),
		TEST(b5_an_address_in_numbers_asks_nobody),
		TEST(an_address_is_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
