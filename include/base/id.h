/*
 * id: names of threads, messages and runs.
 *
 * Grammar of every id that comes in: [A-Za-z0-9_-][A-Za-z0-9._-]{0,127}. Ours are UUIDv7 (RFC
 * 9562): they sort by time.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/slice.h"
#include <stdint.h>

#define ID_MAX       128
#define ID_UUID_SIZE 37 /* 36 characters and the NUL */

bool id_valid(struct slice id);
/* A copy; of what is longer, and so no id, the beginning. */
void id_copy(char out[ID_MAX + 1], const char *id);
void id_uuid7(char out[ID_UUID_SIZE]);

/* A stable id made of parts (each counted with its length, so no two lists of parts collide): 32
 * hex digits of SHA-256. */
void id_hash(const struct slice *parts, size_t count, char out[ID_UUID_SIZE]);

#endif
