/*
 * export: a store's threads as lines (admin/record.h), and lines as threads of a store. One line is
 * in memory at a time, and one page of a thread's messages.
 */
#ifndef ADMIN_EXPORT_H
#define ADMIN_EXPORT_H

#include "admin/place.h"
#include "admin/record.h"

/* Of that user alone, or of everybody (NULL). Threads that are deleted meanwhile are left out, or
 * end early. ERROR_GONE: it was stopped; what is written has no last line then, nor after any other
 * failure. */
bool export_to(struct place *place, const char *user_id, int fd, struct record_sum *out,
	       struct error *err);

/* What came of an import besides `sum`, which is of the threads and messages that were taken. */
struct import_report {
	struct record_sum sum;
	int64_t lines, refused; /* refused: told by `wrong`, and left out */
	int64_t others;         /* threads of other users than the one that was asked for */
	bool whole;             /* its last line was there, and agrees with what was read */
};

/* Takes every thread (of that user, or NULL) and every message that the lines tell of; what is
 * there under an id becomes that. A line that cannot be taken is told, with its number, and the
 * next one is read; so is an end that is missing or does not agree. ERROR_VALIDATION: it is no
 * export, or one of a version that this program does not know. size: of the file, 0: unknown. */
bool import_from(struct place *place, const char *user_id, int fd, int64_t size,
		 void (*wrong)(void *ctx, int64_t line, const char *why), void *ctx,
		 struct import_report *out, struct error *err);

#endif
