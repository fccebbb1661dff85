/*
 * erase: all of one user's threads, with their messages and the answers that are kept of them. Each
 * step may be repeated, so the same call goes on where one ended. While the user goes on asking
 * there is always more: shut him out first (guard/revoked.h).
 */
#ifndef ADMIN_ERASE_H
#define ADMIN_ERASE_H

#include "admin/place.h"
#include "base/id.h"
#include "stream/spool.h"

struct erase_receipt {
	char id[ID_UUID_SIZE];
	int64_t threads;  /* that this call removed */
	int64_t messages; /* that were in them when it began; those that came later besides */
	int64_t answers;  /* kept for resumes, of which the files are gone */
	int64_t began_ms, ended_ms; /* wall */
};

/* What runs on a thread is stopped by its node within a second or two; a file of it in `spools`
 * (NULL: this is no node) goes at once. What is left of threads that were marked earlier goes, too.
 * The receipt tells how far it came also when it fails. */
bool erase_user(struct place *place, struct spool_dir *spools, const char *user_id,
		struct erase_receipt *out, struct error *err);

/* One thread. ERROR_NOT_FOUND. */
bool erase_thread(struct place *place, struct spool_dir *spools, const char *id, struct error *err);

#endif
