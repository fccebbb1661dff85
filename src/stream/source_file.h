/*
 * source_file: the file that another worker writes, or that is over: it has no say, it only looks
 * how far the file has come. One that nobody owns any more is given so long to be adopted, then it
 * has ended as `interrupted`: a reader never waits for what nobody writes.
 */
#ifndef STREAM_SOURCE_FILE_H
#define STREAM_SOURCE_FILE_H

#include "notices.h"
#include "source.h"
#include "stream/spool.h"

struct files {
	struct loop *loop;
	struct notices *notices; /* NULL: it is only looked at now and then */
	int64_t look_ms;         /* how often that is */
	int64_t patience_ms;     /* with a file that nobody owns */
};

/* The spool is the run's, and outlives it. NULL: no memory. */
struct source *source_file(const struct files *files, struct spool *spool);

#endif
