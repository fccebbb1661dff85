/* source_upstream: one attempt at the C1 API. */
#ifndef STREAM_SOURCE_UPSTREAM_H
#define STREAM_SOURCE_UPSTREAM_H

#include "base/buffer.h"
#include "base/loop.h"
#include "base/shm.h"
#include "config/config.h"
#include "llm/llm.h"
#include "source.h"

/* What all attempts share. */
struct upstream {
	struct loop *loop;
	const struct config *config;
	struct shm *shm; /* NULL: its health is not noted */
	struct llm llm;
	uint64_t chunks; /* that came this round */
};

/* At the end of each round: counts what came. */
void upstream_round(struct upstream *upstream);

/* Takes the body, always. run_id names it in the log and must live as long. NULL: no memory. */
struct source *source_upstream(struct upstream *upstream, const char *run_id, struct buffer *body);

#endif
