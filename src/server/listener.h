/* listener: the socket that nginx connects to. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "config/config.h"

struct listener {
	int fd;
	bool ours; /* we made the path, so we take it away at the end */
};

/* From systemd, from our own earlier life, or made at C1D_SOCKET. ERROR_CONFIG: another instance
 * answers there, or the path cannot be used; the reason is in the detail. */
bool listener_open(const struct config *config, const struct config_host *host,
		   struct listener *out, struct error *err);
void listener_close(const struct config *config, struct listener *listener);

#endif
