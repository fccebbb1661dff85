/* spool_dir: what the files that work on the spool folder know of it. */
#ifndef STREAM_SPOOL_DIR_H
#define STREAM_SPOOL_DIR_H

#include "stream/spool.h"

int spool_dir_fd(const struct spool_dir *dir);
_Atomic int64_t *spool_dir_used(struct spool_dir *dir);
struct spool_tails *spool_dir_tails(const struct spool_dir *dir); /* NULL: none */
const struct spool_limits *spool_dir_limits(const struct spool_dir *dir);
/* Where spool_create finds files that are ready; NULL: nowhere. Before others use the folder, or
 * when they do no longer. */
void spool_dir_set_ahead(struct spool_dir *dir, struct spool_ahead *ahead);
struct spool_ahead *spool_dir_ahead(const struct spool_dir *dir);
/* Has the disk that this file or folder is on so many bytes left? */
bool spool_disk_has_room(int fd, int64_t reserve);
/* Calls `visit` with every name in a folder of it ("." is its own), until it says false. */
void spool_dir_names(struct spool_dir *dir, const char *folder,
		     bool (*visit)(struct spool_dir *dir, const char *name, void *ctx), void *ctx);

#endif
