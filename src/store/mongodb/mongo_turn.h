/*
 * mongo_turn: a turn that is being opened: what its claim, its history, its pair of messages
 * (mongo_turn.c) and what stands in their way (mongo_asked.c) know of each other.
 */
#ifndef MONGO_TURN_H
#define MONGO_TURN_H

#include "mongo_room.h"

#include "base/id.h"

struct opening {
	struct mongo_call *call;
	const struct turn_open *open;
	struct arena *arena;
	struct turn_opened *out;
	bool is_made;          /* the thread was made for this turn */
	bool is_new;           /* nothing was ever said here */
	int64_t last_seq;      /* as far as is known */
	char last[ID_MAX + 1]; /* the message of it; "" */
	bool has_question;     /* out->question is stored ... */
	bool is_ours;          /* ... by this very turn */
};

/* The insert was refused. *met: the turn is done, taken over or asked before; *again: put in what
 * is not there yet, behind what is there now. */
enum error_code mongo_meet_twin(struct opening *o, bool *met, bool *again);

#endif
