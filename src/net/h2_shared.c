/* h2_shared: see h2_shared.h. */
#include "h2_shared.h"

void h2_touch(struct h2_connection *connection)
{
	struct h2_shared *shared = connection->shared;

	if (connection->is_touched)
		return;
	if (!shared->touched)
		loop_set_timer(shared->loop, &shared->round, loop_now_ms(shared->loop));
	connection->is_touched = true;
	connection->next_touched = shared->touched;
	shared->touched = connection;
}

void h2_is_over(struct h2_connection *connection, enum net_failure failure)
{
	if (connection->state == H2_OVER)
		return;
	connection->state = H2_OVER;
	connection->failure = failure;
	h2_touch(connection);
}

void h2_let_go(struct h2_stream *stream)
{
	struct h2_connection *connection = stream->connection;

	h2_stream_take_out(stream);
	stream->connection = NULL;
	if (--connection->stream_count == 0)
		connection->idle_ms = loop_now_ms(connection->shared->loop);
	h2_touch(connection);
}
