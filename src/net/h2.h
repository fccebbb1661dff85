/*
 * h2: HTTP/2 of one loop: its hosts. Made with the first stream that wants it.
 */
#ifndef NET_H2_H
#define NET_H2_H

#include "h2_stream.h"

struct h2;
struct h2_ages;

extern const struct h2_ages h2_ages_usual;

/* ages stay where they are. NULL: no memory or descriptor. */
struct h2 *h2_open(struct loop *loop, size_t connections_max, const struct h2_ages *ages);
void h2_free(struct h2 *h2); /* NULL is fine; its streams with it, and nobody is told */

/*
 * Takes the question over, but for when *question is still there: its host speaks HTTP/1.1 only, as
 * far as is known. Nothing is told from within. NULL otherwise: no memory.
 */
struct h2_stream *h2_start(struct h2 *h2, struct net_question **question,
			   const struct h2_events *events, void *ctx);
void h2_cancel(struct h2_stream *stream);

/* A connection to the question's host is opened in so many milliseconds, unless there is one by
 * then. The question stays the caller's. */
void h2_dial_ahead(struct h2 *h2, const struct net_question *question, int64_t ms);

const char *h2_version(bool running); /* nghttp2's */

#endif
