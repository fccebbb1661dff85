/* A run's text comes to all of its readers as it is kept: once a round, never beyond the longest
 * answer, framed once for those who stand at the same place. One whose source cannot be had ends
 * for its readers all the same. */
#include "../../src/stream/follower.h"
#include "../../src/stream/run.h"
#include "folder.h"
#include "stream_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct config config;
static struct spool_dir *dir;
static struct loop *loop;
static struct spool *owner;
static struct runs runs;
static struct followers followers;
static bool is_over, is_gone;
static struct error told;

static void on_gone(void *ctx, struct run *run)
{
	(void)ctx;
	(void)run;
	is_gone = true;
}

static struct run *seen;

/* Leaves when it is told that the run is over, as followers do. */
static void on_more(struct run_reader *reader)
{
	if (!run_is_over(seen))
		return;
	is_over = true;
	told = *run_error(seen);
	run_leave(seen, reader);
}

static void on_cut(struct run_reader *reader)
{
	(void)reader;
}

static int set_up(void **state)
{
	static const struct spool_limits limits = { .total = 1 << 20 };
	const struct spool_record record = { .run_id = "run" };

	(void)state;
	if (!folder_make("run") || !(dir = spool_dir_open(folder, &limits, NULL, NULL)) ||
	    !(loop = loop_open(NULL)))
		return -1;
	runs = (struct runs){
		.loop = loop, .config = &config, .slot = BOARD_NOBODY, .calls = { .gone = on_gone }
	};
	config.answer_max = 1 << 20;
	followers_init(&followers, loop, &config, NULL);
	owner = spool_create(dir, &record, NULL);
	return owner ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	spool_unref(owner);
	followers_done(&followers);
	runs_done(&runs);
	loop_free(loop);
	spool_dir_free(dir);
	return folder_remove();
}

/* Another worker writes it, and here is no memory to look at its file: nobody would ever say that
 * it is saved. */
static void a_seen_run_without_a_source_is_over_at_once(void **state)
{
	static const struct run_reader_ops ops = { on_more, on_cut };
	struct run_reader reader = { .ops = &ops };

	(void)state;
	seen = run_seen(&runs, spool_open(dir, "run", NULL));
	assert_non_null(seen);
	run_take(seen, NULL);
	run_join(seen, &reader);
	runs_flush(&runs);
	assert_true(is_over);
	assert_int_equal(told.code, ERROR_OVERLOADED);
	runs_flush(&runs);
	assert_true(is_gone);
}

/* --- one of ours --- */

/* A source that says what the test says. */
static struct source says;

static void say(const char *text)
{
	struct buffer *room = says.events->room(says.ctx);

	assert_true(buffer_append(room, slice_of(text)));
	says.events->text(says.ctx, strlen(text));
}

static void say_end(enum message_status status)
{
	const struct source_end end = { .status = status, .finish_reason = "", .asked = true };

	says.events->end(says.ctx, &end);
}

static void nothing(struct source *source)
{
	(void)source;
}

static void on_ended(void *ctx, struct spool *spool)
{
	(void)ctx;
	spool_unref(spool);
}

static struct run *begin_ours(void)
{
	static const struct source_ops ops = { nothing, nothing };
	struct run_start start = { .spool = spool_ref(owner) };
	struct run *run;

	runs.calls.ended = on_ended;
	says = (struct source){ .ops = &ops };
	run = run_ours(&runs, &start);
	assert_non_null(run);
	run_take(run, &says);
	return run;
}

static void follow(struct run *run, enum stream_format format, struct client *client)
{
	const struct stream_options options = { .format = format };

	client_init(client);
	follower_join(follower_new(&options, SLICE("")), &followers, run, &client->sink, NULL);
}

static void round_ends(void)
{
	runs_flush(&runs);
	followers_round(&followers);
}

static long file_writes(void)
{
	char line[128];
	long writes = -1;
	FILE *io = fopen("/proc/self/io", "r");

	assert_non_null(io);
	while (fgets(line, sizeof line, io))
		if (sscanf(line, "syscw: %ld", &writes) == 1)
			break;
	fclose(io);
	return writes;
}

static void c2_what_a_round_brought_is_one_write_and_one_piece(void **state)
{
	struct client client;
	struct run *run = begin_ours();
	long before;

	(void)state;
	follow(run, STREAM_RAW, &client);
	before = file_writes();
	say("Hello, ");
	say("world");
	say("!");
	assert_int_equal(client.sends, 0);
	round_ends();
	assert_int_equal(file_writes() - before, 1);
	assert_int_equal(client.sends, 1);
	assert_string_equal(client.body.data, "Hello, world!");
	assert_int_equal(spool_record(owner)->length, 13);
	say_end(STATUS_COMPLETE);
	round_ends();
	run_saved(run);
	round_ends();
	assert_true(client.closed && client.ended);
	assert_string_equal(client.outcome, "complete");
	client_done(&client);
}

/* The second takes what was framed for the first; a third, who stands elsewhere, does not. */
static void readers_of_events_get_the_same_frames(void **state)
{
	struct client early, late, other;
	struct run *run = begin_ours();
	const char *last;

	(void)state;
	follow(run, STREAM_SSE, &early);
	follow(run, STREAM_SSE, &late);
	say("first ");
	round_ends();
	say("second");
	follow(run, STREAM_SSE, &other); /* of it all only what is kept */
	round_ends();
	assert_string_equal(early.body.data, late.body.data);
	assert_string_equal(early.body.data, other.body.data);
	last = strstr(early.body.data, "id: run.12\nevent: delta\ndata: \"second\"\n\n");
	assert_non_null(last);
	assert_non_null(strstr(early.body.data, "id: run.6\nevent: delta\ndata: \"first \"\n\n"));
	say_end(STATUS_COMPLETE);
	run_saved(run);
	round_ends();
	client_done(&early);
	client_done(&late);
	client_done(&other);
}

/* Nobody who stands at the same place is sent another form's frames. */
static void o5_readers_of_chunks_get_frames_of_their_own(void **state)
{
	struct client events, chunks, raw;
	struct run *run = begin_ours();

	(void)state;
	follow(run, STREAM_SSE, &events);
	follow(run, STREAM_OPENAI, &chunks);
	follow(run, STREAM_RAW, &raw);
	say("a \"word\"");
	round_ends();
	assert_string_equal(raw.body.data, "a \"word\"");
	assert_non_null(strstr(events.body.data, "event: delta\ndata: \"a \\\"word\\\"\"\n\n"));
	assert_null(strstr(events.body.data, "choices"));
	assert_null(strstr(chunks.body.data, "event: "));
	assert_non_null(strstr(chunks.body.data,
			       "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
			       "\"content\":\"\"},\"finish_reason\":null}]}\n\n"));
	assert_non_null(strstr(chunks.body.data, "\"delta\":{\"content\":\"a \\\"word\\\"\"},"
						 "\"finish_reason\":null}]}\n\n"));
	say_end(STATUS_COMPLETE);
	run_saved(run);
	round_ends();
	assert_non_null(strstr(chunks.body.data, "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
						 "data: [DONE]\n\n"));
	client_done(&events);
	client_done(&chunks);
	client_done(&raw);
}

static void follow_from(struct run *run, enum stream_format format, int64_t offset,
			struct client *client)
{
	const struct stream_options options = { .format = format, .offset = offset };

	client_init(client);
	follower_join(follower_new(&options, SLICE("")), &followers, run, &client->sink, NULL);
}

/* Its connection is known to be there before the model says anything more. */
static void r5_who_comes_back_and_lacks_nothing_is_greeted(void **state)
{
	struct client back, early;
	struct run *run = begin_ours();

	(void)state;
	follow(run, STREAM_SSE, &early);
	assert_int_equal(early.body.len, 0); /* its status may still be an error's */
	say("text");
	round_ends();
	follow_from(run, STREAM_SSE, 4, &back);
	assert_non_null(strstr(back.body.data, "id: run.4\nevent: run\n"));
	assert_null(strstr(back.body.data, "event: delta"));
	say(" and more");
	round_ends();
	assert_non_null(strstr(back.body.data, "id: run.13\nevent: delta\ndata: \" and more\""));
	say_end(STATUS_COMPLETE);
	run_saved(run);
	round_ends();
	assert_string_equal(back.outcome, "complete");
	client_done(&back);
	client_done(&early);
}

static void an_answer_is_cut_at_the_cap_between_characters(void **state)
{
	struct client client;
	struct run *run;

	(void)state;
	config.answer_max = 6;
	run = begin_ours();
	follow(run, STREAM_RAW, &client);
	say("abcd");
	say("\xe2\x82\xac"); /* three bytes, of which two would fit */
	assert_int_equal(run_status(run), STATUS_LENGTH);
	round_ends();
	run_saved(run);
	round_ends();
	assert_string_equal(client.body.data, "abcd");
	assert_string_equal(client.outcome, "length");
	client_done(&client);
}

/* Another worker's, or one that was kept: its file says that there is more than can be read. */
static void r5_an_answer_that_cannot_be_read_is_no_clean_end(void **state)
{
	const struct spool_ending ending = { .status = STATUS_COMPLETE, .usage = USAGE_UNKNOWN };
	static const struct source_ops ops = { nothing, nothing };
	struct client early, late;
	char path[128];
	struct spool *reader;
	struct run *run;

	(void)state;
	assert_true(spool_append(owner, SLICE("a text "), NULL));
	assert_non_null(reader = spool_open(dir, "run", NULL));
	assert_non_null(run = run_seen(&runs, reader));
	says = (struct source){ .ops = &ops };
	run_take(run, &says);
	follow(run, STREAM_SSE, &early);
	assert_true(spool_refresh(reader, NULL));
	says.events->grown(says.ctx);
	round_ends();
	assert_non_null(strstr(early.body.data, "a text "));
	assert_true(spool_append(owner, SLICE("that was whole"), NULL));
	assert_true(spool_end(owner, &ending, NULL));
	assert_true(spool_mark_saved(dir, owner, NULL));
	snprintf(path, sizeof path, "%s/done/0/run", folder);
	assert_int_equal(truncate(path, SPOOL_HEADER + 10), 0);
	assert_true(spool_refresh(reader, NULL));
	say_end(STATUS_COMPLETE);
	says.events->saved(says.ctx);
	follow(run, STREAM_RAW, &late);
	round_ends();
	assert_true(early.closed && !early.ended);
	assert_null(strstr(early.body.data, "done"));
	assert_string_equal(early.outcome, "broken_off");
	assert_int_equal(late.status, 503);
	assert_null(strstr(late.body.data, "a text"));
	client_done(&early);
	client_done(&late);
}

/* What is silent holds no memory for text: the next one's is that of the last. */
static void a_silent_run_lends_its_memory(void **state)
{
	struct run *run = begin_ours();

	(void)state;
	assert_int_equal(runs.pool.count, 0);
	say("text");
	round_ends();
	assert_int_equal(runs.pool.count, 1);
	say("more");
	assert_int_equal(runs.pool.count, 0);
	round_ends();
	assert_int_equal(runs.pool.count, 1);
	run_halt(run);
	run_saved(run);
	round_ends();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_seen_run_without_a_source_is_over_at_once),
		T(c2_what_a_round_brought_is_one_write_and_one_piece),
		T(readers_of_events_get_the_same_frames),
		T(o5_readers_of_chunks_get_frames_of_their_own),
		T(r5_who_comes_back_and_lacks_nothing_is_greeted),
		T(r5_an_answer_that_cannot_be_read_is_no_clean_end),
		T(an_answer_is_cut_at_the_cap_between_characters),
		T(a_silent_run_lends_its_memory),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
