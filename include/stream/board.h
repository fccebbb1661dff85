/*
 * board: the live runs of this node, in the memory that all workers share: what a request, a
 * leaving client or a deletion asks about them is answered here, without a look at any file.
 *
 * A run is on it from before its spool file is made until its answer is saved. Its file's lock
 * stays the truth of who owns it: what a worker leaves at its death becomes BOARD_ORPHAN (the
 * supervisor says so), and a pool that starts anew writes the board from the files (board_rebuild).
 *
 * No locks: a process may die, or stand still, anywhere in it. Any thread of any worker may call
 * anything, except where a line says otherwise. A NULL board (tests without shared memory) has no
 * entries, takes every addition, and stands in nobody's way.
 */
#ifndef STREAM_BOARD_H
#define STREAM_BOARD_H

#include "base/error.h"
#include "base/id.h"
#include "base/shm.h"
#include <stdatomic.h>
#include <stddef.h>

#define BOARD_ENTRIES 65536
#define BOARD_NOBODY  (-1) /* as a slot: no worker of this board */

enum board_state {
	BOARD_STARTING, /* its turn is prepared; counts as followed: its reader is on the way */
	BOARD_RUNNING,
	BOARD_ENDED, /* its spool says how; a saver has it */
	/* Its worker is gone, or had no memory to save it, and whoever gets its lock does. (After a
	 * reload that could not take the shared memory along, an old worker may still have it:
	 * spool_adopt tells.) */
	BOARD_ORPHAN,
};

struct board_entry {
	int64_t created_ms; /* wall */
	char run_id[ID_MAX + 1], thread_id[ID_MAX + 1], message_id[ID_MAX + 1];
	char user_key[ID_UUID_SIZE];    /* hash of whom limits count */
	char address_key[ID_UUID_SIZE]; /* the same of its address; "": not counted */
	char key[ID_UUID_SIZE], question[ID_UUID_SIZE]; /* as in struct spool_record */
	enum board_state state;
	/* From here on as it stands; board_add does not read it. */
	int slot;              /* of the worker that owns it */
	bool followed;         /* by a client of any worker */
	int64_t unfollowed_ms; /* monotonic: since when nobody follows; 0: somebody does */
};

struct board;
struct spool_dir; /* stream/spool.h */

struct board *board_of(struct shm *shm); /* NULL of NULL */
/* The number of a worker's slot; BOARD_NOBODY of NULL. */
int board_slot(const struct shm *shm, const struct shm_slot *slot);

/* ERROR_OVERLOADED when it is full. */
bool board_add(struct board *board, int slot, const struct board_entry *entry, struct error *err);
/* Whether it may be: of the runs that are prepared or written for its user, and of those for its
 * address, there are at most cap with it, whoever asks at the same time. Of those that ask together
 * as many are let in as there is room for. Others of its thread do not count: one of them is
 * written at a time. Asked once, behind board_add; who is refused removes it. */
bool board_admit(struct board *board, const char *run_id, size_t cap);
/* Of one that is not on it: nothing is done. */
void board_set_state(struct board *board, const char *run_id, enum board_state state);
void board_remove(struct board *board, const char *run_id);
/* An orphan whose file's lock this worker got: BOARD_ENDED, and this worker's. */
void board_adopt(struct board *board, const char *run_id, int slot);

bool board_find(const struct board *board, const char *run_id, struct board_entry *out);
/* How many there are; the first `max` of them are in entries. */
size_t board_of_thread(const struct board *board, const char *thread_id,
		       struct board_entry *entries, size_t max);
/* Running ones of this user that nobody follows since `before_ms` (monotonic) or longer: how many
 * there are; the oldest `max` of them, oldest first, are in entries. */
size_t board_unattended(const struct board *board, const char *user_key, int64_t before_ms,
			struct board_entry *entries, size_t max);
size_t board_orphans(const struct board *board, char (*run_ids)[ID_MAX + 1], size_t max);

/* This worker has followers of it, or none any more. Only the slot's own engine says so. false: it
 * is being superseded, and the follower will only see it end. */
bool board_follow(struct board *board, const char *run_id, int slot, bool yes);
/* One step: true when nobody follows it, and from then on nobody can. Who calls it stops the run.
 */
bool board_supersede(struct board *board, const char *run_id);

/* The supervisor, when the worker of a slot is gone: what it owned is orphaned, what it followed it
 * follows no more. */
void board_forget_slot(struct board *board, int slot);

/* True for one caller in the life of a board: it has to add what lies in the spool folder, then
 * call board_rebuilt. Should it die in between, another gets the task. */
bool board_begin_rebuild(struct board *board, int slot);
void board_rebuilt(struct board *board);
/* All of that, of this folder: each worker at its start, the first one does it. */
void board_rebuild(struct board *board, int slot, struct spool_dir *dir);

/* The bytes of the spool folder, kept by all workers together. NULL of NULL. */
_Atomic int64_t *board_spool_bytes(struct board *board);

#endif
