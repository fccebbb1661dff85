/*
 * FastCGI in and out: answers are whole records, bodies keep to their limits, and a peer that is
 * silent, slow or talks garbage costs a deadline and no descriptor.
 */
#include "../../src/server/incoming.h"
#include "../../src/server/record.h"

#include "base/clock.h"
#include "fcgi_peer.h"
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ID      0x0102
#define READ_MS 100

static int ours, theirs; /* the two ends */

static int set_up(void **state)
{
	int ends[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	return 0;
}

/* Who tests how `ours` is closed sets it to -1. */
static int tear_down(void **state)
{
	(void)state;
	if (ours >= 0)
		close(ours);
	if (theirs >= 0)
		close(theirs);
	return 0;
}

static int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static bool is_cut(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* --- out --- */

static void *read_answer(void *answer)
{
	peer_read_answer(theirs, ID, answer);
	return NULL;
}

/* All of it within so long, and something of it within write_ms. */
static bool write_within(int64_t write_ms, int64_t ms, struct slice head, struct slice body)
{
	const struct record_way way = {
		.fd = ours, .request_id = ID, .write_ms = write_ms, .until_ms = clock_mono_ms() + ms
	};

	return record_write(&way, head, body, true);
}

/* Writes head and body and gives what the peer read of them. */
static struct peer_answer answer_of(struct slice head, struct slice body)
{
	struct peer_answer answer;
	pthread_t reader;

	assert_int_equal(pthread_create(&reader, NULL, read_answer, &answer), 0);
	assert_true(write_within(10000, 10000, head, body));
	pthread_join(reader, NULL);
	assert_true(answer.ended && !answer.wrong);
	return answer;
}

static void a_head_is_a_status_the_headers_and_a_blank_line(void **state)
{
	struct buffer head;

	(void)state;
	buffer_init(&head, 1024);
	assert_true(record_head(&head, 409, SLICE("Allow: GET\r\n")));
	assert_string_equal(head.data, "Status: 409 Conflict\r\nAllow: GET\r\n\r\n");
	buffer_done(&head);
}

static void an_answer_is_its_head_its_body_and_an_end(void **state)
{
	struct peer_answer answer = answer_of(SLICE("Status: 200 OK\r\n\r\n"), SLICE("hello"));

	(void)state;
	assert_string_equal(answer.text.data, "Status: 200 OK\r\n\r\nhello");
	buffer_done(&answer.text);
}

static void an_answer_without_a_body_ends_too(void **state)
{
	struct peer_answer answer = answer_of(SLICE("Status: 204 No Content\r\n\r\n"), SLICE(""));

	(void)state;
	assert_int_equal(answer.records, 1);
	buffer_done(&answer.text);
}

/* Sizes around a record's, and one that takes several writes and more than the kernel holds. */
static void a_body_of_any_size_arrives_whole(void **state)
{
	static const size_t sizes[] = { 1, 65527, 65528, 65529, 65536, 9 * 65528, (5u << 20) + 3 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char *body = malloc(sizes[i]);
		struct peer_answer answer;

		assert_non_null(body);
		for (size_t at = 0; at < sizes[i]; at++)
			body[at] = (char)('a' + at % 23);
		answer = answer_of(SLICE("\r\n"), (struct slice){ body, sizes[i] });
		assert_int_equal(answer.text.len, sizes[i] + 2);
		assert_memory_equal(answer.text.data + 2, body, sizes[i]);
		buffer_done(&answer.text);
		free(body);
	}
}

static bool write_a_lot(int64_t write_ms, int64_t ms)
{
	static const char body[4 << 20];

	return write_within(write_ms, ms, SLICE("\r\n"), (struct slice){ body, sizeof body });
}

static void a_peer_that_takes_nothing_costs_one_write_deadline(void **state)
{
	int64_t began_ms = clock_mono_ms();

	(void)state;
	assert_false(write_a_lot(READ_MS, 60000));
	assert_true(clock_mono_ms() - began_ms >= READ_MS - 10);
}

static void *sip(void *unused)
{
	char bytes[4096];
	const struct timespec pause = { .tv_nsec = 10 * 1000000 };

	(void)unused;
	while (recv(theirs, bytes, sizeof bytes, 0) > 0)
		nanosleep(&pause, NULL);
	return NULL;
}

/* Each write makes progress, so that the wait for one alone would let it last for 10 s. */
static void a_peer_that_sips_is_left_at_the_deadline_of_the_whole_answer(void **state)
{
	pthread_t sipper;

	(void)state;
	assert_int_equal(pthread_create(&sipper, NULL, sip, NULL), 0);
	assert_false(write_a_lot(50, 300));
	shutdown(ours, SHUT_RDWR);
	pthread_join(sipper, NULL);
}

static void a_peer_that_has_left_is_noticed_and_no_signal_comes(void **state)
{
	(void)state;
	close(theirs);
	theirs = -1;
	assert_false(write_within(10000, 10000, SLICE("\r\n"), SLICE("x")));
}

/* --- in --- */

/* BEGIN_REQUEST and the parameters; more: pairs of name and value, then NULL. */
static void say_params(const char *const *more)
{
	struct buffer params;

	buffer_init(&params, 1 << 20);
	peer_add_param(&params, "REQUEST_METHOD", "POST");
	peer_add_param(&params, "REQUEST_URI", "/api/chat?a=1");
	peer_add_param(&params, "REMOTE_ADDR", "192.0.2.7");
	for (; more && *more; more += 2)
		peer_add_param(&params, more[0], more[1]);
	assert_true(peer_begin(theirs, ID));
	assert_true(peer_say(theirs, PEER_PARAMS, ID, buffer_slice(&params)));
	assert_true(peer_say(theirs, PEER_PARAMS, ID, SLICE("")));
	buffer_done(&params);
}

static void say_body(struct slice body)
{
	assert_true(peer_say(theirs, PEER_STDIN, ID, body));
	assert_true(peer_say(theirs, PEER_STDIN, ID, SLICE("")));
}

static struct request *take(struct incoming *in)
{
	incoming_open(in, ours, READ_MS);
	assert_true(incoming_read(in, NULL));
	return &in->request;
}

static void let_go(struct incoming *in)
{
	assert_false(incoming_release(in)); /* the connection was not to be kept */
	assert_int_equal(in->records.request_id, ID);
	incoming_done(in);
}

static void a_request_has_its_method_target_address_and_known_headers(void **state)
{
	static const char *const more[] = { "HTTP_ORIGIN",  "http://x",          "HTTP_PROXY",
					    "evil",         "HTTP_X_REQUEST_ID", "abc.DEF-1",
					    "DOCUMENT_URI", "/elsewhere",        NULL };
	struct incoming in;
	struct request *request;

	(void)state;
	say_params(more);
	say_body(SLICE(""));
	request = take(&in);
	assert_true(slice_is(request->method, "POST"));
	assert_true(slice_is(request->target, "/api/chat?a=1"));
	assert_true(slice_is(request->remote_addr, "192.0.2.7"));
	assert_true(slice_is(request->headers[HEADER_ORIGIN], "http://x"));
	assert_int_equal(request->headers[HEADER_SEC_FETCH_SITE].len, 0);
	assert_string_equal(request->id, "abc.DEF-1");
	let_go(&in);
}

/* nginx before 1.23, where the files of a site say no parameters of their own. */
static void f7_whose_address_it_is_said_twice_is_not_said(void **state)
{
	static const char *const once[] = { "HTTP_X_FORWARDED_FOR", "192.0.2.1", NULL };
	static const char *const twice[] = { "HTTP_X_FORWARDED_FOR", "198.51.100.9",
					     "HTTP_X_FORWARDED_FOR", "192.0.2.1", NULL };
	struct incoming in;

	(void)state;
	say_params(once);
	say_body(SLICE(""));
	assert_true(slice_is(take(&in)->headers[HEADER_X_FORWARDED_FOR], "192.0.2.1"));
	let_go(&in);
	say_params(twice);
	say_body(SLICE(""));
	assert_int_equal(take(&in)->headers[HEADER_X_FORWARDED_FOR].len, 0);
	let_go(&in);
}

static void a_request_id_that_could_forge_a_line_is_replaced_by_ours(void **state)
{
	static const char *const forged[] = {
		"",         "a b",
		"a\nb",     "a\"b",
		"\xc3\xa4", "0123456789012345678901234567890123456789012345678901234567890123"
	};

	(void)state;
	for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
		const char *more[] = { "HTTP_X_REQUEST_ID", forged[i], NULL };
		struct incoming in;

		say_params(more);
		say_body(SLICE(""));
		assert_int_equal(strlen(take(&in)->id), 36);
		let_go(&in);
	}
}

/* More than one read takes. */
static void say_large_body(void)
{
	char part[1000];

	for (int i = 0; i < 60; i++) {
		memset(part, 'a' + i % 26, sizeof part);
		assert_true(peer_say(theirs, PEER_STDIN, ID, (struct slice){ part, sizeof part }));
	}
	assert_true(peer_say(theirs, PEER_STDIN, ID, SLICE("")));
}

/* Closing a socket with unread bytes in it would reset the connection under the answer. */
static void a_body_that_no_handler_read_does_not_cost_the_answer(void **state)
{
	struct incoming in;
	struct peer_answer answer;

	(void)state;
	say_params(NULL);
	say_large_body();
	take(&in);
	let_go(&in);
	assert_false(is_cut(theirs));
	answer = answer_of(SLICE("\r\n"), SLICE("x"));
	buffer_done(&answer.text);
	close(ours);
	ours = -1;
	assert_true(is_cut(theirs));
}

/* --- bodies --- */

/* The error of reading a body of which `announced` was said (NULL: nothing). */
static enum error_code body_error(const char *announced, struct slice said, size_t max)
{
	const char *more[] = { announced ? "CONTENT_LENGTH" : NULL, announced, NULL };
	struct error err = { 0 };
	struct incoming in;
	struct request *request;
	bool ok;

	say_params(more);
	say_body(said);
	request = take(&in);
	ok = request->read_body(request, max, &err);
	assert_int_equal(ok, err.code == ERROR_NONE);
	assert_true(!ok || slice_equal(buffer_slice(&request->body), said));
	let_go(&in);
	return err.code;
}

static void a_body_up_to_its_limit_is_read(void **state)
{
	(void)state;
	assert_int_equal(body_error("5", SLICE("12345"), 5), ERROR_NONE);
	assert_int_equal(body_error(NULL, SLICE("12345"), 5), ERROR_NONE);
	assert_int_equal(body_error("", SLICE(""), 5), ERROR_NONE);
	assert_int_equal(body_error("3", SLICE("a\0b"), 5), ERROR_NONE);
}

static void A9_a_body_over_its_limit_is_refused_announced_or_not(void **state)
{
	(void)state;
	assert_int_equal(body_error("6", SLICE("123456"), 5), ERROR_TOO_LARGE);
	assert_int_equal(body_error(NULL, SLICE("123456"), 5), ERROR_TOO_LARGE);
	assert_int_equal(body_error("99999999999999999999", SLICE("1"), 5), ERROR_TOO_LARGE);
}

static void A10_a_length_that_lies_is_refused(void **state)
{
	(void)state;
	assert_int_equal(body_error("5", SLICE("1234"), 9), ERROR_BAD_REQUEST);
	assert_int_equal(body_error("5", SLICE("123456"), 9), ERROR_BAD_REQUEST);
	assert_int_equal(body_error("-1", SLICE("1"), 9), ERROR_BAD_REQUEST);
	assert_int_equal(body_error("5x", SLICE("12345"), 9), ERROR_BAD_REQUEST);
}

static void a_large_body_in_many_records_is_read_whole(void **state)
{
	static const char *const more[] = { "CONTENT_LENGTH", "60000", NULL };
	struct error err = { 0 };
	struct incoming in;
	struct request *request;

	(void)state;
	say_params(more);
	say_large_body();
	request = take(&in);
	assert_true(request->read_body(request, 60000, &err));
	assert_int_equal(request->body.len, 60000);
	for (size_t at = 0; at < 60000; at++)
		assert_int_equal(request->body.data[at], (int)('a' + at / 1000 % 26));
	let_go(&in);
}

static void a_body_that_stalls_is_refused_after_the_deadline(void **state)
{
	static const char *const more[] = { "CONTENT_LENGTH", "5", NULL };
	int64_t began_ms = clock_mono_ms();
	struct error err = { 0 };
	struct incoming in;
	struct request *request;

	(void)state;
	say_params(more);
	assert_true(peer_say(theirs, PEER_STDIN, ID, SLICE("12")));
	request = take(&in);
	assert_false(request->read_body(request, 9, &err));
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	let_go(&in);
	assert_true(clock_mono_ms() - began_ms >= READ_MS - 10);
}

/* --- connections that are kept --- */

static void say_record(int type, uint16_t id, const char *bytes, size_t len)
{
	assert_true(peer_say(theirs, type, id, (struct slice){ bytes, len }));
}

#define SAY(type, id, bytes) say_record(type, id, bytes, sizeof(bytes) - 1)

static void start_anew(void **state)
{
	tear_down(state);
	assert_int_equal(set_up(state), 0);
}

/* A whole request; the web server would like to keep its connection. */
static void say_kept(const char *uri)
{
	struct buffer params;

	buffer_init(&params, 1024);
	peer_add_param(&params, "REQUEST_METHOD", "GET");
	peer_add_param(&params, "REQUEST_URI", uri);
	assert_true(peer_say(theirs, PEER_BEGIN, ID, SLICE("\0\1\1\0\0\0\0\0")));
	assert_true(peer_say(theirs, PEER_PARAMS, ID, buffer_slice(&params)));
	assert_true(peer_say(theirs, PEER_PARAMS, ID, SLICE("")));
	buffer_done(&params);
}

static void a_kept_connection_brings_requests_one_by_one_and_nothing_of_the_last_stays(void **state)
{
	static const char *const secrets[] = { "HTTP_AUTHORIZATION",
					       "Bearer x",
					       "HTTP_COOKIE",
					       "c1d_visitor=y",
					       "HTTP_X_REQUEST_ID",
					       "first",
					       "CONTENT_LENGTH",
					       "2",
					       "HTTPS",
					       "on",
					       NULL };
	struct error err = { 0 };
	struct incoming in;
	struct request *request;

	(void)state;
	say_params(secrets);
	say_body(SLICE("ab"));
	request = take(&in);
	assert_true(request->read_body(request, 2, &err) && request->is_https);
	let_go(&in);
	for (int i = 0; i < 3; i++) {
		say_kept(i ? "/b" : "/a");
		SAY(PEER_STDIN, ID, "");
		request = take(&in);
		assert_true(slice_is(request->target, i ? "/b" : "/a"));
		assert_int_equal(strlen(request->id), 36);
		assert_false(request->is_https);
		assert_int_equal(request->remote_addr.len, 0);
		assert_int_equal(request->body.len, 0);
		for (int header = 0; header < HEADER_COUNT; header++)
			assert_int_equal(request->headers[header].len, 0);
		assert_true(request->read_body(request, 10, &err));
		assert_int_equal(request->body.len, 0);
		assert_true(incoming_release(&in));
		incoming_done(&in);
	}
}

/* What a web server may not say before it has its answer; ABORT_REQUEST is one of it. */
static void what_follows_a_request_unasked_ends_its_connection(void **state)
{
	struct incoming in;

	say_kept("/a");
	SAY(PEER_STDIN, ID, "");
	say_kept("/b");
	take(&in);
	assert_false(incoming_release(&in));
	incoming_done(&in);
	start_anew(state);
	say_kept("/a");
	SAY(PEER_ABORT, ID, "");
	SAY(PEER_STDIN, ID, "");
	take(&in);
	assert_false(incoming_release(&in));
	incoming_done(&in);
}

static void padding_behind_the_last_record_belongs_to_it(void **state)
{
	struct incoming in;

	(void)state;
	say_kept("/a");
	assert_int_equal(send(theirs, "\1\5\1\2\0\0\3\0xyz", 11, MSG_NOSIGNAL), 11);
	take(&in);
	assert_true(incoming_release(&in));
	incoming_done(&in);
}

static void what_has_come_is_seen_without_waiting(void **state)
{
	struct incoming in;

	(void)state;
	incoming_open(&in, ours, READ_MS);
	assert_int_equal(record_in_first(&in.records), RECORD_IN_SILENT);
	say_kept("/a");
	assert_int_equal(record_in_first(&in.records), RECORD_IN_SPEAKS);
	close(theirs);
	theirs = -1;
	incoming_open(&in, ours, READ_MS);
	while (record_in_first(&in.records) == RECORD_IN_SPEAKS)
		;
	assert_int_equal(record_in_first(&in.records), RECORD_IN_LEFT);
}

/* --- peers that are no web server --- */

/* Whatever was said before, reading gives up in time and keeps nothing. */
static void assert_dropped(void)
{
	int before = count_descriptors();
	struct incoming in;

	incoming_open(&in, ours, READ_MS);
	assert_false(incoming_read(&in, NULL));
	assert_int_equal(count_descriptors(), before);
}

static void a_silent_peer_is_dropped(void **state)
{
	(void)state;
	assert_dropped();
}

static void a_peer_that_leaves_at_once_is_dropped(void **state)
{
	(void)state;
	close(theirs);
	theirs = -1;
	assert_dropped();
}

static void a_peer_that_stalls_behind_its_first_record_is_dropped(void **state)
{
	(void)state;
	assert_true(peer_begin(theirs, ID));
	assert_dropped();
}

static void a_peer_that_stalls_within_its_parameters_is_dropped(void **state)
{
	(void)state;
	assert_true(peer_begin(theirs, ID));
	assert_true(peer_say(theirs, PEER_PARAMS, ID, SLICE("\x0e\x04REQUEST_ME")));
	assert_dropped();
}

static void a_peer_that_speaks_http_is_dropped(void **state)
{
	struct slice said = SLICE("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");

	(void)state;
	assert_int_equal(send(theirs, said.ptr, said.len, 0), said.len);
	shutdown(theirs, SHUT_WR);
	assert_dropped();
}

static void a_request_without_a_method_is_dropped(void **state)
{
	(void)state;
	assert_true(peer_begin(theirs, ID));
	assert_true(peer_say(theirs, PEER_PARAMS, ID, SLICE("\x01\x01xy")));
	assert_true(peer_say(theirs, PEER_PARAMS, ID, SLICE("")));
	say_body(SLICE(""));
	assert_dropped();
}

/* Lengths near 2^31 and 2^32, alone and together, of names and values; what is declared is not
 * there. */
static void r37_lengths_that_nothing_is_behind_are_dropped(void **state)
{
	static const char *const lengths[] = {
		"\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xf0\x80\x00\x00\x00",
		"\xff\xff\xff\xff\x80\x00\x00\x00", "\x80\x00\x00\x00\xff\xff\xff\xfd",
		"\xc0\x00\x00\x00\xc0\x00\x00\x00", "\x80\x00\x00\x01\x80\x00\x00\x09"
	};

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		assert_true(peer_begin(theirs, ID));
		say_record(PEER_PARAMS, ID, lengths[i], 8);
		SAY(PEER_PARAMS, ID, "name");
		SAY(PEER_PARAMS, ID, "");
		assert_dropped();
		start_anew(state);
	}
}

static void r37_parameters_over_their_cap_are_dropped(void **state)
{
	static const char zeros[60000];

	(void)state;
	assert_true(peer_begin(theirs, ID));
	for (int i = 0; i < 2; i++)
		say_record(PEER_PARAMS, ID, zeros, sizeof zeros);
	SAY(PEER_PARAMS, ID, "");
	assert_dropped();
}

/* The same lengths where a web server asks what we can do, before the request and within it. */
static void r37_management_records_are_answered_unread(void **state)
{
	unsigned char answer[26];
	struct incoming in;

	(void)state;
	SAY(9, 0, "\xff\xff\xff\xff\xff\xff\xff\xffxx");
	say_params(NULL);
	SAY(77, 0, "?");
	say_body(SLICE("12345"));
	assert_true(take(&in)->read_body(&in.request, 5, NULL));
	assert_true(slice_is(buffer_slice(&in.request.body), "12345"));
	let_go(&in);
	assert_true(peer_read_all(theirs, answer, sizeof answer));
	assert_memory_equal(answer, "\1\x0a\0\0\0\x12\0\0\x0f\1FCGI_MPXS_CONNS0", sizeof answer);
	assert_true(peer_read_all(theirs, answer, 16));
	assert_memory_equal(answer, "\1\x0b\0\0\0\x08\0\0\x4d\0\0\0\0\0\0\0", 16);
}

static void r37_endless_management_records_are_dropped(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		SAY(9, 0, "");
	assert_dropped();
}

/* Who asks and takes no answer holds no thread. */
static void r37_a_peer_that_asks_and_does_not_read_is_dropped(void **state)
{
	static const char zeros[4096];

	(void)state;
	for (size_t n = sizeof zeros; n > 0; n /= 2)
		while (send(ours, zeros, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
	SAY(9, 0, "");
	assert_dropped();
}

/* The time between two reads is the handler's: it is not held against the peer. */
static void r30_a_handler_that_took_long_still_gets_the_body(void **state)
{
	struct incoming in;

	(void)state;
	say_params(NULL);
	take(&in);
	in.records.until_ms = clock_mono_ms() - 1;
	say_body(SLICE("12345"));
	assert_true(in.request.read_body(&in.request, 5, NULL));
	let_go(&in);
}

static void A21_records_out_of_their_turn_are_dropped(void **state)
{
	for (int i = 0; i < 4; i++) {
		assert_true(peer_begin(theirs, ID));
		if (i == 0)
			assert_true(peer_begin(theirs, ID));
		else if (i == 1)
			SAY(PEER_STDIN, ID, "body");
		else if (i == 2)
			SAY(2, ID, ""); /* ABORT_REQUEST */
		else
			SAY(PEER_PARAMS, ID + 1, "");
		assert_dropped();
		start_anew(state);
	}
}

static void A21_an_abort_in_the_body_ends_it(void **state)
{
	struct error err = { 0 };
	struct incoming in;

	(void)state;
	say_params(NULL);
	SAY(PEER_STDIN, ID, "12");
	SAY(2, ID, "");
	assert_false(take(&in)->read_body(&in.request, 9, &err));
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	let_go(&in);
}

/* What begins like a request, and from some byte on is anything. */
static void random_bytes_are_dropped(void **state)
{
	unsigned int seed = 7;
	char bytes[512];

	for (int round = 0; round < 400; round++) {
		struct buffer params;

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)rand_r(&seed);
		buffer_init(&params, 4096);
		peer_add_param(&params, "REQUEST_METHOD", "POST");
		buffer_append(&params, (struct slice){ bytes, (size_t)round });
		if (round % 4 > 0)
			assert_true(peer_begin(theirs, ID));
		if (round % 4 > 1)
			assert_true(peer_say(theirs, PEER_PARAMS, ID, buffer_slice(&params)));
		if (round % 4 < 3)
			assert_int_equal(send(theirs, bytes, sizeof bytes, 0), sizeof bytes);
		shutdown(theirs, SHUT_WR);
		assert_dropped();
		buffer_done(&params);
		start_anew(state);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_head_is_a_status_the_headers_and_a_blank_line),
		TEST(an_answer_is_its_head_its_body_and_an_end),
		TEST(an_answer_without_a_body_ends_too),
		TEST(a_body_of_any_size_arrives_whole),
		TEST(a_peer_that_takes_nothing_costs_one_write_deadline),
		TEST(a_peer_that_sips_is_left_at_the_deadline_of_the_whole_answer),
		TEST(a_peer_that_has_left_is_noticed_and_no_signal_comes),
		TEST(a_request_has_its_method_target_address_and_known_headers),
		TEST(f7_whose_address_it_is_said_twice_is_not_said),
		TEST(a_request_id_that_could_forge_a_line_is_replaced_by_ours),
		TEST(a_body_that_no_handler_read_does_not_cost_the_answer),
		TEST(a_body_up_to_its_limit_is_read),
		TEST(A9_a_body_over_its_limit_is_refused_announced_or_not),
		TEST(A10_a_length_that_lies_is_refused),
		TEST(a_large_body_in_many_records_is_read_whole),
		TEST(a_body_that_stalls_is_refused_after_the_deadline),
		TEST(a_kept_connection_brings_requests_one_by_one_and_nothing_of_the_last_stays),
		TEST(what_follows_a_request_unasked_ends_its_connection),
		TEST(padding_behind_the_last_record_belongs_to_it),
		TEST(what_has_come_is_seen_without_waiting),
		TEST(a_silent_peer_is_dropped),
		TEST(a_peer_that_leaves_at_once_is_dropped),
		TEST(a_peer_that_stalls_behind_its_first_record_is_dropped),
		TEST(a_peer_that_stalls_within_its_parameters_is_dropped),
		TEST(a_peer_that_speaks_http_is_dropped),
		TEST(a_request_without_a_method_is_dropped),
		TEST(r37_lengths_that_nothing_is_behind_are_dropped),
		TEST(r37_parameters_over_their_cap_are_dropped),
		TEST(r37_management_records_are_answered_unread),
		TEST(r37_endless_management_records_are_dropped),
		TEST(r37_a_peer_that_asks_and_does_not_read_is_dropped),
		TEST(r30_a_handler_that_took_long_still_gets_the_body),
		TEST(A21_records_out_of_their_turn_are_dropped),
		TEST(A21_an_abort_in_the_body_ends_it),
		TEST(random_bytes_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
