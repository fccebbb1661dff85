/*
 * engine: the one thread of a worker that carries all its runs: an epoll loop with libcurl's multi
 * handle. Nothing in it blocks: no store, no disk sync, no DNS.
 *
 * A request thread prepares a ticket (a new run, or a run to follow) and hands it over together
 * with the client's sink. From then on all of it is the engine's.
 */
#ifndef STREAM_ENGINE_H
#define STREAM_ENGINE_H

#include "base/buffer.h"
#include "base/shm.h"
#include "config/config.h"
#include "stream/board.h"
#include "stream/sink.h"
#include "stream/spool.h"

struct engine;

/* Called on the engine's thread; must not block. */
struct engine_hooks {
	/* A run has ended and its spool says how. The saver saves it, marks the spool saved, and
	 * calls engine_saved. The reference to the spool is the callee's. */
	void (*ended)(void *ctx, struct spool *spool);
	void *ctx;
};

enum stream_format { STREAM_RAW, STREAM_SSE };

/* What becomes of the run when its last follower leaves. */
enum leave_policy { LEAVE_CONTINUE, LEAVE_CANCEL, LEAVE_GRACE };

struct stream_options {
	enum stream_format format;
	int64_t keepalive_ms; /* raw: a comment after so much silence; 0: none. SSE always has its
				 heartbeat */
	bool errors_card;     /* raw: failures are shown as a card, with 200 */
	int64_t offset;       /* follow from this byte of the answer */
	char request_id[64];
	size_t headers_kept; /* how much of the answer's headers stays when it is a problem instead
			      */
};

struct run_start {
	struct spool *spool; /* just made; the engine takes the reference */
	struct buffer body;  /* the upstream request; taken over */
	enum leave_policy leave;
	int64_t grace_ms;
	int64_t arrived_ms; /* monotonic, of the request: for the durations */
};

/* A new run with its first follower. Takes start->spool and start->body; headers is copied. NULL:
 * no memory, nothing was taken. */
struct stream_ticket *stream_ticket_start(const struct stream_options *options,
					  struct run_start *start, struct slice headers);
/* An answer that is over and no longer kept as a run, in a stream's form: what a follower would
 * have got. */
bool stream_whole(const struct stream_options *options, const struct spool_record *record,
		  struct slice text, struct buffer *out);
/* A follower of a run that exists, on this worker or another, ended or not. Takes the reference to
 * the spool (spool_open's). */
struct stream_ticket *stream_ticket_follow(const struct stream_options *options,
					   struct spool *spool, struct slice headers);
/* The id of the ticket's run. */
const char *stream_ticket_run(const struct stream_ticket *ticket);
/* One that was never handed over: its run ends as `interrupted`, through the hooks' ended. NULL is
 * fine. */
void stream_ticket_drop(struct stream_ticket *ticket, const struct engine_hooks *hooks);

/* shm and slot may be NULL (tests): nothing is counted then, and there is no board. */
struct engine *engine_open(const struct config *config, struct shm *shm, struct shm_slot *slot,
			   struct error *err);
bool engine_start(struct engine *engine, const struct engine_hooks *hooks,
		  struct error *err); /* its thread */
/* Runs may finish until the deadline (monotonic), then the rest ends as `interrupted`. May be said
 * again, earlier or later. */
void engine_stop_by(struct engine *engine, int64_t deadline_ms);
/* Does its thread still go round? Asks it to, and looks whether it did since it was asked
 * `patience_ms` ago or more. The worker's main thread, now and then. */
bool engine_is_alive(struct engine *engine, int64_t patience_ms);
bool engine_is_over(const struct engine *engine); /* nothing runs any more after a stop */
void engine_stop(struct engine *engine,
		 int64_t deadline_ms); /* the same, and waits for its thread */
void engine_free(struct engine *engine);

/* --- any thread --- */
/* The live runs of this node, and this worker's slot on it. */
struct board *engine_board(const struct engine *engine);
int engine_board_slot(const struct engine *engine);
/* Takes the place of one more run, before anything of it is made; ERROR_OVERLOADED. Handing its
 * ticket over uses the place; a turn that fails before gives it back. */
bool engine_take_room(struct engine *engine, struct error *err);
void engine_give_room(struct engine *engine);
/* Takes both, always. sink NULL: none could be made; the ticket is dropped, and its room given
 * back. */
void engine_hand_over(struct engine *engine, struct stream_ticket *ticket, struct sink *sink);
/* The store has the answer (or never will take it): its followers' bodies may close now. */
void engine_saved(struct engine *engine, const char *run_id);
#endif
