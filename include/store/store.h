/*
 * store: where threads and messages are kept. The rest of the program sees only this header; one
 * contract suite (tests/contract) runs against every store behind it.
 *
 * Ownership: what goes in stays the caller's; what comes out lies in the caller's arena. Any call
 * may block (at most some seconds: every wait has a deadline); any thread may make it. Opened in a
 * worker, after the fork.
 *
 * Errors: ERROR_NOT_FOUND, ERROR_CONFLICT (an id exists already), ERROR_PRECONDITION (rev differs),
 * ERROR_NOT_SAVED (the message is still streaming); ERROR_STORE_DOWN (cannot be reached: it is
 * marked down for the pool at once), ERROR_STORE_TIMEOUT (no answer in time: outcome unknown),
 * ERROR_STORE (it refused), ERROR_CORRUPT. Each step is atomic on one document and may be repeated:
 * a second application is a no-op or says ERROR_CONFLICT.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/shm.h"
#include "config/config.h"
#include "model/message.h"
#include "model/thread.h"

struct store;

struct thread_filter {
	const char *user_id;      /* NULL: everybody's */
	int archived;             /* -1 any, 0 no, 1 yes */
	const char *q;            /* NULL or part of a title, any case */
	int64_t after_updated_ms; /* the page starts behind (updated_ms, id) ... */
	const char *after_id;     /* ... unless NULL */
	size_t limit;
};

struct thread_patch {
	const char *title;    /* NULL: unchanged */
	int archived;         /* -1: unchanged */
	const char *metadata; /* NULL: unchanged; replaces the whole object */
	int64_t if_rev; /* -1: unconditional; else ERROR_PRECONDITION unless it is the thread's */
	int64_t now_ms;
};

struct message_filter {
	const char *thread_id;
	int64_t before_seq; /* 0: from the end */
	int64_t after_seq;  /* 0: from the start; when set the oldest `limit` behind it, else the
			       newest `limit` */
	size_t limit;
};

struct message_patch {
	bool has_content;
	struct slice content;
	const char *metadata; /* NULL: unchanged */
	const char *feedback; /* NULL: unchanged */
	int64_t now_ms;
};

/* The claim of a turn: sets `run` where there is none, bumps updated_ms, hands out two sequence
 * numbers. */
struct claim {
	const char *thread_id, *user_id; /* user_id NULL: ownership is not enforced */
	struct run_ref run;
	int64_t now_ms;
};

struct claim_result {
	bool won;
	int64_t first_seq;    /* won: of the user message; the answer's is one more */
	bool found;           /* not won: is there such a thread (deleted counts as found, see
				 thread.deleted)? */
	struct thread thread; /* when found: as it stood */
};

/* The end of a run: only where the message still carries run_id; never an insert. */
struct finish {
	const char *thread_id, *message_id, *run_id;
	enum message_status status;
	struct slice content;
	const char *finish_reason, *usage; /* may be NULL */
	bool if_streaming; /* only when nobody has ended it: for those who do not have its text */
	int64_t now_ms;
};

/* Chosen by the URI's scheme: mongodb, mongodb+srv, sqlite. ERROR_CONFIG for one that is not built
 * in or is malformed (detail: the reason, the password masked). A server that is down is no error:
 * it is marked. shm may be NULL. */
struct store *store_open(const struct config *config, struct shm *shm, struct error *err);
void store_free(struct store *store);
const char *store_kind(const struct store *store); /* "mongodb", "sqlite" */

/* The libraries behind it, for `c1d version`; ends with a NULL name. */
struct store_library {
	const char *name, *built;
	const char *(*running)(void);
};
extern const struct store_library store_libraries[];

/* Can the URI be used at all? No connection is made. For `c1d check -t`. */
bool store_check_uri(const char *uri, struct error *err);
/* Could a worker that runs as this user keep threads there? Writes and takes it back; makes no
 * file, folder or table. *how: what was proved, in words (static). For `c1d check`. */
bool store_try_write(const char *uri, const char **how, struct error *err);

bool store_is_down(const struct store *store);
/* Asks the server itself, mark or no mark, and sets or lifts the mark by the answer. */
bool store_ping(struct store *store, struct error *err);
/* For savers, often: when marked down and nobody of the pool has probed for 500 ms, probes. True
 * while up. */
bool store_probe(struct store *store);

bool store_thread_insert(struct store *store, const struct thread *thread, struct error *err);
/* A deleted thread is found, with `deleted` set: callers answer 404. */
bool store_thread_get(struct store *store, const char *id, struct arena *arena, struct thread *out,
		      struct error *err);
bool store_thread_list(struct store *store, const struct thread_filter *filter, struct arena *arena,
		       struct thread_list *out, struct error *err);
bool store_thread_update(struct store *store, const char *id, const struct thread_patch *patch,
			 struct arena *arena, struct thread *out, struct error *err);
/* Marks it deleted (title and metadata wiped), then removes its messages. Deleted already:
 * ERROR_NOT_FOUND. */
bool store_thread_delete(struct store *store, const char *id, int64_t now_ms, struct error *err);

bool store_claim(struct store *store, const struct claim *claim, struct arena *arena,
		 struct claim_result *out, struct error *err);
/* Gives a claim back: clears `run` where it is run_id. Not there: fine. */
bool store_claim_release(struct store *store, const char *thread_id, const char *run_id,
			 struct error *err);

/* Next sequence number of a thread, for a message outside a turn. ERROR_NOT_FOUND also when
 * deleted. */
bool store_next_seq(struct store *store, const char *thread_id, int64_t now_ms, int64_t *out,
		    struct error *err);
/* In order; stops at the first that exists (ERROR_CONFLICT). */
bool store_message_insert(struct store *store, const struct message *messages, size_t count,
			  struct error *err);
bool store_message_get(struct store *store, const char *thread_id, const char *id,
		       struct arena *arena, struct message *out, struct error *err);
/* The answer that this run wrote, while it was not edited since. */
bool store_message_by_run(struct store *store, const char *run_id, struct arena *arena,
			  struct message *out, struct error *err);
/* The answer of a thread that came of this Idempotency-Key (message.key). */
bool store_message_by_key(struct store *store, const char *thread_id, const char *key,
			  struct arena *arena, struct message *out, struct error *err);
/* Always oldest first. */
bool store_message_list(struct store *store, const struct message_filter *filter,
			struct arena *arena, struct message_list *out, struct error *err);
/* An edit of the content takes the message from its run (run_id becomes NULL), so a late save
 * cannot undo it. */
bool store_message_update(struct store *store, const char *thread_id, const char *id,
			  const struct message_patch *patch, struct arena *arena,
			  struct message *out, struct error *err);
/* Saves the answer, then clears the thread's claim. *applied (may be NULL): false when the message
 * was edited, deleted or taken meanwhile: nothing was written, and that is right. */
bool store_finish(struct store *store, const struct finish *finish, bool *applied,
		  struct error *err);

/* --- nodes (service/nodes.c): each renews its entry; a claim of one that does not is nobody's ---
 */
struct held_claim {
	const char *thread_id;
	struct run_ref run;
};

struct claim_list {
	struct held_claim *items;
	size_t count;
};

bool store_node_beat(struct store *store, const char *node, int64_t now_ms, struct error *err);
/* Claims of nodes whose entry is older than seen_before_ms; at most `limit`. */
bool store_claims_of_dead(struct store *store, int64_t seen_before_ms, size_t limit,
			  struct arena *arena, struct claim_list *out, struct error *err);
/* Forgets entries that old which hold no claim, and deleted threads whose mark is older than
 * deleted_before_ms, with messages that came late. */
bool store_sweep(struct store *store, int64_t seen_before_ms, int64_t deleted_before_ms,
		 struct error *err);

#endif
