/*
 * A stream's sink of FastCGI records: what was sent is what arrives, however little the peer takes
 * at a time; nothing ever blocks; and each stream leaves one line and one count.
 */
#include "../../src/server/record_sink.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fcgi_peer.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ID        0x0102
#define HEAD      "Status: 200 OK\r\nX-Run: 1\r\n\r\n"
#define LARGE_LEN (3u << 20)

static int ours, theirs; /* the two ends; ours is the sink's */
static struct sink *sink;
static struct shm *shm;

static int set_up(void **state)
{
	const struct access access = { .id = "req-1",
				       .method = "POST",
				       .user = "00c1d00000000000",
				       .route = "/api/chat",
				       .route_label = 2,
				       .arrived_us = clock_mono_us() };
	int ends[2], small = 4096;

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	sink = record_sink_new(ours, ID, &access);
	return sink ? 0 : -1;
}

static void close_sink(void)
{
	const struct sink_summary summary = {
		.status = 200, .bytes = 12345, .outcome = "complete", .run_id = "run-1"
	};

	if (sink)
		sink->ops->close(sink, &summary);
	sink = NULL;
}

static int tear_down(void **state)
{
	(void)state;
	close_sink();
	if (theirs >= 0)
		close(theirs);
	return 0;
}

static bool is_anything_there(void)
{
	struct pollfd peer = { .fd = theirs, .events = POLLIN };

	return poll(&peer, 1, 0) == 1;
}

static void begin(void)
{
	sink->ops->begin(sink, 200, SLICE("X-Run: 1\r\n"));
}

static struct peer_answer read_answer(void)
{
	struct peer_answer answer;

	peer_read_answer(theirs, ID, &answer);
	assert_true(answer.ended && !answer.wrong);
	return answer;
}

static void *read_in_thread(void *answer)
{
	peer_read_answer(theirs, ID, answer);
	return NULL;
}

static void wait_for_room(void)
{
	struct pollfd room = { .fd = sink->ops->fd(sink), .events = POLLOUT };

	assert_int_equal(poll(&room, 1, 10000), 1);
}

/* What the engine does with SINK_BLOCKED. */
static enum sink_result flushed(enum sink_result result)
{
	while (result == SINK_BLOCKED) {
		wait_for_room();
		result = sink->ops->flush(sink);
	}
	return result;
}

/* --- what arrives --- */

static void the_head_waits_for_the_first_bytes_and_goes_with_them(void **state)
{
	struct peer_answer answer;

	(void)state;
	begin();
	assert_false(is_anything_there());
	assert_int_equal(sink->ops->send(sink, SLICE("one ")), SINK_DONE);
	assert_true(is_anything_there());
	assert_int_equal(sink->ops->send(sink, SLICE("two")), SINK_DONE);
	assert_int_equal(sink->ops->end(sink), SINK_DONE);
	answer = read_answer();
	assert_string_equal(answer.text.data, HEAD "one two");
	buffer_done(&answer.text);
}

static void a_stream_without_bytes_has_its_head_and_its_end(void **state)
{
	struct peer_answer answer;

	(void)state;
	begin();
	assert_int_equal(sink->ops->end(sink), SINK_DONE);
	answer = read_answer();
	assert_string_equal(answer.text.data, HEAD);
	buffer_done(&answer.text);
}

static void send_large(const char *text)
{
	size_t step = 1;

	for (size_t at = 0; at < LARGE_LEN; at += step) {
		step = (step * 7 + 13) % SINK_CHUNK_MAX + 1;
		if (step > LARGE_LEN - at)
			step = LARGE_LEN - at;
		assert_int_equal(flushed(sink->ops->send(sink, (struct slice){ text + at, step })),
				 SINK_DONE);
	}
	assert_int_equal(flushed(sink->ops->end(sink)), SINK_DONE);
}

/* The kernel takes a few KiB at a time here, so that records are cut at every place. */
static void pieces_of_any_size_arrive_whole_and_in_order(void **state)
{
	char *text = malloc(LARGE_LEN);
	struct peer_answer answer;
	pthread_t reader;

	(void)state;
	assert_non_null(text);
	for (size_t at = 0; at < LARGE_LEN; at++)
		text[at] = (char)('a' + at % 23);
	assert_int_equal(pthread_create(&reader, NULL, read_in_thread, &answer), 0);
	begin();
	send_large(text);
	pthread_join(reader, NULL);
	assert_true(answer.ended && !answer.wrong);
	assert_int_equal(answer.text.len, LARGE_LEN + sizeof HEAD - 1);
	assert_memory_equal(answer.text.data + sizeof HEAD - 1, text, LARGE_LEN);
	buffer_done(&answer.text);
	free(text);
}

/* --- a peer that takes nothing --- */

/* Until the kernel takes no more; the descriptor blocks, so a sink that relied on O_NONBLOCK would
 * hang here. Gives how many chunks went in. */
static size_t fill(struct slice chunk)
{
	for (size_t count = 1;; count++) {
		enum sink_result result = sink->ops->send(sink, chunk);

		assert_int_not_equal(result, SINK_GONE);
		if (result == SINK_BLOCKED)
			return count;
		assert_in_range(count, 1, 1000);
	}
}

static void a_peer_that_takes_nothing_blocks_the_sink_and_nobody_else(void **state)
{
	static char chunk[SINK_CHUNK_MAX];
	struct peer_answer answer;
	pthread_t reader;
	size_t count;

	(void)state;
	begin();
	count = fill((struct slice){ chunk, sizeof chunk });
	assert_int_equal(sink->ops->flush(sink), SINK_BLOCKED);
	assert_int_equal(sink->ops->flush(sink), SINK_BLOCKED);
	assert_int_equal(pthread_create(&reader, NULL, read_in_thread, &answer), 0);
	assert_int_equal(flushed(SINK_BLOCKED), SINK_DONE);
	assert_int_equal(flushed(sink->ops->end(sink)), SINK_DONE);
	pthread_join(reader, NULL);
	assert_int_equal(answer.text.len, sizeof HEAD - 1 + count * sizeof chunk);
	buffer_done(&answer.text);
}

/* Even when the kernel would take it by then. */
static void an_end_that_finds_the_sink_blocked_goes_behind_what_is_kept(void **state)
{
	static char chunk[SINK_CHUNK_MAX];
	struct peer_answer answer;
	pthread_t reader;
	size_t count;

	(void)state;
	begin();
	count = fill((struct slice){ chunk, sizeof chunk });
	assert_int_equal(pthread_create(&reader, NULL, read_in_thread, &answer), 0);
	wait_for_room();
	assert_int_equal(sink->ops->end(sink), SINK_BLOCKED);
	assert_int_equal(flushed(SINK_BLOCKED), SINK_DONE);
	pthread_join(reader, NULL);
	assert_true(answer.ended && !answer.wrong);
	assert_int_equal(answer.text.len, sizeof HEAD - 1 + count * sizeof chunk);
	buffer_done(&answer.text);
}

/* --- a peer that has left --- */

static void leave(void)
{
	close(theirs);
	theirs = -1;
}

static void a_peer_that_has_left_is_gone_and_no_signal_comes(void **state)
{
	(void)state;
	begin();
	leave();
	assert_int_equal(sink->ops->send(sink, SLICE("x")), SINK_GONE);
}

static void a_peer_that_left_before_the_end_is_gone(void **state)
{
	(void)state;
	begin();
	leave();
	assert_int_equal(sink->ops->end(sink), SINK_GONE);
}

static void a_peer_that_left_while_the_sink_was_blocked_is_gone(void **state)
{
	static char chunk[SINK_CHUNK_MAX];

	(void)state;
	begin();
	fill((struct slice){ chunk, sizeof chunk });
	leave();
	assert_int_equal(sink->ops->flush(sink), SINK_GONE);
}

/* --- close --- */

static void close_hangs_up(void **state)
{
	char byte;

	(void)state;
	close_sink();
	assert_int_equal(recv(theirs, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(fcntl(ours, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

/* Closes the sink and gives how many lines were logged meanwhile, and the first of them. */
static int close_and_count_lines(char line[1024])
{
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO), count = 0;
	char more[1024];

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	log_setup(LOG_INFO, LOG_JSON, false);
	close_sink();
	log_setup(LOG_ERROR, LOG_JSON, false);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	while (fgets(count == 0 ? line : more, 1024, file))
		count++;
	fclose(file);
	return count;
}

static void I8_close_writes_one_line_of_the_summary(void **state)
{
	static const char *const parts[] = { "\"event\":\"request\"",
					     "\"id\":\"req-1\"",
					     "\"method\":\"POST\"",
					     "\"route\":\"/api/chat\"",
					     "\"status\":200",
					     "\"bytes\":12345",
					     "\"user\":\"00c1d00000000000\"",
					     "\"first_byte_ms\":",
					     "\"outcome\":\"complete\"",
					     "\"run\":\"run-1\"" };
	char line[1024] = "";

	(void)state;
	begin();
	assert_int_equal(sink->ops->send(sink, SLICE("x")), SINK_DONE);
	assert_int_equal(sink->ops->end(sink), SINK_DONE);
	assert_int_equal(close_and_count_lines(line), 1);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (!strstr(line, parts[i]))
			fail_msg("%s is not in %s", parts[i], line);
}

/* The sum of all series of a family; labels are the API's matter. */
static long long sum_of(const char *family)
{
	struct buffer text;
	long long sum = 0;
	char *rest, *line;

	buffer_init(&text, 1 << 20);
	assert_true(metrics_render(shm, false, &text));
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strncmp(line, family, strlen(family)) == 0)
			sum += strtoll(strrchr(line, ' '), NULL, 10);
	buffer_done(&text);
	return sum;
}

/* Its bytes are the engine's to count. */
static void I8_close_counts_one_request_and_no_bytes(void **state)
{
	long long requests = sum_of("c1d_requests_total"), bytes = sum_of("c1d_stream_bytes_total");

	(void)state;
	begin();
	assert_int_equal(sink->ops->send(sink, SLICE("x")), SINK_DONE);
	assert_int_equal(sum_of("c1d_requests_total"), requests);
	close_sink();
	assert_int_equal(sum_of("c1d_requests_total"), requests + 1);
	assert_int_equal(sum_of("c1d_stream_bytes_total"), bytes);
}

/* --- */

static int open_metrics(void **state)
{
	(void)state;
	log_setup(LOG_ERROR, LOG_JSON, false);
	shm = shm_map(NULL, NULL);
	if (!shm)
		return -1;
	metrics_attach(&shm->slots[0]);
	return 0;
}

static int close_metrics(void **state)
{
	(void)state;
	shm_unmap(shm);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_head_waits_for_the_first_bytes_and_goes_with_them),
		TEST(a_stream_without_bytes_has_its_head_and_its_end),
		TEST(pieces_of_any_size_arrive_whole_and_in_order),
		TEST(a_peer_that_takes_nothing_blocks_the_sink_and_nobody_else),
		TEST(an_end_that_finds_the_sink_blocked_goes_behind_what_is_kept),
		TEST(a_peer_that_has_left_is_gone_and_no_signal_comes),
		TEST(a_peer_that_left_before_the_end_is_gone),
		TEST(a_peer_that_left_while_the_sink_was_blocked_is_gone),
		TEST(close_hangs_up),
		TEST(I8_close_writes_one_line_of_the_summary),
		TEST(I8_close_counts_one_request_and_no_bytes),
	};

	return cmocka_run_group_tests(tests, open_metrics, close_metrics);
}
