/*
 * state_file: how a small file of the state folder is changed, by workers and by an administrator
 * at once: under the folder's lock, written beside and renamed, so that a reader sees the whole of
 * one or of the other. Any thread.
 */
#ifndef GUARD_STATE_FILE_H
#define GUARD_STATE_FILE_H

#include "base/slice.h"

/* Waits five seconds at most: a process that stands still with it keeps nobody for ever. The lock
 * goes with the descriptor. 0, or the errno; EWOULDBLOCK: another process holds it. */
int state_file_lock(int folder);

/* Under the lock: text becomes the file `name`, written as `beside` first, whatever lies there. It
 * is on the disk when this says so, and belongs to whom the folder belongs to, for root changes
 * what the service has to read. 0, or the errno: then the old file stays. */
int state_file_replace(int folder, const char *name, const char *beside, struct slice text);

#endif
