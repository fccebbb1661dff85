/*
 * spool: the folder of answers in flight, one file a run: a header block, then the answer's bytes
 * exactly as the client sees them.
 *
 *   0 ........ SPOOL_HEADER ........ SPOOL_HEADER + length
 *    header                 answer
 *
 * A file is made under a temporary name, locked, its header written, then renamed into place: who
 * sees it sees it locked. Byte 0 is locked for writing by the owner for as long as the run is not
 * saved (F_OFD_SETLK: the kernel drops it with the last descriptor, also at a kill); byte 1 is
 * locked for reading by whoever follows. Order of writes: bytes, then length and status (one word),
 * then saved.
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
#include <stdint.h>

#define SPOOL_HEADER 4096

/* What the header says. Ids are checked by the time they come here, and NUL-terminated. */
struct spool_record {
	char run_id[ID_MAX + 1], thread_id[ID_MAX + 1], message_id[ID_MAX + 1], node[ID_MAX + 1];
	char user_id[516];                              /* 128 characters of up to 4 bytes */
	char key[ID_UUID_SIZE], question[ID_UUID_SIZE]; /* hashes: of its Idempotency-Key ("" for
							   none), of what was asked */
	int64_t created_ms, ended_ms;                   /* wall; ended 0 while it runs */
	int64_t length;
	enum message_status status;
	char finish_reason[32], usage[160];
	char error_word[48]; /* of base/error.h; "" for none */
	bool saved;
};

struct spool_dir;
struct spool;

struct spool_limits {
	int64_t reserve; /* free bytes of the disk below which nothing is made */
	int64_t total;   /* cap of the folder */
};

/* Makes the folder (0700) and stop/ in it. Any thread may use it. */
struct spool_dir *spool_dir_open(const char *path, const struct spool_limits *limits,
				 struct error *err);
void spool_dir_free(struct spool_dir *dir);

/* ERROR_SPOOL when there is no room or the folder cannot be written, ERROR_CONFLICT when the run
 * exists. */
struct spool *spool_create(struct spool_dir *dir, const struct spool_record *record,
			   struct error *err);
/* To read another's; ERROR_NOT_FOUND, ERROR_CORRUPT. */
struct spool *spool_open(struct spool_dir *dir, const char *run_id, struct error *err);
struct spool *spool_ref(struct spool *spool);
void spool_unref(struct spool *spool); /* NULL is fine; the last one closes the file */

/* As last written or read; spool_refresh reads it anew from the file. */
const struct spool_record *spool_record(const struct spool *spool);
bool spool_refresh(struct spool *spool, struct error *err);

bool spool_append(struct spool *spool, struct slice bytes, struct error *err);
/* Says how it ended. status is not STREAMING. */
bool spool_end(struct spool *spool, enum message_status status, const char *finish_reason,
	       const char *usage, const char *error_word, int64_t now_ms, struct error *err);
bool spool_mark_saved(struct spool *spool, struct error *err);
/* Durable on disk: savers only, and only when the store refuses an ended answer. */
bool spool_sync(struct spool *spool, struct error *err);

/* Bytes of the answer from offset, at most size; -1 on error, 0 at the known length. */
int64_t spool_read(const struct spool *spool, int64_t offset, char *out, size_t size);
/* The whole answer, cut at the last whole character. */
bool spool_read_all(const struct spool *spool, struct buffer *out);

/* Followed by somebody, on any worker? */
bool spool_set_followed(struct spool *spool, bool followed);
bool spool_is_followed(const struct spool *spool);

/* Asks the run's owner, whichever worker that is, to end it as `stopped`. Its header says when it
 * is done. */
bool spool_ask_stop(struct spool_dir *dir, const char *run_id, struct error *err);

/* Every sound file of the folder. */
void spool_each(struct spool_dir *dir, void (*visit)(void *ctx, const struct spool_record *record),
		void *ctx);

/* Every answer that nobody owns and nobody saved: its worker died. Each is locked for the caller,
 * who gets the reference; one without an end is ended as `interrupted`, its tail cut to what surely
 * reached the disk. */
void spool_adopt_each(struct spool_dir *dir, int64_t now_ms,
		      void (*adopt)(void *ctx, struct spool *spool), void *ctx);

/* One of them by its run. NULL: there is none, it is saved, or its owner lives. */
struct spool *spool_adopt(struct spool_dir *dir, const char *run_id, int64_t now_ms);

void spool_remove(struct spool_dir *dir, const char *run_id);
/* Removes saved files that ended before the given time, and what crashes left beside them. Returns
 * how many stay. */
size_t spool_sweep(struct spool_dir *dir, int64_t ended_before_ms);

#endif
