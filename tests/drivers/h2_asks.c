/*
 * h2_asks: one question to an https address as the engine asks the model, for a test that plays the
 * server and watches its client: `h2_asks CA_FILE URL`. Says how it ended, and stays for a moment,
 * as an engine does.
 */
#include "base/log.h"
#include "base/loop.h"
#include "net/net.h"

#include <stdio.h>

#define CONNECT_MS 3000
#define ALL_MS     2500
#define STAY_MS    300

struct asked {
	struct loop *loop;
	struct loop_timer stay;
	int status;
	size_t bytes;
};

static void on_head(void *ctx, const struct net_response *response)
{
	struct asked *asked = ctx;

	asked->status = response->status;
}

static void on_body(void *ctx, struct slice bytes)
{
	struct asked *asked = ctx;

	asked->bytes += bytes.len;
}

static void on_end(void *ctx, enum net_failure failure)
{
	struct asked *asked = ctx;

	printf("%d, %zu bytes, %s\n", asked->status, asked->bytes, net_failure_word(failure));
	loop_set_timer(asked->loop, &asked->stay, loop_now_ms(asked->loop) + STAY_MS);
}

static void on_stayed(struct loop_timer *timer)
{
	loop_stop(timer->owner);
}

static const struct net_events events = { on_head, on_body, on_end };

int main(int argc, char **argv)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct net_request request = { .headers = headers,
				       .connect_ms = CONNECT_MS,
				       .is_stream = true };
	struct asked asked = { 0 };
	struct net_multi *multi = NULL;
	struct net_transfer *transfer = NULL;
	struct buffer body;
	struct error err;

	if (argc != 3)
		return 2;
	request.ca_file = argv[1];
	request.url = argv[2];
	buffer_init(&body, 1024);
	buffer_append(&body, SLICE("{\"stream\":true}"));
	if (net_init(&err) && (asked.loop = loop_open(&err)) &&
	    (multi = net_multi_open(asked.loop, 4, &err)))
		transfer = net_start(multi, &request, &body, &events, &asked, &err);
	if (transfer) {
		asked.stay = (struct loop_timer){ .fire = on_stayed, .owner = asked.loop };
		net_deadline(transfer, ALL_MS);
		loop_run(asked.loop);
	}
	net_multi_free(multi);
	loop_free(asked.loop);
	net_done();
	return transfer ? 0 : 1;
}
