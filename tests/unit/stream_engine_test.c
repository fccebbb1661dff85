/*
 * The engine with its spool, without an upstream: what followers of kept answers get, and when they
 * are let go.
 */
#include "stream/engine.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "folder.h"
#include "stream_sink.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct config config;
static struct spool_dir *dir;
static struct engine *engine;

static void ended(void *ctx, struct spool *spool)
{
	(void)ctx;
	spool_unref(spool);
}

static int set_up(void **state)
{
	static const struct spool_limits roomy = { .reserve = 0, .total = 1 << 30 };
	static const struct engine_hooks hooks = { .ended = ended };

	(void)state;
	if (!folder_make("engine"))
		return -1;
	config = (struct config){ .spool_path = folder,
				  .spool_max = 1 << 30,
				  .runs_max = 1000,
				  .answer_max = 8 << 20,
				  .heartbeat_ms = 15000,
				  .save_wait_ms = 2000 };
	dir = spool_dir_open(folder, &roomy, NULL, NULL);
	engine = dir ? engine_open(&config, NULL, NULL, NULL) : NULL;
	return engine && engine_start(engine, &hooks, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	engine_stop(engine, clock_mono_ms());
	engine_free(engine);
	spool_dir_free(dir);
	return folder_remove();
}

static struct spool *make(const char *run)
{
	const struct spool_record record = {
		.run_id = run, .thread_id = "thread-1", .message_id = "answer-1", .created_ms = 1000
	};
	struct spool *spool = spool_create(dir, &record, NULL);

	assert_non_null(spool);
	return spool;
}

/* An answer that is over and saved. */
static void keep(const char *run, struct slice text)
{
	const struct spool_ending ending = { .status = STATUS_COMPLETE, .usage = USAGE_UNKNOWN };
	struct spool *spool = make(run);

	assert_true(spool_append(spool, text, NULL));
	assert_true(spool_end(spool, &ending, NULL));
	assert_true(spool_mark_saved(dir, spool, NULL));
	spool_unref(spool);
}

static void hand_over(struct stream_ticket *ticket, struct client *client)
{
	assert_non_null(ticket);
	engine_hand_over(engine, ticket, &client->sink);
}

static void join(const char *run, const struct stream_options *options, struct client *client)
{
	struct spool *spool = spool_open(dir, run, NULL);

	assert_non_null(spool);
	hand_over(stream_ticket_follow(options, spool, SLICE("")), client);
}

static void follow(const char *run, const struct stream_options *options, struct client *client)
{
	client_init(client);
	join(run, options, client);
}

static const struct stream_options raw = { .format = STREAM_RAW };

/* Each event's text is whole, and each id is a place where an answer may be taken up again. */
static void r1_sse_from_the_spool_keeps_characters_whole(void **state)
{
	static const struct stream_options sse = { .format = STREAM_SSE };
	struct client client;
	struct buffer text;
	const char *at;
	int deltas = 0;

	(void)state;
	buffer_init(&text, 1 << 20);
	for (int i = 0; i < 1500; i++)
		buffer_append(&text, SLICE("ab\xe2\x82\xac\xf0\x9f\x98\x80"));
	keep("run-r1", buffer_slice(&text));
	follow("run-r1", &sse, &client);
	client_wait(&client);
	assert_true(utf8_valid(buffer_slice(&client.body), NULL));
	assert_null(strstr(client.body.data, "\xef\xbf\xbd")); /* no U+FFFD */
	for (at = client.body.data; (at = strstr(at, "id: run-r1.")); deltas++) {
		long offset = strtol(at += strlen("id: run-r1."), NULL, 10);

		assert_true((size_t)offset <= text.len);
		assert_int_not_equal(text.data[offset] & 0xC0, 0x80);
	}
	assert_true(deltas > 10);
	client_done(&client);
	buffer_done(&text);
}

/* A replay is carried by the engine: who takes nothing of it costs a file, and no thread waits. */
static void r14_a_replay_to_a_reader_that_takes_nothing_holds_up_nobody(void **state)
{
	static const struct spool_record record = { .run_id = "run-r14",
						    .thread_id = "t",
						    .message_id = "m",
						    .status = STATUS_COMPLETE,
						    .finish_reason = "stop" };
	struct client stuck, quick;
	struct buffer text;

	(void)state;
	buffer_init(&text, 8 << 20);
	for (int i = 0; i < 200000; i++)
		buffer_append(&text, SLICE("0123456789abcdefghij"));
	client_init(&stuck);
	stuck.takes = 1;
	hand_over(
		stream_ticket_replay(&config, &raw, &record, buffer_slice(&text), SLICE(""), NULL),
		&stuck);
	client_init(&quick);
	hand_over(
		stream_ticket_replay(&config, &raw, &record, buffer_slice(&text), SLICE(""), NULL),
		&quick);
	client_wait(&quick);
	assert_string_equal(quick.outcome, "complete");
	assert_int_equal(quick.body.len, text.len);
	assert_memory_equal(quick.body.data, text.data, text.len);
	assert_false(stuck.closed);
	engine_stop(engine, clock_mono_ms());
	client_wait(&stuck); /* given up at the end of its worker */
	client_done(&stuck);
	client_done(&quick);
	buffer_done(&text);
}

/* An ended answer as events, with how it ended. */
static void r14_a_replay_as_events_tells_how_it_ended(void **state)
{
	static const struct stream_options sse = { .format = STREAM_SSE };
	static const struct spool_record record = { .run_id = "run-r14",
						    .status = STATUS_STOPPED,
						    .usage = { 1, 2, 3 } };
	struct client client;

	(void)state;
	client_init(&client);
	hand_over(stream_ticket_replay(&config, &sse, &record, SLICE("hello"), SLICE(""), NULL),
		  &client);
	client_wait(&client);
	assert_non_null(strstr(client.body.data, "data: \"hello\"\n\n"));
	assert_non_null(strstr(client.body.data, "\"total_tokens\":3"));
	assert_non_null(strstr(client.body.data, "\"status\":\"stopped\""));
	assert_int_equal(access(folder, F_OK), 0);
	client_done(&client);
}

/* A replay is kept on disk while it is read; the reserve is for answers that cannot be had again.
 */
static void a_replay_leaves_the_reserve_to_answers_under_way(void **state)
{
	static const struct spool_record record = { .run_id = "run", .status = STATUS_COMPLETE };
	struct error err = { 0 };

	(void)state;
	config.spool_reserve = INT64_MAX;
	assert_null(stream_ticket_replay(&config, &raw, &record, SLICE("hello"), SLICE(""), &err));
	assert_int_equal(err.code, ERROR_SPOOL);
	assert_true(err.retry_after_s > 0);
}

/* Readers that take nothing hold a part of the spool's limit and no more, and small answers are
 * replayed all the same. */
static void f9_what_replays_hold_of_the_disk_is_bounded(void **state)
{
	static const struct spool_record record = { .run_id = "run", .status = STATUS_COMPLETE };
	static char text[96 << 10];
	const struct slice large = { text, sizeof text };
	struct stream_ticket *held[3], *small;
	struct error err = { 0 };

	(void)state;
	memset(text, 'x', sizeof text);
	config.spool_max = 64 * 2 * sizeof text; /* room for two */
	for (int i = 0; i < 2; i++)
		assert_non_null(held[i] = stream_ticket_replay(&config, &raw, &record, large,
							       SLICE(""), NULL));
	assert_null(stream_ticket_replay(&config, &raw, &record, large, SLICE(""), &err));
	assert_int_equal(err.code, ERROR_SPOOL);
	assert_int_equal(err.retry_after_s, 1);
	assert_non_null(small = stream_ticket_replay(&config, &raw, &record, SLICE("hello"),
						     SLICE(""), NULL));
	stream_ticket_drop(held[0], NULL); /* it was read, or given up */
	assert_non_null(
		held[2] = stream_ticket_replay(&config, &raw, &record, large, SLICE(""), NULL));
	stream_ticket_drop(small, NULL);
	stream_ticket_drop(held[1], NULL);
	config.spool_max = 1; /* the largest alone is none too many */
	assert_null(stream_ticket_replay(&config, &raw, &record, large, SLICE(""), NULL));
	stream_ticket_drop(held[2], NULL);
	assert_non_null(
		held[0] = stream_ticket_replay(&config, &raw, &record, large, SLICE(""), NULL));
	stream_ticket_drop(held[0], NULL);
}

/* So many at once, and no more: the rest is told so, and none of the others notices. */
static void r16_followers_of_a_run_are_bounded(void **state)
{
	static struct client clients[66];
	struct spool *owner = make("run-r16");
	const struct spool_ending ending = { .status = STATUS_COMPLETE, .usage = USAGE_UNKNOWN };

	(void)state;
	assert_true(spool_append(owner, SLICE("text"), NULL));
	for (int i = 0; i < 66; i++)
		follow("run-r16", &raw, &clients[i]);
	client_wait(&clients[64]);
	client_wait(&clients[65]);
	assert_int_equal(clients[65].status, 503);
	assert_string_equal(clients[65].outcome, "refused");
	assert_true(spool_end(owner, &ending, NULL));
	assert_true(spool_mark_saved(dir, owner, NULL));
	for (int i = 0; i < 66; i++) {
		client_wait(&clients[i]);
		if (i < 64)
			assert_string_equal(clients[i].body.data, "text");
		client_done(&clients[i]);
	}
	spool_unref(owner);
}

/* At the end of its worker a reader of what another one writes is let go, and is not told that the
 * answer is over. */
static void r22_a_view_ends_with_its_worker(void **state)
{
	struct spool *owner = make("run-r22");
	struct client client;

	(void)state;
	assert_true(spool_append(owner, SLICE("half"), NULL));
	follow("run-r22", &raw, &client);
	engine_stop(engine, clock_mono_ms()); /* returns only when nothing is carried any more */
	client_wait(&client);
	assert_string_equal(client.outcome, "worker_stopped");
	assert_false(client.ended);
	client_done(&client);
	spool_unref(owner);
}

/* C5: one who catches up with a long answer reads so much a round; others come between. */
static void c5_catching_up_has_a_share_of_a_round(void **state)
{
	struct client slow, quick;
	struct buffer text;

	(void)state;
	buffer_init(&text, 8 << 20);
	for (int i = 0; i < 400000; i++)
		buffer_append(&text, SLICE("0123456789abcdefghij"));
	keep("long", buffer_slice(&text));
	keep("short", SLICE("a few words"));
	client_init(&slow);
	slow.holds = true; /* until the other has come, too */
	join("long", &raw, &slow);
	follow("short", &raw, &quick);
	client_let_go(&slow);
	client_wait(&quick);
	client_wait(&slow);
	assert_true(quick.first_at < slow.closed_at); /* between, not behind */
	assert_int_equal(slow.body.len, text.len);
	assert_memory_equal(slow.body.data, text.data, text.len);
	client_done(&slow);
	client_done(&quick);
	buffer_done(&text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(r1_sse_from_the_spool_keeps_characters_whole),
		T(r14_a_replay_to_a_reader_that_takes_nothing_holds_up_nobody),
		T(r14_a_replay_as_events_tells_how_it_ended),
		T(a_replay_leaves_the_reserve_to_answers_under_way),
		T(f9_what_replays_hold_of_the_disk_is_bounded),
		T(r16_followers_of_a_run_are_bounded),
		T(r22_a_view_ends_with_its_worker),
		T(c5_catching_up_has_a_share_of_a_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
