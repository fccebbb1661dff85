/* h2_stream: see h2_stream.h. */
#include "h2_stream.h"

#include "net_patience.h"

#include <stdlib.h>

void h2_stream_put(struct h2_stream **list, struct h2_stream *stream)
{
	stream->next = *list;
	stream->link = list;
	if (*list)
		(*list)->link = &stream->next;
	*list = stream;
}

void h2_stream_take_out(struct h2_stream *stream)
{
	if (!stream->link)
		return;
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	stream->next = NULL;
	stream->link = NULL;
}

/* --- life --- */

struct h2_stream *h2_stream_new(struct loop *loop, struct net_question *question,
				const struct h2_events *events, void *ctx)
{
	struct h2_stream *stream = calloc(1, sizeof *stream);

	if (!stream) {
		net_question_free(question);
		return NULL;
	}
	stream->loop = loop;
	stream->question = question;
	stream->events = events;
	stream->ctx = ctx;
	stream->connect_by_ms = loop_now_ms(loop) + question->request.connect_ms;
	return stream;
}

void h2_stream_free(struct h2_stream *stream)
{
	loop_clear_timer(stream->loop, &stream->timer);
	h2_stream_take_out(stream);
	net_question_free(stream->question);
	free(stream);
}

void h2_stream_end(struct h2_stream *stream, enum net_failure failure)
{
	const struct h2_events *events = stream->events;
	void *ctx = stream->ctx;

	h2_stream_free(stream);
	events->net.end(ctx, failure);
}

void h2_stream_elsewhere(struct h2_stream *stream)
{
	const struct h2_events *events = stream->events;
	struct net_question *question = stream->question;
	void *ctx = stream->ctx;

	question->request.connect_ms = stream->connect_by_ms - loop_now_ms(stream->loop);
	if (question->request.connect_ms < 1)
		question->request.connect_ms = 1;
	stream->question = NULL;
	h2_stream_free(stream);
	events->elsewhere(ctx, question);
}

/* --- deadlines --- */

static void set_timer(struct h2_stream *stream)
{
	loop_move_timer(stream->loop, &stream->timer,
			net_sooner(stream->connect_by_ms, stream->end_by_ms));
}

void h2_stream_deadline(struct h2_stream *stream, int64_t ms)
{
	stream->end_by_ms = loop_now_ms(stream->loop) + ms;
	set_timer(stream);
}

void h2_stream_begins(struct h2_stream *stream, struct h2_connection *connection)
{
	stream->connection = connection;
	stream->connect_by_ms = 0;
	stream->sent = 0;
	stream->is_sent = stream->was_reset = false;
	stream->tries++;
	set_timer(stream);
}

void h2_stream_again(struct h2_stream *stream)
{
	stream->connection = NULL;
	stream->question->sent_ms = 0;
	stream->connect_by_ms = loop_now_ms(stream->loop) + stream->question->request.connect_ms;
	set_timer(stream);
}

bool h2_stream_may_again(const struct h2_stream *stream)
{
	return stream->question && !stream->has_head && stream->interim == 0 &&
	       stream->tries < H2_TRIES_MAX;
}
