/*
 * log_ring: lines on their way to stderr. Nothing here waits for a reader: a line that stderr does
 * not take stays in a ring of 256 KiB and is tried again later, and what does not fit into the ring
 * is dropped and counted. A child begins with an empty ring after a fork. Private to base/log.
 */
#ifndef BASE_LOG_RING_H
#define BASE_LOG_RING_H

#include "base/slice.h"

#define LOG_LINE_MAX 4096 /* PIPE_BUF: so much of many processes' lines does not mix in a pipe */

/* Looks anew at what stderr is. Not needed before the first line. */
void log_ring_open(void);

/* Opens what lines go to, which the first line does otherwise. Any thread. */
void log_ring_reach(void);

/* A whole line with its line end, at most LOG_LINE_MAX. Any thread. */
void log_ring_put(struct slice line);

/* Writes what stderr takes at once; returns while another thread is at it. Any thread. */
void log_ring_flush(void);

/* How many lines were dropped since the last call, once there is room to tell of it; 0: none. */
unsigned long log_ring_take_dropped(void);

#endif
