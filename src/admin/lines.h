/*
 * lines: a file read line by line, in bounded memory: the longest line has RECORD_MAX bytes, what
 * is longer is passed over and told as such. Private to admin/.
 */
#ifndef ADMIN_LINES_H
#define ADMIN_LINES_H

#include "admin/watch.h"
#include "base/buffer.h"
#include "base/error.h"
#include <stdint.h>

struct lines {
	int fd;
	const struct watch *watch; /* NULL, or asked while there is nothing to read */
	struct buffer in;
	size_t at;     /* of the next line in `in` */
	size_t looked; /* bytes behind `at` in which there is no end of a line */
	int64_t number, bytes;
	bool ended, over_long;
};

void lines_init(struct lines *lines, int fd, const struct watch *watch);
void lines_done(struct lines *lines);

enum lines_got {
	LINES_LINE,     /* without its end; good until the next call */
	LINES_CUT,      /* the last one, which has no end: its writer did not finish it */
	LINES_TOO_LONG, /* passed over */
	LINES_END,
	LINES_FAILED,
};
enum lines_got lines_next(struct lines *lines, struct slice *out, struct error *err);

#endif
