/*
 * serve: what comes over one connection: its requests, one behind the other, until it says nothing
 * more for now (then it waits, kept.h), or is over, or became a stream's.
 */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "kept.h"
#include "request_work.h"

/* One request, if it is there. Any request thread, for as long as that takes. true: there may be
 * another one already; else the connection is nobody's behind it. */
bool serve_next(const struct request_work *work, struct kept *kept, struct connection *connection);

/* Closes what waits and whose time is over. */
void serve_sweep(struct kept *kept);

#endif
