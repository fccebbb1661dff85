/* copy_room: a copy as its files share it. Private to admin/. */
#ifndef ADMIN_COPY_ROOM_H
#define ADMIN_COPY_ROOM_H

#include "admin/copy.h"
#include "copy_journal.h"
#include "copy_thread.h"
#include <pthread.h>
#include <stdatomic.h>

struct copy {
	struct pair pair;
	struct journal journal; /* of the thread that asked, alone */
	struct copy_report *report;
	pthread_mutex_t lock; /* of the report, while lanes run */
	const char *doing;    /* for who watches */
	int64_t whole;
	_Atomic int64_t done, messages;
};

void copy_begin(struct copy *copy, const char *doing, int64_t whole); /* counts from 0 */
void copy_tell(struct copy *copy);

enum round_kind {
	ROUND_OF_THREADS,  /* looks at threads alone: each change of a message changes its rev */
	ROUND_OF_MESSAGES, /* reads everything, and fills the report's sums */
};
/* Both sides by the side of each other. *changed: how many threads it copied or removed. */
bool copy_round(struct copy *copy, enum round_kind kind, int64_t *changed, struct error *err);

#endif
