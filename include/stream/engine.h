/*
 * engine: the one thread of a worker that carries all its runs: an epoll loop with libcurl's multi
 * handle. Nothing in it blocks: no store, no disk sync, no DNS.
 *
 * A request thread prepares a ticket (a new run, or a run to follow) and hands it over together
 * with the client's sink. From then on all of it is the engine's.
 */
#ifndef STREAM_ENGINE_H
#define STREAM_ENGINE_H

#include "base/shm.h"
#include "config/config.h"
#include "stream/board.h"
#include "stream/stream.h"

struct engine;

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
/* What a worker may carry beyond C1D_RUNS_MAX, as long as others have room for it. */
#define ENGINE_RUNS_OVER 16
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
