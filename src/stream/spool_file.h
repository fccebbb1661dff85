/*
 * spool_file: what a spool's two halves share: spool_dir.c makes and finds files, spool_file.c
 * reads and writes one.
 */
#ifndef STREAM_SPOOL_FILE_H
#define STREAM_SPOOL_FILE_H

#include "stream/spool.h"
#include <stdatomic.h>

#define SPOOL_MAGIC   "C1DSPOOL"
#define SPOOL_VERSION 1

/* The header as it lies on disk: this machine's byte order, for a spool never leaves its node.
 * `state` packs the length and the status into one word, so that a reader never sees one without
 * the other. */
struct spool_disk {
	char magic[8];
	uint32_t version, identity_sum;
	uint64_t state; /* status << 56 | length */
	uint64_t saved;
	int64_t ended_ms;
	char finish_reason[32], usage[160], error_word[48];
	/* identity: written once, before the file gets its name */
	int64_t created_ms;
	char run_id[ID_MAX + 1], thread_id[ID_MAX + 1], message_id[ID_MAX + 1], node[ID_MAX + 1];
	char user_id[516];
	char key[ID_UUID_SIZE], question[ID_UUID_SIZE];
};

_Static_assert(sizeof(struct spool_disk) <= SPOOL_HEADER, "the header block holds the header");

struct spool {
	atomic_int refs;
	int fd;
	struct spool_record record;
	_Atomic int64_t *used; /* the folder's bytes, as far as known; NULL for a reader */
};

struct spool_dir;
int spool_dir_fd(const struct spool_dir *dir);
/* Calls `visit` with every name that is a run's. */
void spool_dir_names(struct spool_dir *dir, void (*visit)(struct spool_dir *, const char *, void *),
		     void *ctx);

enum spool_lock { SPOOL_LOCK_OWNER, SPOOL_LOCK_FOLLOWED }; /* the byte of the file that is locked */

/* type: F_WRLCK, F_RDLCK, F_UNLCK. false when somebody else holds it, or it cannot be had. */
bool spool_file_lock(int fd, enum spool_lock byte, short type);
/* Is it held by another open file? */
bool spool_file_locked(int fd, enum spool_lock byte);

struct spool *spool_file_wrap(int fd, _Atomic int64_t *used); /* NULL: no memory */
bool spool_file_write_header(struct spool *spool);

#endif
