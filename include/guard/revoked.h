/*
 * revoked: users who were shown the door: what proves who they are (a token, a visitor's cookie) is
 * void when it was made before that moment. They lie in the file `revoked` of the state folder;
 * `c1d users` changes it, and each worker takes what changed within a second.
 *
 * Here is what `c1d users` needs. Any thread and process; a change waits for another's.
 */
#ifndef GUARD_REVOKED_H
#define GUARD_REVOKED_H

#include "base/error.h"
#include "model/caller.h"
#include <stdint.h>

#define REVOKED_FILE "revoked" /* in the state folder */
#define REVOKED_MAX  10000

struct revoked_user {
	char user_id[USER_ID_MAX * 4 + 1];
	int64_t at_s; /* since 1970 */
};

struct revoked_list {
	struct revoked_user *items; /* by user_id */
	size_t count;
};

/* ERROR_CONFIG: it cannot be read, or a line is none (the words say which); ERROR_INTERNAL. */
bool revoked_read(const char *state_dir, struct revoked_list *out, struct error *err);
void revoked_free(struct revoked_list *list); /* a zeroed one is fine */

struct revoked_user *revoked_find(const struct revoked_list *list,
				  const char *user_id); /* or NULL */

/* All that was made up to now is void; of one who is there already, anew. ERROR_VALIDATION: no user
 * id; ERROR_OVERLOADED: there are REVOKED_MAX; besides those of revoked_read. */
bool revoked_add(const char *state_dir, const char *user_id, struct error *err);
/* Takes that back. ERROR_NOT_FOUND. */
bool revoked_remove(const char *state_dir, const char *user_id, struct error *err);

#endif
