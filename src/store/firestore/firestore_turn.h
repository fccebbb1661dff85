/*
 * firestore_turn: a turn that is being opened: what its steps (firestore_turn.c) and the look for
 * what was asked before (firestore_asked.c) know of each other.
 */
#ifndef FIRESTORE_TURN_H
#define FIRESTORE_TURN_H

#include "firestore_room.h"

struct firestore_opening {
	const struct turn_open *open;
	struct arena *arena;
	struct turn_opened *out;
	struct firestore_long question; /* its content */
	int64_t now_ms;
	/* --- of this attempt --- */
	struct firestore_thread thread; /* document not there: it is to be made */
	struct firestore_document answer_pair[2], question_pair[2], key;
	const struct firestore_document *found; /* of the answer that exists */
	struct firestore_document found_by_key[2], found_by_question;
	int64_t last_seq; /* as far as is known */
	const char *last; /* the message of it; "" */
};

/* Fills out->question and out->answer with those that exist. ERROR_ACCESS_DENIED: of the key. */
enum error_code firestore_asked(struct firestore_op *op, struct firestore_opening *o);

#endif
