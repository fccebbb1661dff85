/*
 * drop: root becomes an ordinary user, for good. The supervisor does so when C1D_USER names one,
 * before it opens anything; `c1d check` does to see what the service sees.
 */
#ifndef SERVER_DROP_H
#define SERVER_DROP_H

#include "config/config.h"

/* With all groups of the user and none of root's, and no way back. Whoever is the user already may
 * ask, too. ERROR_CONFIG, in words for an administrator: there is no such user, it is root, or we
 * may not become it. */
bool drop_to(const char *user, struct error *err);

/* May this user write where workers write, the state folder and the spool? ERROR_CONFIG: it says
 * whose the folder is and what to do. */
bool drop_check_folders(const struct config *config, struct error *err);

#endif
