/*
 * spool_file: one file of the spool: what its halves above (making and finding, keeping, adopting)
 * do to it.
 */
#ifndef STREAM_SPOOL_FILE_H
#define STREAM_SPOOL_FILE_H

#include "stream/spool.h"

struct spool_tails;

/* Takes the descriptor; `used` grows with what is appended (NULL: a reader); `tails` are its
 * folder's (NULL: none). NULL: no memory, the descriptor stays the caller's. */
struct spool *spool_file_wrap(int fd, _Atomic int64_t *used, struct spool_tails *tails);
/* A new file, with its owner's lock and this header. */
bool spool_file_begin(struct spool *spool, const struct spool_record *record);
/* The owner's lock; false when somebody else holds it, or it cannot be had. */
bool spool_file_lock(const struct spool *spool);
bool spool_file_lock_fd(int fd);                      /* of one that is no spool yet */
bool spool_file_is_locked(const struct spool *spool); /* by another open file */
bool spool_file_mark_saved(struct spool *spool, struct error *err);
/* Who reads it is told of each piece by the kernel (inotify) from now on. */
void spool_file_ask(const struct spool *spool);
/* Of an answer whose owner died: its tail goes into the file, if that can be written. */
void spool_file_take_tail(struct spool *spool);
/* While it is there it counts for so many of these bytes, which are its already. */
void spool_file_holds(struct spool *spool, _Atomic int64_t *held, int64_t bytes);
/* Of one that becomes no run: its tail is given back. */
void spool_file_drop_tail(struct spool *spool);
/* How much of the answer can be there: of one that has ended the header may say more than a power
 * loss has left. */
int64_t spool_file_present(const struct spool *spool);
void spool_file_set_length(struct spool *spool, int64_t length);
/* Its tail's number; 0: none. */
uint32_t spool_file_tail(const struct spool *spool);

#endif
