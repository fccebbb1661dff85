/* listener: the socket that nginx connects to. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "config/config.h"

struct listener {
	int fd;
	char path[112]; /* what we made and take away at the end; "" for a socket that was passed in
			 */
};

/* From systemd, from our own earlier life, or made at C1D_SOCKET. ERROR_CONFIG: another instance
 * answers there, or the path cannot be used; the reason is in the detail. */
bool listener_open(const struct config *config, const struct config_host *host,
		   struct listener *out, struct error *err);
void listener_close(struct listener *listener);

#endif
