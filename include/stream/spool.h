/*
 * spool: the folder of answers in flight, one file a run: a header block, then the answer's bytes
 * exactly as the client sees them.
 *
 *   0 ........ SPOOL_HEADER ........ SPOOL_HEADER + length
 *    header                 answer
 *
 *   <run>                  live: being written, or not saved yet
 *   done/<minute>/<run>    saved, and kept a while for resumes; the minute is in the run's id
 *   stop/<run>             a wish that its owner end it
 *   .ready/<number>        made ahead, to become a run's
 *   .<run>                 being made, where none was ready
 *   tails                  the last bytes of those that are being written (spool_tails.h)
 *
 * A file is made under a hidden name, locked, its header written, then renamed into place: who
 * sees it sees it locked. Byte 0 is locked for writing by the owner for as long as the run is not
 * saved (F_OFD_SETLK: the kernel drops it with the last descriptor, also at a kill). While it
 * streams the answer's length is the file's size and what lies in its tail, so a piece costs a
 * copy, or one write for some; the end writes the tail, then length and status as one word; then
 * saved.
 *
 * A spool belongs to the engine and a saver together: reference-counted; each call from one of them
 * at a time.
 */
#ifndef STREAM_SPOOL_H
#define STREAM_SPOOL_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "model/message.h"
#include <stdatomic.h>
#include <stdint.h>

#define SPOOL_HEADER    4096
#define SPOOL_MODEL_MAX 256
#define SPOOL_AHEAD     16 /* files that are ready, a worker: a burst, and as many descriptors */

/* What the header says. Texts of one that a spool gives are the spool's, and never NULL; in one
 * that is given to a call NULL is "", and they need not outlive it. Ids are checked by the time
 * they come here. */
struct spool_record {
	const char *run_id, *thread_id, *message_id, *node;
	const char *user_id;  /* whose thread it was when it began, 128 characters of up to 4 bytes;
				 "": that was not asked */
	const char *user_key; /* hash of whom limits count */
	const char *key, *question; /* hashes: of its Idempotency-Key ("" for none), of what was
				       asked */
	const char *model;          /* that is asked, SPOOL_MODEL_MAX bytes of it; "" is unknown */
	int64_t created_ms, ended_ms; /* wall; ended 0 while it runs */
	int64_t length;
	enum message_status status;
	bool asked; /* the model may have seen the question: asking again may cost twice */
	bool saved;
	struct usage usage;
	char finish_reason[32];
	char error_word[48]; /* of base/error.h; "" for none */
};

/* How it ended; a zeroed one but for the status is fine, except for usage. */
struct spool_ending {
	enum message_status status;             /* not STREAMING */
	const char *finish_reason, *error_word; /* NULL: none */
	struct usage usage;
	bool asked;
	int64_t now_ms; /* wall */
};

struct spool_dir;
struct spool_ahead;
struct spool;

struct spool_limits {
	int64_t reserve; /* free bytes of the disk below which nothing is made */
	int64_t total;   /* cap of the folder */
};

/* Makes the folder (0700) and what has to be in it. Any thread may use it. `used` counts the
 * folder's bytes for all that share it, and outlives it; NULL: a counter of its own. */
struct spool_dir *spool_dir_open(const char *path, const struct spool_limits *limits,
				 _Atomic int64_t *used, struct error *err);
void spool_dir_free(struct spool_dir *dir);

/* ERROR_SPOOL when there is no room or the folder cannot be written, ERROR_CONFLICT when the run
 * exists. */
struct spool *spool_create(struct spool_dir *dir, const struct spool_record *record,
			   struct error *err);

/* From its first turn on a thread makes files ahead for spool_create, SPOOL_AHEAD of them, while
 * the disk has more than the reserve; what dead workers left of theirs goes. One a folder and
 * process, started before others use the folder, freed before it is. ERROR_INTERNAL. */
struct spool_ahead *spool_ahead_start(struct spool_dir *dir, struct error *err);
/* Those that are ready go and no more are made; spool_create goes on without. NULL is fine. */
void spool_ahead_stop(struct spool_ahead *ahead);
void spool_ahead_free(struct spool_ahead *ahead); /* the same; NULL is fine */
/* To read another's, live or kept. ERROR_NOT_FOUND: there is surely none; ERROR_OVERLOADED: it
 * cannot be told now; ERROR_CORRUPT. */
struct spool *spool_open(struct spool_dir *dir, const char *run_id, struct error *err);
/* An answer that is over, in a file of this folder that has no name and goes with the reference.
 * ERROR_SPOOL, also when the disk has less than the reserve, which is for answers under way, and
 * when this process' large ones (more than 64 KiB) hold a 64th of the limit already. */
struct spool *spool_unnamed(const char *path, const struct spool_limits *limits,
			    const struct spool_record *record, struct slice text,
			    struct error *err);
struct spool *spool_ref(struct spool *spool);
void spool_unref(struct spool *spool); /* NULL is fine; the last one closes the file */

/* As last written or read; spool_refresh reads it anew from the file. */
const struct spool_record *spool_record(const struct spool *spool);
bool spool_refresh(struct spool *spool, struct error *err);

bool spool_append(struct spool *spool, struct slice bytes, struct error *err);
/* The upstream is about to get the question. */
bool spool_mark_asked(struct spool *spool, struct error *err);
/* Even when it fails the record says how it ended. */
bool spool_end(struct spool *spool, const struct spool_ending *ending, struct error *err);
/* The store has it: the file moves to done/. */
bool spool_mark_saved(struct spool_dir *dir, struct spool *spool, struct error *err);
/* Durable on disk: savers only, and only when the store refuses an ended answer. */
bool spool_sync(struct spool *spool, struct error *err);

/* Bytes of the answer from offset, at most size; -1 on error, 0 at the known length. */
int64_t spool_read(const struct spool *spool, int64_t offset, char *out, size_t size);
/* The whole answer, cut at the last whole character. */
bool spool_read_all(const struct spool *spool, struct buffer *out);

/* Asks the run's owner, whichever worker that is, to end it as `stopped`. Its header says when it
 * is done. */
bool spool_ask_stop(struct spool_dir *dir, const char *run_id, struct error *err);

/* An answer that nobody owns and nobody saved, locked for the caller, who gets the reference; one
 * without an end, or whose text a power loss has cut, is ended as `interrupted`, with what surely
 * reached the disk.
 * ERROR_NOT_FOUND: there is none, or it is saved. ERROR_RUN_ACTIVE: its owner lives.
 * ERROR_OVERLOADED: it cannot be told now. */
struct spool *spool_adopt(struct spool_dir *dir, const char *run_id, int64_t now_ms,
			  struct error *err);

/* Live or kept; one that is not there is fine. */
void spool_remove(struct spool_dir *dir, const char *run_id);
/* So little room is left, on the disk or under the cap, that answers which are only kept for
 * resumes should go before new ones are refused. Any thread. */
bool spool_is_tight(const struct spool_dir *dir);
/* Removes kept answers that were saved before the given time (wall), at most `budget` of them, and
 * wishes that nobody took. True: there are more. */
bool spool_sweep(struct spool_dir *dir, int64_t saved_before_ms, size_t budget);

/* At the start of a pool: calls `visit` with every live file, moves saved ones to done/, removes
 * what never got its name, counts the folder's bytes. Reads the folder: never while requests wait
 * for it. */
void spool_survey(struct spool_dir *dir,
		  void (*visit)(void *ctx, const struct spool_record *record, bool is_owned),
		  void *ctx);

#endif
