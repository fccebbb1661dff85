/*
 * spool_tails: the last bytes of each answer that grows, in one file of the folder that every
 * process maps: a place an answer. To put a piece of text there is a copy and a word; written to
 * the answer's own file, at 1,000 answers, it was the dearest part of its way, for what the kernel
 * keeps of a file that is written each 50 ms is in no cache by then. So that is done when a place
 * is full, for some pieces at once.
 *
 *   0 ...... SPOOL_HEADER ........ in_file ........ in_file + here        of the answer's file,
 *    header          the answer, written  | its tail   if all were in it
 *
 * It keeps what a file keeps: the pages are the kernel's, whoever dies, and whoever reads the
 * answer finds its tail by the number that its header says. A place is one sector: a power loss
 * leaves the old one or the new one. What has a place has room on the disk, too: a tail ends where
 * the file's last block does, so that writing it needs no more of them. A reader who waits to be
 * told by the kernel asks for each piece to be written (spool_tail_ask).
 *
 * `state` is one word, so that nobody sees the one length without the other. A reader copies, then
 * looks whether key and state are what they were. Places that a dead process has left are found at
 * the start of a pool.
 */
#ifndef STREAM_SPOOL_TAILS_H
#define STREAM_SPOOL_TAILS_H

#include "base/slice.h"
#include "stream/spool.h"

struct spool_tails;

/* Of the folder. NULL: there are none, and each piece is written at once: it cannot be mapped, or
 * the file system does not promise that a page which was allocated can be written. */
struct spool_tails *spool_tails_open(int folder);
void spool_tails_close(struct spool_tails *tails); /* NULL is fine */
/* Gives back the places that were taken before `before_s` (wall) and have none of these numbers:
 * a bit each, SPOOL_TAILS of them. */
void spool_tails_sweep(struct spool_tails *tails, const unsigned char *named, int64_t before_s);

#define SPOOL_TAILS 16384

/* One answer's. */
struct spool_tail {
	struct spool_tails *all; /* NULL: it has none, which is fine with every call */
	uint32_t number;         /* from 1 on; 0: it has none, too */
	uint64_t key;
};

/* The owner takes a place; without one it has no tail. */
void spool_tail_take(struct spool_tail *tail, const char *run_id);
/* That of another, by its header's word. */
void spool_tail_find(struct spool_tail *tail, uint32_t number, const char *run_id);
/* Nothing of it is missing in the file: it is given back. */
void spool_tail_give(struct spool_tail *tail);

/* Owner: keeps them; false: they do not fit, and are to be written behind the tail's text. */
bool spool_tail_put(struct spool_tail *tail, struct slice bytes);
/* Owner: what is not in the file, from `in_file` on, and that it is now. */
struct slice spool_tail_text(const struct spool_tail *tail);
void spool_tail_written(struct spool_tail *tail, int64_t in_file);
bool spool_tail_is_asked(const struct spool_tail *tail);

/* Any process: each piece shall be written when it comes. */
void spool_tail_ask(const struct spool_tail *tail);
/* How much of the answer surely is in the file, and how much there is. False: it has no tail
 * (any more), and the file has all. */
bool spool_tail_lengths(const struct spool_tail *tail, int64_t *in_file, int64_t *length);
/* Bytes from offset, of those that the file lacks; -1: it may have got them meanwhile. */
int64_t spool_tail_read(const struct spool_tail *tail, int64_t offset, char *out, size_t size);

#endif
