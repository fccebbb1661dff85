/* descriptors: see descriptors.c. The supervisor, before it forks; server_fit is in
 * server/server.h. */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include "server/server.h"

void descriptors_raise(void);                         /* the soft limit to the hard one */
int64_t descriptors_fit(const struct config *config); /* answers a worker; says so in the log */

#endif
