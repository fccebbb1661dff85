/* live: does a pool take requests? Asked as a web server asks, for health checks of containers. */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

#include "base/error.h"

/* Asks GET /livez at the socket, and waits for two seconds at most. ERROR_OVERLOADED: nobody
 * answers, or not with 200, and why. */
bool server_is_live(const char *socket_path, struct error *err);

#endif
