/*
 * stream_sink: a client of an engine, as a test sees it: a sink that keeps what it is sent. It
 * takes all there is, or stops at so many bytes like a reader that reads no more. One that holds
 * its engine does so at the first bytes, until the test has done what comes meanwhile.
 */
#ifndef STREAM_SINK_TEST_H
#define STREAM_SINK_TEST_H

#include "base/buffer.h"
#include "stream/sink.h"
#include <pthread.h>
#include <stdio.h>

struct client {
	struct sink sink; /* first */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct buffer body;
	int sends;
	size_t takes; /* bytes; what comes behind them is refused: SINK_BLOCKED for ever */
	int status;
	bool holds, ended, closed;
	int64_t first_at, closed_at; /* the order in which things came, over all clients */
	char outcome[32];
};

static int64_t client_order(void)
{
	static _Atomic int64_t order;

	return ++order;
}

static int client_fd(struct sink *sink)
{
	(void)sink;
	return -1;
}

static void client_begin(struct sink *sink, int status, struct slice headers)
{
	(void)headers;
	((struct client *)sink)->status = status;
}

static enum sink_result client_send(struct sink *sink, struct slice bytes)
{
	struct client *client = (struct client *)sink;
	bool full;

	pthread_mutex_lock(&client->lock);
	while (client->holds)
		pthread_cond_wait(&client->changed, &client->lock);
	if (client->body.len == 0)
		client->first_at = client_order();
	client->sends++;
	buffer_append(&client->body, bytes);
	full = client->body.len >= client->takes;
	pthread_cond_broadcast(&client->changed);
	pthread_mutex_unlock(&client->lock);
	return full ? SINK_BLOCKED : SINK_DONE;
}

static enum sink_result client_flush(struct sink *sink)
{
	(void)sink;
	return SINK_DONE;
}

static enum sink_result client_end(struct sink *sink)
{
	((struct client *)sink)->ended = true;
	return SINK_DONE;
}

static void client_close(struct sink *sink, const struct sink_summary *summary)
{
	struct client *client = (struct client *)sink;

	pthread_mutex_lock(&client->lock);
	snprintf(client->outcome, sizeof client->outcome, "%s", summary->outcome);
	client->closed = true;
	client->closed_at = client_order();
	pthread_cond_broadcast(&client->changed);
	pthread_mutex_unlock(&client->lock);
}

static void client_init(struct client *client)
{
	static const struct sink_ops ops = { client_fd,    client_begin, client_send,
					     client_flush, client_end,   client_close };

	*client = (struct client){ .sink.ops = &ops, .takes = SIZE_MAX };
	pthread_mutex_init(&client->lock, NULL);
	pthread_cond_init(&client->changed, NULL);
	buffer_init(&client->body, 64 << 20);
}

/* Until the engine has let go of it. */
static inline void client_wait(struct client *client)
{
	pthread_mutex_lock(&client->lock);
	while (!client->closed)
		pthread_cond_wait(&client->changed, &client->lock);
	pthread_mutex_unlock(&client->lock);
}

static inline void client_let_go(struct client *client)
{
	pthread_mutex_lock(&client->lock);
	client->holds = false;
	pthread_cond_broadcast(&client->changed);
	pthread_mutex_unlock(&client->lock);
}

static void client_done(struct client *client)
{
	buffer_done(&client->body);
	pthread_cond_destroy(&client->changed);
	pthread_mutex_destroy(&client->lock);
}

#endif
