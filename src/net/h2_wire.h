/*
 * h2_wire: a connection's socket under TLS: what comes is fed to the session, what the session says
 * is sent. Nothing here waits.
 */
#ifndef NET_H2_WIRE_H
#define NET_H2_WIRE_H

#include "h2_shared.h"

/* The socket is the connection's from now on, in any case. False: it is OVER. */
bool h2_wire_open(struct h2_connection *connection, int fd);
/* All that the session has to say, as far as the socket takes it. Of one that is OVER, too: it may
 * have a last word. */
void h2_wire_flush(struct h2_connection *connection);
void h2_wire_close(struct h2_connection *connection); /* one that was not opened is fine */

#endif
