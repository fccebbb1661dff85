/*
 * fresh: the text that one round of events brought to a run. It is kept in the spool with one write
 * at the round's end, and then sent from memory to the readers that keep up.
 */
#ifndef STREAM_FRESH_H
#define STREAM_FRESH_H

#include "base/buffer.h"
#include "stream/spool.h"

#define FRESH_MAX (2 << 20)

struct fresh {
	struct buffer text;
	int64_t at; /* its offset in the answer; -1: it is not in the spool yet */
};

void fresh_init(struct fresh *fresh);
void fresh_done(struct fresh *fresh);

bool fresh_add(struct fresh *fresh, struct slice text); /* false: no memory, or over FRESH_MAX */
size_t fresh_unkept(const struct fresh *fresh);         /* bytes that the spool lacks */
/* What the spool does not take is no part of the answer, and is dropped. */
bool fresh_keep(struct fresh *fresh, struct spool *spool, struct error *err);
/* Does it hold what stands at this offset? */
bool fresh_has(const struct fresh *fresh, int64_t offset);
/* From an offset that it has, whole characters, at most max bytes. */
struct slice fresh_piece(const struct fresh *fresh, int64_t offset, size_t max);
/* The round is over; an idle run keeps little memory for its next text. */
void fresh_drop(struct fresh *fresh);

#endif
