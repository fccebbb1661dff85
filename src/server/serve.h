/*
 * serve: what comes over one connection: its requests, one behind the other, until it says nothing
 * more for now (then it waits, kept.h), or is over, or became a stream's.
 */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "kept.h"
#include "request_work.h"

/* Any request thread, for as long as a request takes. The connection is nobody's behind it. */
void serve(const struct request_work *work, struct kept *kept, struct connection *connection);

/* Closes what waits and whose time is over. */
void serve_sweep(struct kept *kept);

#endif
