/*
 * fresh: the text that one round of events brought to a run. It is kept in the spool with one write
 * at the round's end, and then sent from memory to the readers that keep up.
 */
#ifndef STREAM_FRESH_H
#define STREAM_FRESH_H

#include "base/buffer.h"
#include "stream/spool.h"

#define FRESH_FULL (1 << 20) /* more of it is not waited for */
#define FRESH_MAX  (9 << 20) /* with one delta more, escaped as a card's text */

struct fresh {
	struct buffer text;
	int64_t at; /* its offset in the answer; -1: it is not in the spool yet */
};

/* Memory for the text of a round, lent to the runs that have some: those that are silent hold
 * none. Zeroed it is empty. */
#define FRESH_SPARES 64
struct fresh_pool {
	struct buffer spares[FRESH_SPARES];
	size_t count;
};

void fresh_pool_done(struct fresh_pool *pool);

void fresh_init(struct fresh *fresh);
void fresh_done(struct fresh *fresh);

/* Where more of this round's text is appended. */
struct buffer *fresh_room(struct fresh *fresh, struct fresh_pool *pool);
/* What the spool does not take is no part of the answer, and is dropped. */
bool fresh_keep(struct fresh *fresh, struct spool *spool, struct error *err);
/* Does it hold what stands at this offset? */
bool fresh_has(const struct fresh *fresh, int64_t offset);
/* From an offset that it has, whole characters, at most max bytes. */
struct slice fresh_piece(const struct fresh *fresh, int64_t offset, size_t max);
/* The round is over. */
void fresh_drop(struct fresh *fresh, struct fresh_pool *pool);

#endif
