/*
 * list_file: a short list in a file of the state folder, a line an entry, which an administrator
 * changes while workers read it. Who changes it holds the folder's lock, writes a new file and
 * renames it over the old one: a reader sees either, whole. The new file belongs to whom the folder
 * belongs to, for root changes what the service has to read.
 *
 * Any thread; a call reads or writes a small file. Reading never waits for who writes.
 */
#ifndef GUARD_LIST_FILE_H
#define GUARD_LIST_FILE_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdint.h>

#define LIST_FILE_MAX (8u << 20)

struct list_place {
	const char *folder, *name; /* C1D_STATE_DIR, and the file in it */
};

/* All of it; no file: nothing. ERROR_CONFIG, ERROR_INTERNAL (the words may name the file). */
bool list_file_read(const struct list_place *place, struct buffer *out, struct error *err);

/* What a change makes of the old text. false: nothing is written, and err says why. */
typedef bool list_change(void *ctx, struct slice old, struct buffer *text, struct error *err);
/* Makes the folder when there is none. */
bool list_file_change(const struct list_place *place, list_change *change, void *ctx,
		      struct error *err);

/* The next line that is neither empty nor a comment ('#'), without its end; false: there is none.
 * *number counts all lines, for who tells of a wrong one; it begins at 0. */
bool list_line(struct slice *rest, struct slice *line, int *number);
size_t list_lines(struct slice text); /* at most so many */
/* The next word of a line; "" at its end. Words stand one blank apart. */
struct slice list_word(struct slice *line);
bool list_number(struct slice word, int64_t *out); /* 0 or more */

/* Whether a file is another than when it was looked at last. Zeroed: it was never looked at. */
struct list_watch {
	int64_t next_ms; /* monotonic: before that nobody looks again */
	uint64_t inode, size;
	int64_t changed_ns;
	bool looked;
};
/* True the first time, and then when the file has come, gone or changed. Looks once a second; at
 * once: in any case. */
bool list_watch_changed(struct list_watch *watch, const struct list_place *place, bool at_once);
/* The next look finds it changed: it could not be read this time. */
void list_watch_again(struct list_watch *watch);

#endif
