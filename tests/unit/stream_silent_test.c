/* A stream that says nothing for now holds little: all that is ours of it, from the run to its
 * client's sink, and its place on the board. What carries the question to the model is not in it:
 * net/ is played by the test. Bytes of memory are counted as they are asked for. */
#include "../../src/server/record_sink.h"
#include "../../src/stream/board_room.h"
#include "../../src/stream/follower.h"
#include "../../src/stream/run.h"
#include "../../src/stream/source_upstream.h"
#include "folder.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define STREAMS 64
#define LIMIT   3072

/* --- memory --- */

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#define HELD() __sanitizer_get_current_allocated_bytes()
#else
#define HELD() mallinfo2().uordblks
#endif

/* --- what is played --- */

struct net_transfer {
	const struct net_events *events;
	void *ctx;
};

static struct net_transfer transfers[STREAMS];
static int started;

struct net_transfer *net_start(struct net_multi *multi, const struct net_request *request,
			       struct buffer *body, const struct net_events *events, void *ctx,
			       struct error *err)
{
	struct net_transfer *transfer = &transfers[started++];

	(void)multi;
	(void)request;
	(void)err;
	*transfer = (struct net_transfer){ events, ctx };
	buffer_done(body); /* it has been sent */
	return transfer;
}

void net_cancel(struct net_transfer *transfer)
{
	*transfer = (struct net_transfer){ 0 };
}

void net_dial_ahead(struct net_multi *multi, const struct net_request *request, int64_t ms)
{
	(void)multi;
	(void)request;
	(void)ms;
}

void net_deadline(struct net_transfer *transfer, int64_t ms)
{
	(void)transfer;
	(void)ms;
}

static void say(const struct net_transfer *transfer, const char *bytes)
{
	transfer->events->body(transfer->ctx, slice_of(bytes));
}

/* --- the house --- */

static char address[] = "https://c1.example/v1", secret[] = "sk";
static struct config config = { .base_url = address, .api_key = secret };
static struct spool_dir *dir;
static struct loop *loop;
static struct runs runs;
static struct followers followers;
static struct upstream upstream;
static int peers[STREAMS];

static void on_gone(void *ctx, struct run *run)
{
	(void)ctx;
	(void)run;
}

static void on_ended(void *ctx, struct spool *spool)
{
	(void)ctx;
	spool_unref(spool);
}

static int set_up(void **state)
{
	static const struct spool_limits limits = { .total = 1 << 30 };

	(void)state;
	if (!folder_make("silent") || !(dir = spool_dir_open(folder, &limits, NULL, NULL)) ||
	    !(loop = loop_open(NULL)))
		return -1;
	config.answer_max = config.first_byte_ms = config.idle_ms = config.total_ms = 1 << 20;
	runs = (struct runs){ .loop = loop,
			      .config = &config,
			      .slot = BOARD_NOBODY,
			      .calls = { .gone = on_gone, .ended = on_ended } };
	upstream = (struct upstream){ .loop = loop, .config = &config };
	llm_init(&upstream.llm, NULL, &config);
	followers_init(&followers, loop, &config, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	followers_done(&followers);
	llm_done(&upstream.llm);
	runs_done(&runs);
	loop_free(loop);
	spool_dir_free(dir);
	for (int i = 0; i < STREAMS; i++)
		close(peers[i]);
	return folder_remove();
}

/* With ids and names as long as they are in use. */
static struct run *begin_stream(int i)
{
	char name[64];
	const struct spool_record record = {
		.run_id = name,
		.thread_id = "01990000-0000-7000-8000-00000000000a",
		.message_id = "01990000-0000-7000-8000-00000000000b",
		.node = "0badcafe",
		.user_id = "visitor-01990000-0000-7000-8000-00000000000c",
		.user_key = "00000000-0000-5000-8000-000000000000",
		.key = "00000000-0000-5000-8000-000000000001",
		.question = "00000000-0000-5000-8000-000000000002",
		.model = "c1/anthropic/claude-sonnet-4/v-20251230",
	};
	static const struct stream_options options = { .format = STREAM_SSE };
	static const struct access access = { .route = "/api/chat" };
	struct run_start start = { 0 };
	int pair[2];
	struct run *run;

	snprintf(name, sizeof name, "01990000-0000-7000-8000-%012d-0badcafe", i);
	start.spool = spool_create(dir, &record, NULL);
	assert_non_null(start.spool);
	buffer_init(&start.body, 1 << 20);
	assert_non_null(buffer_reserve(&start.body, 100000)); /* the question with its history */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	peers[i] = pair[1];
	run = run_ours(&runs, &start);
	assert_non_null(run);
	run_take(run, source_upstream(&upstream, run_id(run), &start.body));
	follower_join(follower_new(&options, SLICE("X-Run-Id: x\r\n")), &followers, run,
		      record_sink_new(pair[0], 1, &access), NULL);
	return run;
}

static void round_ends(void)
{
	runs_flush(&runs);
	followers_round(&followers);
}

static void a_silent_stream_holds_three_kib(void **state)
{
	const struct net_response head = { .status = 200, .retry_after_s = -1 };
	struct run *all[STREAMS];
	size_t before, held;

	(void)state;
	before = HELD();
	for (int i = 0; i < STREAMS; i++) {
		all[i] = begin_stream(i);
		transfers[i].events->head(transfers[i].ctx, &head);
		say(&transfers[i],
		    "data: {\"choices\":[{\"delta\":{\"content\":\"<content>a\"}}]}\n\n"
		    "data: {\"choices\":[{\"delta\":{\"con");
		say(&transfers[i], "tent\":\"\\u20ac and <\"}}]}\n\n");
		say(&transfers[i], "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n");
		round_ends();
	}
	held = (HELD() - before) / STREAMS + sizeof(struct cell);
	print_message("a silent stream holds %zu bytes\n", held);
	assert_in_range(held, 1, LIMIT);
	runs_cut(&runs);
	for (int i = 0; i < STREAMS; i++)
		run_saved(all[i]);
	round_ends();
	assert_null(runs.all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_silent_stream_holds_three_kib, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
