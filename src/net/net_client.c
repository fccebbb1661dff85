/*
 * net_client: see net/client.h. Who asks leaves an exchange, which lies on his stack, in a queue,
 * wakes the thread and waits until it is over: its deadline ends it, so he never goes away before.
 *
 *   asked --the thread wakes--> running --net_events.end, or stopped--> over
 *                '--- could not be started, or stopped ------------------^
 */
#include "net/client.h"

#include "base/cond.h"
#include <pthread.h>
#include <stdlib.h>

struct exchange {
	struct exchange *next, **link; /* in the queue; link: among those that run */
	struct net_client *client;
	const struct net_request *request;
	struct slice body;
	int64_t until_ms;
	struct buffer *reply;
	struct net_transfer *transfer; /* running */
	struct net_answer answer;
	pthread_cond_t changed;
	bool is_over; /* with the lock */
};

struct net_client {
	struct loop *loop;
	struct net_multi *multi;
	pthread_t thread;
	bool has_thread;
	struct exchange *running; /* the thread's */
	pthread_mutex_t lock;     /* guards what follows, and is_over of each */
	struct exchange *first, **last;
	bool is_stopping, is_ending;
};

/* --- on the thread --- */

static void add_running(struct exchange *exchange)
{
	struct exchange **list = &exchange->client->running;

	exchange->next = *list;
	exchange->link = list;
	if (*list)
		(*list)->link = &exchange->next;
	*list = exchange;
}

/* It is gone behind this. */
static void end(struct exchange *exchange, enum net_failure failure)
{
	struct net_client *client = exchange->client;

	if (exchange->link) {
		*exchange->link = exchange->next;
		if (exchange->next)
			exchange->next->link = exchange->link;
	}
	exchange->answer.failure = failure;
	exchange->answer.was_sent = failure != NET_CONNECT && failure != NET_DNS &&
				    failure != NET_TLS && failure != NET_UNSENT;
	pthread_mutex_lock(&client->lock);
	exchange->is_over = true;
	/* With the lock: he goes, and takes the condition with him, as soon as he may look. */
	pthread_cond_signal(&exchange->changed);
	pthread_mutex_unlock(&client->lock);
}

static void on_head(void *ctx, const struct net_response *response)
{
	struct exchange *exchange = ctx;
	struct slice type = response->content_type;
	size_t len = type.len < NET_TYPE_MAX ? type.len : NET_TYPE_MAX - 1;

	exchange->answer.status = response->status;
	exchange->answer.retry_after_s = response->retry_after_s;
	memcpy(exchange->answer.content_type, type.ptr, len);
}

static void on_body(void *ctx, struct slice bytes)
{
	struct exchange *exchange = ctx;

	if (buffer_append(exchange->reply, bytes))
		return;
	net_cancel(exchange->transfer);
	exchange->answer.is_too_large = true;
	end(exchange, NET_NO_MEMORY);
}

static void on_end(void *ctx, enum net_failure failure)
{
	end(ctx, failure);
}

static const struct net_events events = { .head = on_head, .body = on_body, .end = on_end };

static void start(struct exchange *exchange)
{
	struct net_client *client = exchange->client;
	struct buffer body;

	buffer_init(&body, exchange->body.len + 1);
	buffer_append(&body, exchange->body);
	if (!body.failed)
		exchange->transfer =
			net_start(client->multi, exchange->request, &body, &events, exchange, NULL);
	buffer_done(&body);
	if (!exchange->transfer) {
		end(exchange, NET_UNSENT);
		return;
	}
	add_running(exchange);
	net_deadline(exchange->transfer, exchange->until_ms - loop_now_ms(client->loop));
}

static void stop(struct net_client *client)
{
	while (client->running) {
		net_cancel(client->running->transfer);
		end(client->running, NET_CUT);
	}
}

static void on_wake(void *ctx)
{
	struct net_client *client = ctx;
	struct exchange *exchange, *next;
	bool is_stopping, is_ending;

	pthread_mutex_lock(&client->lock);
	exchange = client->first;
	client->first = NULL;
	client->last = &client->first;
	is_stopping = client->is_stopping;
	is_ending = client->is_ending;
	pthread_mutex_unlock(&client->lock);
	for (; exchange; exchange = next) {
		next = exchange->next; /* it may be over, and gone, in a moment */
		if (is_stopping)
			end(exchange, NET_UNSENT);
		else
			start(exchange);
	}
	if (is_stopping)
		stop(client);
	if (is_ending)
		loop_stop(client->loop);
}

static void *thread_main(void *arg)
{
	struct net_client *client = arg;

	loop_run(client->loop);
	return NULL;
}

/* --- who asks --- */

static void hand_over(struct net_client *client, struct exchange *exchange)
{
	pthread_mutex_lock(&client->lock);
	*client->last = exchange;
	client->last = &exchange->next;
	pthread_mutex_unlock(&client->lock);
	loop_notify(client->loop);
}

void net_client_post(struct net_client *client, const struct net_request *request,
		     struct slice body, int64_t until_ms, struct buffer *reply,
		     struct net_answer *out)
{
	struct exchange exchange = { .client = client,
				     .request = request,
				     .body = body,
				     .until_ms = until_ms,
				     .reply = reply,
				     .answer = { .retry_after_s = -1 } };

	cond_init(&exchange.changed);
	hand_over(client, &exchange);
	pthread_mutex_lock(&client->lock);
	while (!exchange.is_over)
		pthread_cond_wait(&exchange.changed, &client->lock);
	pthread_mutex_unlock(&client->lock);
	pthread_cond_destroy(&exchange.changed);
	*out = exchange.answer;
}

/* --- life --- */

struct net_client *net_client_open(size_t connections_max, struct error *err)
{
	struct net_client *client = calloc(1, sizeof *client);

	if (!client) {
		error_set(err, ERROR_INTERNAL, "No memory for outgoing connections.");
		return NULL;
	}
	client->last = &client->first;
	pthread_mutex_init(&client->lock, NULL);
	if (!(client->loop = loop_open(err)) ||
	    !(client->multi = net_multi_open(client->loop, connections_max, err)))
		goto fail;
	loop_wake(client->loop, on_wake, client);
	client->has_thread = pthread_create(&client->thread, NULL, thread_main, client) == 0;
	if (client->has_thread)
		return client;
	error_set(err, ERROR_INTERNAL, "The thread of outgoing connections cannot be started.");
fail:
	net_client_free(client);
	return NULL;
}

static void tell(struct net_client *client, bool is_ending)
{
	pthread_mutex_lock(&client->lock);
	client->is_stopping = true;
	client->is_ending = is_ending;
	pthread_mutex_unlock(&client->lock);
	loop_notify(client->loop);
}

void net_client_stop(struct net_client *client)
{
	tell(client, false);
}

void net_client_free(struct net_client *client)
{
	if (!client)
		return;
	if (client->has_thread) {
		tell(client, true);
		pthread_join(client->thread, NULL);
	}
	net_multi_free(client->multi);
	loop_free(client->loop);
	pthread_mutex_destroy(&client->lock);
	free(client);
}
