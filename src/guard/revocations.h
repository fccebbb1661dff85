/*
 * revocations: the users who were shown the door, as a worker knows them. What changed in the file
 * counts a second later at the latest, without a reload. A file that is damaged or cannot be read
 * lets nobody in again: what was known before stays, and a worker that never could read it takes
 * everybody for one of them. The log says so. Any thread.
 */
#ifndef GUARD_REVOCATIONS_H
#define GUARD_REVOCATIONS_H

#include "guard/revoked.h"

struct revocations;

struct revocations *revocations_open(const char *state_dir); /* kept, not copied. NULL: no memory */
void revocations_free(struct revocations *revocations);      /* NULL is fine */

/* Is what was issued then (seconds since 1970; 0: nobody knows) to this user void? */
bool revocations_has(struct revocations *revocations, const char *user_id, int64_t issued_s);

#endif
