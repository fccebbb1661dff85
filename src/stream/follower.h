/*
 * follower: one client of a run. It has an offset of its own and takes what the run has beyond it:
 * from memory when it keeps up, from the spool when it fell behind. A sink that keeps a rest pauses
 * the follower, never the run. On the loop's thread once it has joined.
 */
#ifndef STREAM_FOLLOWER_H
#define STREAM_FOLLOWER_H

#include "base/loop.h"
#include "base/shm.h"
#include "config/config.h"
#include "run.h"
#include "stream/stream.h"

#define CATCH_UP_MAX (256 << 10) /* bytes that one reads of spools in a round */
#define CATCH_UP_ALL (2 << 20)   /* and all of them together */

struct follower;

/* What all followers of an engine share. */
struct followers {
	struct loop *loop;
	const struct config *config;
	struct shm_slot *slot; /* its gauge; NULL: nothing is counted */
	_Atomic long count;
	bool is_cut;                   /* the worker ends: whoever takes nothing is given up soon */
	struct follower *gone;         /* their own */
	int64_t budget;                /* of this round, for catching up */
	struct buffer scratch;         /* one frame, */
	struct framed {                /* of this piece: those at the same place send it, too */
		const struct run *run; /* NULL: of something else */
		enum stream_format format;
		int64_t from, behind;
	} framed;
	char chunk[SINK_CHUNK_MAX]; /* one read of a spool */
};

void followers_init(struct followers *followers, struct loop *loop, const struct config *config,
		    struct shm_slot *slot);
void followers_done(struct followers *followers);
/* At the end of each round: frees those that have left, and gives all a new budget. */
void followers_round(struct followers *followers);

/* Any thread. NULL: no memory. */
struct follower *follower_new(const struct stream_options *options, struct slice headers);
void follower_free(struct follower *follower); /* one that never joined; NULL is fine */
/* Takes the sink. refusal (NULL: none; it must stay) is all that the client is told then. */
void follower_join(struct follower *follower, struct followers *followers, struct run *run,
		   struct sink *sink, const struct error *refusal);

#endif
