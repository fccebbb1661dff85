/*
 * secret_file: the file `secret` of the state folder: a line a secret, newest first,
 *
 *   <64 hex digits> <unix seconds when it was made>
 *
 * Changed under a lock on the folder, written beside and renamed: whoever reads it sees the whole
 * of one or of the other.
 */
#ifndef GUARD_SECRET_FILE_H
#define GUARD_SECRET_FILE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define SECRET_SIZE 32
#define SECRETS_MAX 32 /* a year of rotations by itself makes five */

struct secret {
	unsigned char key[SECRET_SIZE];
	int64_t made_s; /* wall */
};

/* Which file it is, and as of when; all zero: none. */
struct secret_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct secret_set {
	struct secret items[SECRETS_MAX]; /* newest first */
	size_t count;
	struct secret_stamp stamp; /* of the file that they came from */
};

/* ERROR_NOT_FOUND: there is none; ERROR_CONFIG: it cannot be used; ERROR_INTERNAL: it cannot be
 * read now. */
bool secret_file_read(const char *state_dir, struct secret_set *out, struct error *err);
/* The same, but makes the folder and the file where there is none. */
bool secret_file_open(const char *state_dir, struct secret_set *out, struct error *err);
/* Puts a new one in front when the newest is older than that, and lets go what nothing can be
 * signed with any more. *rotated: it was, and not by another worker. ERROR_CONFLICT: there is no
 * room. */
bool secret_file_rotate(const char *state_dir, int64_t older_s, bool *rotated, struct error *err);
/* Exactly 64 hex digits. */
bool secret_key_read(const char *hex, size_t len, unsigned char key[SECRET_SIZE]);
struct secret_stamp secret_file_stamp(const char *state_dir);
bool secret_stamps_equal(const struct secret_stamp *a, const struct secret_stamp *b);

#endif
