/*
 * reload: new settings, or a new program, without a lost request.
 *
 *   trial    the program that lies there now is run once beside us: it reads the settings and opens
 *            what a worker opens, and says why it cannot. Until it can, nothing has happened.
 *   execute  this process executes it in place: same pid, same listener, the same shared memory,
 *            the workers still its children.
 *   start    the new generation starts. Only when all of it is ready the old one is told to stop
 *            accepting; when it cannot start, the old one stays and the next SIGHUP tries again.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "pool.h"

/* The children that an earlier life of this process left. */
void reload_adopt(struct pool *pool);

void reload_begin(struct pool *pool, int64_t now_ms);
/* Reads what the trial says, ends one that takes too long, and acts on how it ended: when it was
 * good, this does not return. */
void reload_look(struct pool *pool, int64_t now_ms);
void reload_give_up(struct pool *pool); /* we are about to stop */

/* The old settings stay, for a reason that any client may read: tells log, /readyz, metrics and
 * systemd. Once; until reload_done. */
void reload_failed(struct pool *pool, const char *reason);
void reload_done(struct pool *pool); /* everything runs as the settings say */

#endif
