/* spool_ahead: what spool_create knows of the files that are ready; see stream/spool.h. */
#ifndef STREAM_SPOOL_AHEAD_H
#define STREAM_SPOOL_AHEAD_H

#include "spool_name.h"
#include "stream/spool.h"

/* One that is ready, locked, with its header's block written, and its name in the spool folder. The
 * descriptor is the caller's. -1: there is none, the caller makes his own. Any thread. */
int spool_ahead_take(struct spool_ahead *ahead, char name[SPOOL_PATH_SIZE]);

#endif
