/* ticket: see ticket.h. */
#include "ticket.h"

#include "base/clock.h"
#include <stdlib.h>

static struct stream_ticket *ticket_new(const struct stream_options *options, struct slice headers)
{
	struct stream_ticket *ticket = calloc(1, sizeof *ticket);

	if (!ticket)
		return NULL;
	if (!(ticket->follower = follower_new(options, headers))) {
		free(ticket);
		return NULL;
	}
	return ticket;
}

struct stream_ticket *stream_ticket_start(const struct stream_options *options,
					  struct run_start *start, struct slice headers)
{
	struct stream_ticket *ticket = ticket_new(options, headers);

	if (!ticket)
		return NULL;
	ticket->start = *start;
	*start = (struct run_start){ 0 };
	return ticket;
}

struct stream_ticket *stream_ticket_follow(const struct stream_options *options,
					   struct spool *spool, struct slice headers)
{
	struct stream_ticket *ticket = ticket_new(options, headers);

	if (ticket)
		ticket->followed = spool;
	return ticket;
}

struct stream_ticket *stream_ticket_replay(const struct config *config,
					   const struct stream_options *options,
					   const struct spool_record *record, struct slice text,
					   struct slice headers, struct error *err)
{
	const struct spool_limits limits = { .reserve = config->spool_reserve,
					     .total = config->spool_max };
	struct spool *spool = spool_unnamed(config->spool_path, &limits, record, text, err);
	struct stream_ticket *ticket = spool ? ticket_new(options, headers) : NULL;

	if (ticket) {
		ticket->followed = spool;
		ticket->is_replay = true;
		return ticket;
	}
	if (spool)
		error_set(err, ERROR_OVERLOADED, "No memory for another stream.");
	spool_unref(spool);
	return NULL;
}

const char *stream_ticket_run(const struct stream_ticket *ticket)
{
	return spool_record(ticket->start.spool ? ticket->start.spool : ticket->followed)->run_id;
}

void stream_ticket_drop(struct stream_ticket *ticket, const struct engine_hooks *hooks)
{
	if (!ticket)
		return;
	if (ticket->start.spool) {
		const struct spool_ending never = { .status = STATUS_INTERRUPTED,
						    .usage = USAGE_UNKNOWN,
						    .now_ms = clock_wall_ms() };
		spool_end(ticket->start.spool, &never, NULL);
		hooks->ended(hooks->ctx, ticket->start.spool);
		buffer_done(&ticket->start.body);
	}
	spool_unref(ticket->followed);
	follower_free(ticket->follower);
	ticket_free(ticket);
}

void ticket_free(struct stream_ticket *ticket)
{
	free(ticket);
}
