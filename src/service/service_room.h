/*
 * service_room: what the service's parts know of each other.
 *
 *   service.c           opens and closes, health
 *   node.c              the name of this node, kept in the state folder
 *   turn.c, turn_known.c, turn_claim.c, prompt.c  a question on its way to the engine
 *   savers.c            ended answers on their way to the store
 *   duties.c, nodes.c, upstream.c, unattended.c  what a worker does besides answering
 *   service_threads.c, service_messages.c  reading and editing
 */
#ifndef SERVICE_ROOM_H
#define SERVICE_ROOM_H

#include "service/service.h"

#define NODE_NAME_SIZE 9 /* 8 hex digits and the NUL */

struct duties;
struct savers;

struct service {
	const struct config *config;
	struct shm *shm;
	struct engine *engine;
	struct board *board;
	int slot; /* this worker on the board */
	struct store *store;
	struct spool_dir *spools;
	struct savers *savers;
	struct duties *duties;
	bool store_seen_up; /* duties.c: when it looked last */
	char node[NODE_NAME_SIZE];
};

/* --- node.c --- */
/* Reads the node's name from the state folder, makes one at the first start. */
bool node_name(const char *state_dir, char out[NODE_NAME_SIZE], struct error *err);

/* --- savers.c: two threads a worker --- */
struct savers *savers_open(struct service *service, struct error *err);
bool savers_start(struct savers *savers, struct error *err);
/* Waits until nothing is left to save or the deadline (monotonic); what is left stays in the spool.
 */
void savers_stop(struct savers *savers, int64_t deadline_ms);
void savers_free(struct savers *savers);
/* Any thread; takes the reference; never blocks, and costs the same however many wait. */
void savers_add(struct savers *savers, struct spool *spool);
/* Behind an outage nothing waits for its turn of the backoff. */
void savers_store_is_back(struct savers *savers);
/* At once, by the caller; the engine is told. The reference stays the caller's. */
bool savers_save_now(struct service *service, struct spool *spool, struct error *err);

/* --- duties.c: a thread for each kind that may stand still --- */
struct duties *duties_open(struct service *service, struct error *err);
bool duties_start(struct duties *duties, struct error *err);
void duties_stop(struct duties *duties);
void duties_free(struct duties *duties);

/* --- nodes.c --- */
/* Renews this node's entry, ends what nodes left that are gone, forgets what is old. Blocks on the
 * store. */
void nodes_beat(struct service *service);

/* --- upstream.c --- */
/* Whether the C1 API can be reached, for as long as no question has told. Blocks for seconds at
 * worst. */
void upstream_look(struct service *service);

/* --- turn.c --- */
/* A turn on its way: what every step of it needs. */
struct turn_work {
	struct service *service;
	const struct caller *caller;
	const struct turn_request *request;
	struct arena *arena;
	char key[ID_UUID_SIZE];      /* hash of the Idempotency-Key; "" without one */
	char question[ID_UUID_SIZE]; /* hash of what is asked: same key, other question is an error
				      */
	int64_t first_seq;           /* of the question, once the claim is won */
	struct turn turn;            /* what comes out */
};

/* --- turn_known.c: was it asked before? --- */
/* Looks in the store, by key or by the answer's id. *known: turn.kind is REJOIN or REPLAY. */
bool turn_known(struct turn_work *work, bool *known, struct error *err);
/* The run of this spool is the same question's: it becomes what the turn follows. Takes the
 * reference, always. */
bool turn_rejoin(struct turn_work *work, struct spool *spool, struct error *err);

/* --- turn_claim.c --- */
/* Gets the thread's claim for the run, makes the thread where that is allowed, and tells why not.
 * turn.kind is REJOIN when the claim is held by a twin of this turn. */
bool turn_claim(struct turn_work *work, struct error *err);

/* --- prompt.c --- */
/* The upstream request: system prompt, history before before_seq within the budget, the question.
 */
bool prompt_build(struct service *service, const struct turn *turn, struct slice question,
		  struct slice model, int64_t before_seq, struct arena *arena, struct buffer *out,
		  struct error *err);
/* Is it the default model or one of C1D_MODELS? */
bool prompt_model_allowed(const struct config *config, struct slice model);

/* --- runs.c --- */
/* Asks the owner to stop it, waits until its text is saved; the spool is refreshed. */
bool run_stop_and_wait(struct service *service, struct spool *spool, struct error *err);

/* --- service_threads.c --- */
/* Whether caller may touch thread: ERROR_NOT_FOUND when deleted, ERROR_ACCESS_DENIED when it is
 * another's. */
bool service_may(const struct caller *caller, const struct thread *thread, struct error *err);

#endif
