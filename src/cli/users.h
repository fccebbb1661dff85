/* users: a verb of `c1d users` that has a file of its own. */
#ifndef CLI_USERS_H
#define CLI_USERS_H

#include "commands.h"

int users_erase(const struct config *config, int argc, char **argv);

#endif
