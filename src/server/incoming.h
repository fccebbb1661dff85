/*
 * incoming: a FastCGI request on its way in. libfcgi parses it from a descriptor that we accepted
 * ourselves, since its own accept knows no deadline and loses signals.
 */
#ifndef SERVER_INCOMING_H
#define SERVER_INCOMING_H

#include "http/request.h"
#include <fcgiapp.h>

struct incoming {
	FCGX_Request fcgi;
	struct arena arena;
	struct request request; /* views into the arena */
	bool at_end;            /* all of the body was read */
};

/* Once a process, before threads. */
bool incoming_init(struct error *err);

/* Reads the parameters; takes the descriptor either way. false: nothing usable came; the descriptor
 * is closed. */
bool incoming_read(struct incoming *in, int fd, int64_t read_ms, struct budget *budget);

/* After the handler: reads what is left of the body (closing a socket with unread bytes resets it
 * under the answer), frees libfcgi's part and hands out the descriptor and the request's number. */
int incoming_release(struct incoming *in, uint16_t *request_id);

void incoming_done(struct incoming *in); /* the arena and the body */

#endif
