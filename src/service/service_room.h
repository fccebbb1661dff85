/*
 * service_room: what the service's parts know of each other.
 *
 *   service.c           opens and closes, health
 *   node.c              the name of this node, kept in the state folder
 *   turn.c, turn_known.c, turn_claim.c, prompt.c  a question on its way to the engine
 *   savers.c            ended answers on their way to the store
 *   duties.c, nodes.c, upstream.c  what a worker does besides answering
 *   runs.c              how one part ends what another began
 *   waits.c             how many may wait for others, and for how long
 *   service_threads.c, service_messages.c, service_runs.c, service_claim.c  reading and
 *                       editing
 */
#ifndef SERVICE_ROOM_H
#define SERVICE_ROOM_H

#include "service/service.h"
#include "stream/board.h"

#define NODE_NAME_SIZE 9 /* 8 hex digits and the NUL */
#define STOP_WAIT_MS   5000
#define LIVE_MAX       16 /* runs of one thread: one has the claim, others want it */

struct duties;
struct savers;

struct service {
	const struct config *config;
	struct shm *shm;
	struct board *board;
	int slot; /* this worker's, on the board */
	struct engine *engine;
	struct store *store;
	struct store *savers_store; /* the same, by the door of those who save */
	struct spool_dir *spools;
	struct spool_ahead *ahead; /* from service_start on */
	struct savers *savers;
	struct duties *duties;
	bool store_seen_up;                 /* duties.c: when it looked last */
	_Atomic int64_t store_seen_down_ms; /* monotonic: when it last may not have been */
	bool nodes_fail;                    /* nodes.c: the last look failed, and that was told */
	atomic_int waiting;                 /* waits.c: request threads that wait for long */
	char node[NODE_NAME_SIZE];
};

/* For every call of the store: NULL where ownership is not enforced. */
static inline const char *owner_of(const struct caller *caller)
{
	return caller->enforced ? caller->user_id : NULL;
}

/* --- node.c --- */
/* Reads the node's name from the state folder, makes one at the first start. */
bool node_name(const char *state_dir, char out[NODE_NAME_SIZE], struct error *err);

/* --- waits.c: a request thread waits for others --- */
struct wait {
	struct service *service;
	int64_t until_ms, moment_ms; /* monotonic; so long it may without a place */
	bool has_place;
};

void wait_begin(struct wait *wait, struct service *service, int64_t ms);
/* A pause; false when it has waited long enough, or too many wait. */
bool wait_more(struct wait *wait, int pause_ms);
void wait_end(struct wait *wait);

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
 * store, as does the next. */
void nodes_beat(struct service *service);
/* Obeys what other nodes asked to stop. */
void nodes_look_for_wishes(struct service *service);

/* --- upstream.c --- */
/* Whether the C1 API can be reached, for as long as no question has told. Blocks for seconds at
 * worst. */
void upstream_look(struct service *service);

/* --- runs.c --- */
bool runs_is_ours(const struct service *service, const char *run_id); /* by its name */
/* A run is whose its thread is. Its file says who that was when it began, unless an administrator
 * asked; that is known without the store. Threads change hands when a visitor signs in: of
 * visitors, and of whoever did not ask, the store tells. ERROR_ACCESS_DENIED. */
bool runs_check_owner(struct service *service, const struct caller *caller,
		      const struct spool_record *record, struct arena *arena, struct error *err);
/* Asks the owner to stop it, waits until its text is saved; the spool is refreshed.
 * ERROR_STORE_DOWN when it has stopped but the store cannot take the text yet. */
bool runs_stop_and_wait(struct service *service, struct spool *spool, struct error *err);
/* The same by its id. One that is not there has ended. */
bool runs_end(struct service *service, const char *run_id, struct error *err);
/* Its worker died and nobody has saved it yet: what there is of it is saved now, and its claim
 * goes. */
bool runs_end_orphan(struct service *service, const char *run_id, struct error *err);
/* Nothing of it is left, or its node is gone: its answer becomes `interrupted`, its claim goes. */
bool runs_end_lost(struct service *service, const struct held_claim *claim, struct error *err);
/* A claim of this node whose run the board does not know: one of the two, as its file tells. */
bool runs_end_unlisted(struct service *service, const struct held_claim *claim, struct error *err);

/* --- turn.c --- */
/* A turn on its way: what every step of it needs. */
struct turn_work {
	struct service *service;
	const struct caller *caller;
	const struct turn_request *request;
	struct arena *arena;
	struct wait wait;            /* for others */
	char key[ID_UUID_SIZE];      /* hash of user and Idempotency-Key; "" without one */
	char question[ID_UUID_SIZE]; /* hash of what is asked: another one under this name is wrong
				      */
	char user_key[ID_UUID_SIZE]; /* hash of whom limits count */
	char address_key[ID_UUID_SIZE]; /* of its address, when that is counted too */
	struct slice model;             /* that is to answer */
	struct turn turn;               /* what comes out */
};

/* --- turn_known.c: was it asked before? --- */
enum turn_look {
	LOOK_FREE,   /* never, or in vain: it may be asked, under the ids that the turn has now */
	LOOK_FOUND,  /* turn.kind is REJOIN or REPLAY */
	LOOK_AGAIN,  /* something has changed meanwhile */
	LOOK_FAILED, /* see err */
};

/* Looks in the store, by key or by the answer's id. *known: turn.kind is REJOIN or REPLAY. */
bool turn_known(struct turn_work *work, bool *known, struct error *err);
/* The same of an answer that is at hand. */
enum turn_look turn_judge(struct turn_work *work, const struct message *answer, struct error *err);
/* A run of this node with this turn's name: is it the same question's? Waits until it is under
 * way. */
enum turn_look turn_join(struct turn_work *work, const char *run_id, struct error *err);
bool turn_is_twin(const struct turn_work *work, const struct board_entry *entry); /* by its names */
/* A moment's pause; false when the turn has waited long enough. */
bool turn_may_wait(struct turn_work *work);
bool turn_refuse_elsewhere(const char *thread_id, struct error *err);
bool turn_refuse_again(struct error *err);

/* --- turn_claim.c --- */
/* Gets the thread's claim for the run, makes the thread where that is allowed, stores both messages
 * and reads what was said before; or tells why not. turn.kind is REJOIN or REPLAY when this turn
 * was asked before. *may_hold: the claim is this turn's, or nobody knows. */
bool turn_claim(struct turn_work *work, struct turn_opened *opened, bool *may_hold,
		struct error *err);

/* --- prompt.c --- */
/* Who knows of the thread's questions that the history has not: *seq is the number of the one of
 * this id; 0: there is none. */
struct prompt_look {
	bool (*question)(void *ctx, const char *id, int64_t *seq, struct error *err);
	void *ctx;
};
/* The upstream request: system prompt, history and question as store_turn_open gives them. Asks
 * `look` a few times at most. */
bool prompt_build(const struct config *config, const struct message_list *history,
		  const struct message *question, const struct prompt_look *look,
		  struct slice model, struct arena *arena, struct buffer *out, struct error *err);
/* Is it the default model or one of C1D_MODELS? */
bool prompt_model_allowed(const struct config *config, struct slice model);

#endif
