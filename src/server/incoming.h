/*
 * incoming: a FastCGI request on its way in, from a descriptor that we accepted ourselves. libfcgi
 * knows parameters and streams; what they are made of are records that record_in.h has checked.
 */
#ifndef SERVER_INCOMING_H
#define SERVER_INCOMING_H

#include "http/request.h"
#include "record_in.h"
#include <fcgiapp.h>

struct incoming {
	struct record_in records;
	FCGX_Stream body; /* libfcgi's reader over them */
	FCGX_ParamArray params;
	struct arena arena;
	struct request request; /* views into the arena */
};

/* Reads the parameters. The descriptor stays the caller's. false: nothing usable came; there is
 * nothing to be released or done. */
bool incoming_read(struct incoming *in, int fd, int64_t read_ms, struct budget *budget);

/* After the handler: reads what is left of the body (closing a socket with unread bytes resets it
 * under the answer) and gives the request's number. */
uint16_t incoming_release(struct incoming *in);

void incoming_done(struct incoming *in); /* the arena and the body */

#endif
