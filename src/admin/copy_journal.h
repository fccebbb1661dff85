/*
 * copy_journal: what a copy has done, in a file of lines that is only ever added to:
 *
 *   c1d-copy 1 ID        the copy that it belongs to
 *   + THREAD             is about to be put into the target
 *   = THREAD             everything up to this id has been copied once
 *
 * A last line without an end was being written when the machine stopped, and counts for nothing.
 * Locked while it is open. Private to admin/; one thread at a time.
 */
#ifndef ADMIN_COPY_JOURNAL_H
#define ADMIN_COPY_JOURNAL_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "base/siphash.h"
#include "model/thread.h"
#include <stdint.h>

struct journal {
	int fd;
	char through[ID_MAX + 1]; /* "": nothing was copied yet */
	struct siphash *put;      /* of what was put; sorted up to `sorted` */
	size_t count, room, sorted;
	uint64_t key[2]; /* of these, by chance: ids are clients' to choose */
};

/* ERROR_CONFIG: it is another copy's, in use, or cannot be opened or made. */
bool journal_open(struct journal *journal, const char *path, const char *id, struct error *err);
void journal_close(struct journal *journal);

/* Both are on the disk when they return. */
bool journal_putting(struct journal *journal, const struct thread *threads, size_t count,
		     struct error *err);
bool journal_through(struct journal *journal, const char *thread_id, struct error *err);

/* Did this copy put it? */
bool journal_has(struct journal *journal, const char *thread_id);

#endif
