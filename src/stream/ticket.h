/*
 * ticket: a stream on its way from a request thread to the engine: a new run, or one to follow. It
 * carries the command that hands it over, so that a hand-over needs no memory and cannot fail.
 */
#ifndef STREAM_TICKET_H
#define STREAM_TICKET_H

#include "follower.h"
#include "stream/stream.h"

struct command {
	struct command *next;
	enum { COMMAND_TICKET, COMMAND_SAVED, COMMAND_STOP } kind;
	struct stream_ticket *ticket;
	struct sink *sink;
	char run_id[ID_MAX + 1];
	int64_t deadline_ms;
};

struct stream_ticket {
	struct run_start start; /* a new run; without a spool it is none */
	struct spool *followed; /* or one that exists */
	bool is_replay;         /* of a file without a name: nobody else's */
	struct follower *follower;
	struct command command;
};

/* The ticket without its follower and its spools, which were taken. */
void ticket_free(struct stream_ticket *ticket);

#endif
