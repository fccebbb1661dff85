/* spool_name: where in the spool folder a run's file lies. Pure. */
#ifndef STREAM_SPOOL_NAME_H
#define STREAM_SPOOL_NAME_H

#include "base/id.h"
#include <stdint.h>

#define SPOOL_PATH_SIZE  (ID_MAX + 40)
#define SPOOL_DONE       "done"
#define SPOOL_STOP       "stop"
#define SPOOL_TAILS_FILE "tails"
#define SPOOL_READY      ".ready"

/* What else lies in the folder is no run. */
bool spool_name_is_run(const char *name);
/* ".<run>": while it is made. */
void spool_name_hidden(const char *run_id, char out[SPOOL_PATH_SIZE]);
/* "done/<minute>/<run>". */
void spool_name_done(const char *run_id, char out[SPOOL_PATH_SIZE]);
/* "done/<minute>" of a run. */
void spool_name_bucket(const char *run_id, char out[SPOOL_PATH_SIZE]);
/* When the last run of a bucket may have begun, by the folder's name (ms, wall). -1: it is none. */
int64_t spool_name_bucket_end(const char *name);

#endif
