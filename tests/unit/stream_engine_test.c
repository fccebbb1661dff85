/*
 * The engine with its spool, without an upstream: what followers of kept answers get, and when they
 * are let go.
 */
#include "stream/engine.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "stream_sink.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[64];
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
	snprintf(folder, sizeof folder, "/tmp/c1d-engine-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	config = (struct config){ .spool_path = folder,
				  .runs_max = 100,
				  .answer_max = 8 << 20,
				  .heartbeat_ms = 15000,
				  .save_wait_ms = 2000 };
	dir = spool_dir_open(folder, &roomy, NULL, NULL);
	engine = dir ? engine_open(&config, NULL, NULL, NULL) : NULL;
	return engine && engine_start(engine, &hooks, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	engine_stop(engine, clock_mono_ms());
	engine_free(engine);
	spool_dir_free(dir);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of ours */
}

static struct spool *make(const char *run)
{
	struct spool_record record = { .created_ms = 1000 };
	struct spool *spool;

	snprintf(record.run_id, sizeof record.run_id, "%s", run);
	snprintf(record.thread_id, sizeof record.thread_id, "thread-1");
	snprintf(record.message_id, sizeof record.message_id, "answer-1");
	spool = spool_create(dir, &record, NULL);
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

static void follow(const char *run, const struct stream_options *options, struct client *client)
{
	struct spool *spool = spool_open(dir, run, NULL);
	struct stream_ticket *ticket;

	assert_non_null(spool);
	ticket = stream_ticket_follow(options, spool, SLICE(""));
	assert_non_null(ticket);
	client_init(client);
	engine_hand_over(engine, ticket, &client->sink);
}

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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(r1_sse_from_the_spool_keeps_characters_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
