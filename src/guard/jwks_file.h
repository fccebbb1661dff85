/*
 * jwks_file: the issuer's keys as they came last, in the state folder: for the other workers, and
 * for the next life. It is replaced as a whole, so that nobody reads half of it.
 */
#ifndef GUARD_JWKS_FILE_H
#define GUARD_JWKS_FILE_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdint.h>
#include <sys/stat.h>

#define JWKS_MAX (256u << 10) /* bytes of a set of keys */

/* What is kept beside the text. */
struct jwks_kept {
	int64_t came_s;    /* wall */
	int64_t max_age_s; /* as net_got has it */
};

struct jwks_file {
	char path[4096];
	const char *url;  /* whose keys it holds: a file of another address is none of ours */
	struct stat seen; /* when it was last read */
};

/* Of this address; false: the path is too long. url has to stay. */
bool jwks_file_init(struct jwks_file *file, const char *folder, const char *url);
/* Reads it when it is another one than it was: true with what it holds, the text in `text`. */
bool jwks_file_read(struct jwks_file *file, struct jwks_kept *kept, struct buffer *text);
/* ERROR_INTERNAL. */
bool jwks_file_write(struct jwks_file *file, const struct jwks_kept *kept, struct slice text,
		     struct error *err);

#endif
