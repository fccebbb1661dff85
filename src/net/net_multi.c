/*
 * net_multi: the door: a transfer is carried by HTTP/2 of our own when it is a long stream over
 * TLS, and by libcurl otherwise; and by libcurl from then on when the server turns out to speak
 * HTTP/1.1 only.
 */
#include "h2.h"
#include "net_curl.h"

#include <stdlib.h>

struct net_multi {
	struct loop *loop;
	size_t connections_max;
	struct net_curl *curl;
	struct h2 *h2; /* NULL until it is wanted */
	struct net_transfer *transfers;
};

/* One of the two carries it. */
struct net_transfer {
	struct net_transfer *next, **link;
	struct net_multi *multi;
	struct h2_stream *stream;
	struct net_curl_transfer *easy;
	int64_t end_by_ms; /* net_deadline; 0: none */
	const struct net_events *events;
	void *ctx;
};

/* --- life --- */

struct net_multi *net_multi_open(struct loop *loop, size_t connections_max, struct error *err)
{
	struct net_multi *multi = calloc(1, sizeof *multi);

	if (!multi) {
		error_set(err, ERROR_INTERNAL, "no memory for outgoing connections");
		return NULL;
	}
	multi->loop = loop;
	multi->connections_max = connections_max;
	multi->curl = net_curl_open(loop, connections_max, err);
	if (multi->curl)
		return multi;
	free(multi);
	return NULL;
}

static void transfer_free(struct net_transfer *transfer)
{
	*transfer->link = transfer->next;
	if (transfer->next)
		transfer->next->link = transfer->link;
	free(transfer);
}

void net_multi_free(struct net_multi *multi)
{
	struct net_transfer *transfer, *next;

	if (!multi)
		return;
	net_curl_free(multi->curl);
	h2_free(multi->h2);
	for (transfer = multi->transfers; transfer; transfer = next) {
		next = transfer->next;
		free(transfer);
	}
	free(multi);
}

static struct net_transfer *transfer_new(struct net_multi *multi, const struct net_events *events,
					 void *ctx)
{
	struct net_transfer *transfer = calloc(1, sizeof *transfer);

	if (!transfer)
		return NULL;
	transfer->multi = multi;
	transfer->events = events;
	transfer->ctx = ctx;
	transfer->next = multi->transfers;
	transfer->link = &multi->transfers;
	if (transfer->next)
		transfer->next->link = &transfer->next;
	multi->transfers = transfer;
	return transfer;
}

/* --- what its carrier tells --- */

static void on_head(void *ctx, const struct net_response *response)
{
	struct net_transfer *transfer = ctx;

	transfer->events->head(transfer->ctx, response);
}

static void on_body(void *ctx, struct slice bytes)
{
	struct net_transfer *transfer = ctx;

	transfer->events->body(transfer->ctx, bytes);
}

static void on_end(void *ctx, enum net_failure failure)
{
	struct net_transfer *transfer = ctx;
	const struct net_events *events = transfer->events;

	ctx = transfer->ctx;
	transfer_free(transfer);
	events->end(ctx, failure);
}

static const struct net_events curl_events = { on_head, on_body, on_end };

static bool start_curl(struct net_transfer *transfer, const struct net_request *request,
		       struct buffer *body)
{
	transfer->easy =
		net_curl_start(transfer->multi->curl, request, body, &curl_events, transfer, NULL);
	return transfer->easy != NULL;
}

static void on_elsewhere(void *ctx, struct net_question *question)
{
	struct net_transfer *transfer = ctx;
	int64_t end_by_ms = transfer->end_by_ms;

	transfer->stream = NULL;
	if (!start_curl(transfer, &question->request, &question->body))
		on_end(transfer, NET_UNSENT);
	else if (end_by_ms)
		net_deadline(transfer, end_by_ms - loop_now_ms(transfer->multi->loop));
	net_question_free(question);
}

static const struct h2_events h2_events = { { on_head, on_body, on_end }, on_elsewhere };

/* --- the door --- */

/* With the first that wants it. */
static bool has_h2(struct net_multi *multi)
{
	if (!multi->h2)
		multi->h2 = h2_open(multi->loop, multi->connections_max, &h2_ages_usual);
	return multi->h2 != NULL;
}

static bool may_h2(const struct net_request *request)
{
	return request->is_stream && net_question_may_h2(request->url);
}

static bool start_h2(struct net_transfer *transfer, const struct net_request *request,
		     struct buffer *body)
{
	struct net_multi *multi = transfer->multi;
	struct net_question *question = net_question_new(request, body);
	bool ok = question && has_h2(multi);

	if (ok)
		transfer->stream = h2_start(multi->h2, &question, &h2_events, transfer);
	if (transfer->stream)
		return true;
	if (ok && question)
		start_curl(transfer, &question->request, &question->body);
	net_question_free(question);
	return transfer->easy != NULL;
}

struct net_transfer *net_start(struct net_multi *multi, const struct net_request *request,
			       struct buffer *body, const struct net_events *events, void *ctx,
			       struct error *err)
{
	struct net_transfer *transfer = transfer_new(multi, events, ctx);

	if (transfer && (may_h2(request) ? start_h2(transfer, request, body)
					 : start_curl(transfer, request, body)))
		return transfer;
	error_set(err, ERROR_OVERLOADED, "There is no memory to ask with; try again.");
	if (transfer)
		transfer_free(transfer);
	buffer_done(body);
	return NULL;
}

void net_dial_ahead(struct net_multi *multi, const struct net_request *request, int64_t ms)
{
	struct buffer nothing = { 0 };
	struct net_question *question =
		may_h2(request) ? net_question_new(request, &nothing) : NULL;

	if (question && has_h2(multi))
		h2_dial_ahead(multi->h2, question, ms);
	net_question_free(question);
}

void net_cancel(struct net_transfer *transfer)
{
	if (transfer->stream)
		h2_cancel(transfer->stream);
	else
		net_curl_cancel(transfer->easy);
	transfer_free(transfer);
}

void net_deadline(struct net_transfer *transfer, int64_t ms)
{
	transfer->end_by_ms = loop_now_ms(transfer->multi->loop) + ms;
	if (transfer->stream)
		h2_stream_deadline(transfer->stream, ms);
	else
		net_curl_transfer_deadline(transfer->easy, ms);
}
