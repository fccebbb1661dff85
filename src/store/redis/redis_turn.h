/*
 * redis_turn: a turn that is being opened: what its one script (redis_turn.c) and what stands in
 * its way (redis_asked.c) know of each other.
 */
#ifndef REDIS_TURN_H
#define REDIS_TURN_H

#include "redis_room.h"

struct opening {
	struct redis_call *call;
	const struct turn_open *open;
	struct arena *arena;
	struct turn_opened *out;
	const char *user_id;  /* whose lists the thread is thought to be in */
	const char *free_key; /* where the key was used and does not count any more; NULL */
	int64_t last_seq;     /* of a thread that has the question, without an answer; 0 */
	bool takes_over;      /* out->answer is written anew, and out->question is its */
};

/* Something of the pair is there, or the key was used, and nothing was done. *again: the turn may
 * be opened with what was found out; else out says what there is. */
enum error_code redis_meet(struct opening *o, bool *again);

#endif
