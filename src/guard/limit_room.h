/*
 * limit_room: what the files of limits share.
 *
 *   limit.c        who is counted for what
 *   limit_words.c  headers and sentences
 *   gcra.c         the counts in shared memory
 *   redis.c        the counts of several machines
 */
#ifndef LIMIT_ROOM_H
#define LIMIT_ROOM_H

#include "base/metrics.h"
#include "gcra.h"
#include "guard/limit.h"

/* The headers of a caller's count; rate.count 0: that one is off. runs_per_user 0: not told. */
void limit_tell(struct response *response, enum metric_limit_kind kind, struct rate rate,
		int64_t runs_per_user, const struct gcra_use *use);
bool limit_refuse(enum metric_limit_kind kind, struct rate rate, const struct gcra_use *use,
		  struct error *err);

#endif
