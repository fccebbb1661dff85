/*
 * run: one answer as its readers see it. It takes the text of its sources, one source after
 * another, into its spool (or, of an answer that another worker writes or that is over, only sees
 * it grow there), and tells its readers. When it ends, however it ends, the spool says so, a saver
 * gets it, and only then do the readers' bodies close.
 *
 * On the loop's thread. What it has to tell to those above goes through tables of calls.
 */
#ifndef STREAM_RUN_H
#define STREAM_RUN_H

#include "base/loop.h"
#include "config/config.h"
#include "fresh.h"
#include "readers.h"
#include "run_state.h"
#include "source.h"
#include "stream/board.h"
#include "stream/spool.h"
#include "stream/stream.h"

struct run;

/* What all runs of an engine share. */
struct runs {
	struct loop *loop;
	const struct config *config;
	struct board *board; /* NULL: there is none */
	int slot;            /* on it */
	struct run_calls {
		/* One of ours has ended, its spool says how. The reference is the callee's. */
		void (*ended)(void *ctx, struct spool *spool);
		/* Nobody needs it any more: it is freed behind this. */
		void (*gone)(void *ctx, struct run *run);
		/* Some run of this node shall be stopped. */
		void (*ask_stop)(void *ctx, const char *run_id);
	} calls;
	void *ctx;
	struct run *all, *fresh; /* the runs' own, as is the next line */
	struct fresh_pool pool;
	bool is_cut;
};

void runs_done(struct runs *runs); /* there are none any more */

/* One of ours: its text is kept in this spool, its end is written there. Takes start->spool. NULL:
 * no memory, nothing was taken. */
struct run *run_ours(struct runs *runs, struct run_start *start);
/* One that is written elsewhere, or is over. Takes the spool. NULL: no memory, nothing was taken.
 */
struct run *run_seen(struct runs *runs, struct spool *spool);
/* Its text comes from here now; the source before is freed. Takes it. NULL: no memory for one; the
 * run ends. */
void run_take(struct run *run, struct source *source);

const char *run_id(const struct run *run);
const struct spool_record *run_record(const struct run *run);
bool run_is_ours(const struct run *run);
bool run_is_over(const struct run *run); /* no more text, and bodies may close */
enum message_status run_status(const struct run *run);
const struct error *run_error(const struct run *run); /* how it failed; ERROR_NONE */
int64_t run_ended_ms(const struct run *run);          /* monotonic; 0: it has not */
size_t run_readers(const struct run *run);

/* From inside a call a reader may leave. */
void run_join(struct run *run, struct run_reader *reader);
void run_leave(struct run *run, struct run_reader *reader);

/* Is what stands at this offset still in memory, so that reading it costs nothing? */
bool run_has_in_memory(const struct run *run, int64_t offset);
/* The next piece from this offset, whole characters only, at most max bytes (4 at least), from
 * memory or read into `chunk`; empty when there is no more for now, without a pointer when what
 * there is cannot be read. */
struct slice run_piece(const struct run *run, int64_t offset, size_t max, char *chunk);

void run_halt(struct run *run);  /* ends one of ours as `stopped` */
void run_saved(struct run *run); /* the store has it */

/* At the end of each round: what is fresh goes into the spools, then to the readers; runs that
 * nobody needs are freed. */
void runs_flush(struct runs *runs);
/* The worker ends: ours end as `interrupted`, readers are told; so are later ones. */
void runs_cut(struct runs *runs);

#endif
