/* h2: see h2.h. */
#include "h2.h"

#include "h2_host.h"

#include <stdlib.h>

const struct h2_ages h2_ages_usual = { .fresh_ms = 60000, .http1_ms = 600000 };

struct h2 {
	struct h2_shared shared;
	struct h2_names *names;
	struct h2_host *hosts; /* as many as the settings name */
	size_t connections_max;
	const struct h2_ages *ages;
};

/* Behind a round's events: streams find their connections first, so that what they say goes out
 * with the rest. Ends may start new ones, which have their turn in the next round. */
static void on_round(struct loop_timer *timer)
{
	struct h2 *h2 = timer->owner;

	for (struct h2_host *host = h2->hosts; host; host = host->next)
		if (host->is_due)
			h2_host_serve(host);
	h2_shared_flush(&h2->shared);
}

struct h2 *h2_open(struct loop *loop, size_t connections_max, const struct h2_ages *ages)
{
	struct h2 *h2 = calloc(1, sizeof *h2);

	if (!h2)
		return NULL;
	h2->connections_max = connections_max;
	h2->ages = ages;
	h2->shared.round = (struct loop_timer){ .fire = on_round, .owner = h2 };
	h2->names = h2_names_open(loop);
	if (h2_shared_open(&h2->shared, loop) && h2->names)
		return h2;
	h2_free(h2);
	return NULL;
}

void h2_free(struct h2 *h2)
{
	if (!h2)
		return;
	h2_names_free(h2->names);
	while (h2->hosts) {
		struct h2_host *host = h2->hosts;

		h2->hosts = host->next;
		h2_host_free(host);
	}
	h2_shared_close(&h2->shared);
	free(h2);
}

static struct h2_host *find_host(struct h2 *h2, const struct net_question *question)
{
	struct h2_host *host = h2->hosts;

	while (host && !h2_host_is(host, question))
		host = host->next;
	if (host)
		return host;
	host = h2_host_new(&h2->shared, h2->names, h2->ages, question, h2->connections_max);
	if (!host)
		return NULL;
	host->next = h2->hosts;
	h2->hosts = host;
	return host;
}

struct h2_stream *h2_start(struct h2 *h2, struct net_question **question,
			   const struct h2_events *events, void *ctx)
{
	struct net_question *taken = *question;
	struct h2_host *host = find_host(h2, taken);
	struct h2_stream *stream;

	if (host && h2_host_is_http1(host))
		return NULL;
	*question = NULL;
	if (!host) {
		net_question_free(taken);
		return NULL;
	}
	stream = h2_stream_new(h2->shared.loop, taken, events, ctx);
	if (stream)
		h2_host_add(host, stream);
	return stream;
}

void h2_dial_ahead(struct h2 *h2, const struct net_question *question, int64_t ms)
{
	struct h2_host *host = find_host(h2, question);

	if (host)
		h2_host_dial_ahead(host, ms);
}

void h2_cancel(struct h2_stream *stream)
{
	h2_host_cancel(stream);
}

const char *h2_version(bool running)
{
	return running ? nghttp2_version(0)->version_str : NGHTTP2_VERSION;
}
