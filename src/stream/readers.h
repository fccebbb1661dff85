/*
 * readers: those who read one run, told one after another. Any of them may leave while all are
 * told. On the loop's thread.
 */
#ifndef STREAM_READERS_H
#define STREAM_READERS_H

#include <stdbool.h>
#include <stddef.h>

/* Embed it; `next` and `prev` are the list's. */
struct run_reader {
	const struct run_reader_ops {
		void (*more)(struct run_reader *reader); /* text, an end, or that it is over */
		void (*cut)(struct run_reader *reader);  /* the worker ends */
	} * ops;
	struct run_reader *next, *prev;
};

/* Zeroed there are none. */
struct readers {
	struct run_reader *first;
	size_t count;
};

void readers_add(struct readers *readers, struct run_reader *reader);
void readers_remove(struct readers *readers, struct run_reader *reader);
void readers_more(const struct readers *readers);
void readers_cut(const struct readers *readers);

#endif
