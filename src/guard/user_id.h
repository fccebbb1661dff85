/*
 * user_id: what may be the name of a user that somebody else vouches for. Pure; any thread.
 */
#ifndef GUARD_USER_ID_H
#define GUARD_USER_ID_H

#include "base/slice.h"

/* 1 to 128 characters of UTF-8 without controls, and no name that we give ourselves (of visitors,
 * API keys, and those whom nobody asked): whoever is told who signs in must not be told that it is
 * one of those. */
bool user_id_is_foreign(struct slice name);

#endif
