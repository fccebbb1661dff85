/* listener: the socket that nginx connects to. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "config/config.h"

struct listener {
	int fd;
	char path[112]; /* what we made and take away at the end; "" when it was given */
};

/* From systemd, from our own earlier life, or made at C1D_SOCKET. ERROR_CONFIG: another instance
 * answers there, or the path cannot be used; the reason is in the detail. */
bool listener_open(const struct config *config, const struct config_host *host,
		   struct listener *out, struct error *err);
/* No further connection: one that is made from now on is refused at once, and so the web server
 * says 503 and when to come back, instead of waiting for an answer that nobody will give. A socket
 * that was passed in stays as it is: what waits there is its next owner's. */
void listener_refuse(struct listener *listener);
/* Whether a socket refuses. */
bool listener_is_shut(int fd);
/* Lets go of connections that wait at a socket that refuses; none when it does not. */
void listener_drop_waiting(int fd);
void listener_close(struct listener *listener);

#endif
