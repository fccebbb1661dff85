/*
 * incoming: a FastCGI request on its way in, from a descriptor that we accepted ourselves. What it
 * is made of are records that record_in.h has checked; libfcgi reads the body's stream over them.
 */
#ifndef SERVER_INCOMING_H
#define SERVER_INCOMING_H

#include "http/request.h"
#include "record_in.h"
#include <fcgiapp.h>

struct incoming {
	struct record_in records;
	FCGX_Stream body;    /* libfcgi's reader over them */
	struct slice params; /* all pairs as they came, in the arena */
	struct slice https, request_id, content_length;
	struct arena arena;
	struct request request; /* views into the arena */
};

/* Nothing of what the last request left stays. The descriptor is the caller's. */
void incoming_open(struct incoming *in, int fd, int64_t read_ms);

/* Reads the parameters. false: nothing usable came; there is nothing to be released or done. */
bool incoming_read(struct incoming *in, struct budget *budget);

/* After the handler: reads what is left of the body (closing a socket with unread bytes resets it
 * under the answer). true: behind the answer the web server may send a next request. */
bool incoming_release(struct incoming *in);

void incoming_done(struct incoming *in); /* the arena and the body */

#endif
