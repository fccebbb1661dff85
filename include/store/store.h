/*
 * store: where threads and messages are kept. The rest of the program sees only this header; one
 * contract suite (tests/contract) runs against every store behind it.
 *
 * Ownership of memory: what goes in stays the caller's; what comes out lies in the caller's arena.
 * Any call may block (some seconds at most: every wait has a deadline); any thread may make it.
 * Opened in a worker, after the fork.
 *
 * Ownership of threads: `owner` is who asks, NULL when that is not enforced. What is another's is
 * ERROR_ACCESS_DENIED, what is unknown or deleted ERROR_NOT_FOUND, and nothing more is told.
 *
 * Errors besides: ERROR_CONFLICT (an id exists already), ERROR_PRECONDITION (rev differs),
 * ERROR_NOT_SAVED (the message is still streaming), ERROR_VALIDATION (a cursor or a message id of a
 * page that is not there; `field` names it); ERROR_STORE_DOWN (cannot be reached: it is marked down
 * for the pool at once), ERROR_STORE_TIMEOUT (no answer in time: outcome unknown), ERROR_STORE_FULL
 * (no room to write; reading goes on), ERROR_STORE (it refused), ERROR_CORRUPT, ERROR_TOO_LARGE
 * (for this store), ERROR_OVERLOADED (too many are in it already, or the arena is full). Each call
 * may be repeated: a second application is a no-op or says ERROR_CONFLICT.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reach.h"
#include "base/shm.h"
#include "config/config.h"
#include "model/message.h"
#include "model/thread.h"

struct store;

/* The store of the settings; chosen by the URI's scheme. ERROR_CONFIG for one that is not built in
 * or is malformed (detail: the reason, the password masked). A server that is down is no error: it
 * is marked. shm may be NULL. */
struct store *store_open(const struct config *config, struct shm *shm, struct error *err);
/* Another one than that of the settings, which tell of the rest (keys, certificates). */
struct store *store_open_uri(const char *uri, const struct config *config, struct shm *shm,
			     struct error *err);
/* The same, unasked and unchanged: its schema may be of another version or another program's, so
 * store_version and store_migrate are all that may be called. */
struct store *store_open_as_found(const char *uri, const struct config *config, struct error *err);
void store_free(struct store *store);
const char *store_kind(const struct store *store); /* "mongodb", "sqlite" */
/* Does thread_filter.q find what is said in a thread, too, and not only its title? */
bool store_searches_text(const struct store *store);

/* The same store by a door of its own: those who save never wait behind those who ask. Lives as
 * long as store; not to be freed. */
struct store *store_for_savers(struct store *store);

/* The libraries behind it, for `c1d version`; ends with a NULL name. */
struct store_library {
	const char *name, *built;
	const char *(*running)(void);
};
extern const struct store_library store_libraries[];

/* Can the URI be used at all? No connection is made. For `c1d check -t`. */
bool store_check_uri(const char *uri, const struct config *config, struct error *err);
/* What people call it ("MongoDB"), of a URI that is one; static. */
const char *store_name(const char *uri);
/* Could a worker that runs as this user keep threads there? Writes and takes it back; makes no
 * file, folder or table. *how: what was proved, in words (static). For `c1d check`. */
bool store_try_write(const char *uri, const struct config *config, const char **how,
		     struct error *err);

/* What the store may lose of what it was told, as it is set up there: words for who can change that
 * (static); NULL: nothing, or it does not tell. For `c1d check`; the log says it at each start. */
const char *store_may_lose(const char *uri, const struct config *config);

/* Would Redis keep threads in front of it (C1D_CACHE_SECONDS)? ERROR_OVERLOADED: no, and why, for
 * an administrator. *wanted: the settings ask for it. */
bool store_try_cache(const struct config *config, bool *wanted, struct error *err);

/* What it takes to have this store: its file's folder; ports, name server, certificates. */
void store_reach(const char *uri, const struct config *config, struct reach *reach);
/* Its driver loads what it needs of the system. Once, in the process that opens the store. */
void store_wake(const char *uri);

/* Never wait. Full: it is up, but the last write found no room. */
bool store_is_down(const struct store *store);
bool store_is_full(const struct store *store);
/* Asks the server itself, mark or no mark, and sets or lifts the mark by the answer. */
bool store_ping(struct store *store, struct error *err);
/* Often: when marked down or full and nobody of the pool has probed for 500 ms, probes. True while
 * up. */
bool store_probe(struct store *store);

/* --- threads --- */

/* Who takes a page's rows one by one instead of a list: while their bytes lie in the store's reply,
 * so that none is copied. Nothing of a row lasts longer than the call. false: it has no room, and
 * the page ends with ERROR_OVERLOADED. A page that fails may have told some rows. */
struct thread_taker {
	bool (*take)(void *self, const struct thread *thread);
	void *self;
};
struct message_taker {
	bool (*take)(void *self, const struct message *message);
	void *self;
};

/* One page of threads, newest change first. */
struct thread_filter {
	const char *owner;
	const char *user_id; /* NULL: everybody's; an owner sees only his own whatever it says */
	int archived;        /* -1 any, 0 no, 1 yes */
	const char *q;       /* NULL or part of a title (or of what was said), any case */
	const char *cursor;  /* NULL or a former page's `next`: it goes on behind that */
	size_t limit;
	const struct thread_taker *taker; /* NULL, or the list has no items */
};

struct thread_patch {
	const char *title;    /* NULL: unchanged */
	int archived;         /* -1: unchanged */
	const char *metadata; /* NULL: unchanged; replaces the whole object */
	int64_t if_rev; /* -1: unconditional; else ERROR_PRECONDITION unless it is the thread's */
	int64_t now_ms;
};

/* What a deletion leaves to be stopped and removed elsewhere. */
struct thread_deleted {
	struct run_ref run;   /* that held the claim, and is asked to stop */
	const char **run_ids; /* that ended in the last 20 minutes, newest first */
	size_t run_count;
};

bool store_thread_insert(struct store *store, const struct thread *thread, struct error *err);
bool store_thread_get(struct store *store, const char *owner, const char *id, struct arena *arena,
		      struct thread *out, struct error *err);
bool store_thread_list(struct store *store, const struct thread_filter *filter, struct arena *arena,
		       struct thread_list *out, struct error *err);
bool store_thread_update(struct store *store, const char *owner, const char *id,
			 const struct thread_patch *patch, struct arena *arena, struct thread *out,
			 struct error *err);
/* Marks it, in one step: gone for everybody, title and metadata wiped; then wishes that the run
 * with the claim be stopped, on whatever node it is (store_stops_of). The mark stays for a while,
 * so that a late request does not make its id anew. */
bool store_thread_delete(struct store *store, const char *owner, const char *id,
			 struct arena *arena, struct thread_deleted *out, struct error *err);
/* Removes up to `limit` messages of a marked thread; *more: some are left. The sweep goes on. */
bool store_thread_purge(struct store *store, const char *id, size_t limit, bool *more,
			struct error *err);

/* A step of giving what is one user's to another: up to `limit` threads, with all that is in them;
 * their order stays, their rev goes up. *taken: how many; *more: some may be left. What runs on
 * one goes on, and is saved. */
bool store_threads_take(struct store *store, const char *from, const char *to, size_t limit,
			size_t *taken, bool *more, struct error *err);

/* --- messages --- */

struct message_filter {
	const char *owner, *thread_id;
	const char *before, *after; /* NULL or the id of a message: the newest before it, the oldest
				       behind it; neither: the newest, or ... */
	bool from_start;            /* ... the oldest */
	size_t limit;
	size_t bytes_max; /* of content; one message comes in any case; 0: any */
	/* NULL, or the list has no items. It is told the oldest first with `after` or from_start,
	 * else the newest. */
	const struct message_taker *taker;
};

struct message_patch {
	bool has_content;
	struct slice content;
	const char *metadata; /* NULL: unchanged */
	int64_t now_ms;
};

/* Adds them in order behind what is there, and bumps the thread. seq is set in them: given by the
 * insert itself, so that no reader ever sees a number whose predecessor is still to come. parent_id
 * where it is NULL: the message before. All or, behind a death or a timeout, the first few.
 * ERROR_CONFLICT field id: one of the ids exists (those before it are added). */
bool store_messages_add(struct store *store, const char *owner, const char *thread_id,
			struct message *messages, size_t count, struct error *err);
bool store_message_get(struct store *store, const char *owner, const char *thread_id,
		       const char *id, struct arena *arena, struct message *out, struct error *err);
/* The answer that this run wrote, while it was not edited since. */
bool store_message_by_run(struct store *store, const char *owner, const char *run_id,
			  struct arena *arena, struct message *out, struct error *err);
/* A list is always oldest first; `more` when the limit or the bytes cut it. */
bool store_message_list(struct store *store, const struct message_filter *filter,
			struct arena *arena, struct message_list *out, struct error *err);
/* Answers that runs wrote, newest first, without their content: content.len is its length, ptr is
 * NULL. */
bool store_runs_of(struct store *store, const char *owner, const char *thread_id, size_t limit,
		   struct arena *arena, struct message_list *out, struct error *err);
/* An edit of the content takes the message from its run (run_id becomes NULL), so a late save
 * cannot undo it. */
bool store_message_update(struct store *store, const char *owner, const char *thread_id,
			  const char *id, const struct message_patch *patch, struct arena *arena,
			  struct message *out, struct error *err);

/* --- turns --- */

/* Was it asked before? By key (over all threads: the user is in it, but a thread that it was used
 * on may have become another's: ERROR_ACCESS_DENIED) or, without one, by the answer's id in the
 * thread. ERROR_NOT_FOUND: never. */
bool store_turn_find(struct store *store, const char *owner, const char *thread_id,
		     const char *answer_id, const char *key_or_null, struct arena *arena,
		     struct message *answer, struct error *err);

struct turn_open {
	const char *owner, *thread_id;
	const struct thread *make; /* made, with the claim in it, when there is none; NULL: then
				      ERROR_NOT_FOUND */
	struct run_ref run;        /* id, message_id (the answer's), node */
	struct message question, answer;   /* seq and parents are the store's; the answer has no
					      content, model or usage yet */
	size_t history_bytes, history_max; /* budget of content, and of messages */
};

enum turn_opened_kind {
	TURN_OPENED, /* the claim is this run's, the pair is stored, the answer `streaming` */
	TURN_HELD,   /* another run has the claim: `holder` */
	TURN_ASKED,  /* an id or the key exists; the claim is not held */
};

struct turn_opened {
	enum turn_opened_kind kind;
	struct message_list history; /* opened: oldest first; of each id, seq, role, status,
					content and metadata alone */
	struct run_ref holder;       /* held */
	/* As stored; opened: both. Asked: those that exist, else with a NULL id; `answer` is the
	 * one with the key, the id, or the question's own. */
	struct message question, answer;
};

/*
 * Claim, history and pair in one go: SQLite one transaction; MongoDB three round trips, two where
 * nothing was said before.
 *
 * Taken over (TURN_OPENED): a question of the same id and content that has no answer yet (a first
 * try died between the two inserts); and an answer of the same id that is final, `unasked` and of
 * the same question hash: its row is this run's and `streaming` again, its question stays.
 *
 * History: what stands before the question, newest first up to history_bytes and no further.
 * Streaming messages are left out, and so is one that alone is larger than the budget:
 * its content is never read.
 *
 * After an error the claim may be held (a timeout): store_finish clears what there is.
 */
bool store_turn_open(struct store *store, const struct turn_open *open, struct arena *arena,
		     struct turn_opened *out, struct error *err);

/* The end of a run: only where the message still carries run_id; never an insert. */
struct finish {
	const char *thread_id, *message_id, *run_id;
	enum message_status status;
	struct slice content;
	const char *finish_reason, *model; /* may be NULL */
	struct usage usage;
	bool unasked;      /* the model was never asked: the question may be asked again */
	bool if_streaming; /* only when nobody has ended it: for those who do not have its text */
};

/* Saves the answer, then clears the thread's claim. May be repeated for ever. *applied (may be
 * NULL): false when the message was edited, deleted or taken meanwhile: nothing was written, and
 * that is right. */
bool store_finish(struct store *store, const struct finish *finish, bool *applied,
		  struct error *err);

/* --- nodes: each renews its entry; a claim of one that does not is nobody's. The store's clock
 * alone decides how old an entry is. --- */

struct held_claim {
	const char *thread_id;
	struct run_ref run;
};

struct claim_list {
	struct held_claim *items;
	size_t count;
};

/* *now_ms (may be NULL): the store's clock. */
bool store_node_beat(struct store *store, const char *node, int64_t *now_ms, struct error *err);
/* Claims of nodes that have been silent for so long; at most `limit`. */
bool store_claims_of_dead(struct store *store, int64_t silent_ms, size_t limit, struct arena *arena,
			  struct claim_list *out, struct error *err);
/* A bounded step: removes messages of marked threads, marks older than deleted_ms, and entries of
 * nodes silent for silent_ms that hold no claim; at most `limit` of each. *more: call again. */
bool store_sweep(struct store *store, int64_t silent_ms, int64_t deleted_ms, size_t limit,
		 bool *more, struct error *err);

/* A wish, on the thread's claim, that a run of any node be stopped; its node looks for it.
 * ERROR_NOT_FOUND: no claim of that run. */
bool store_stop_ask(struct store *store, const char *owner, const char *run_id, struct error *err);
bool store_stops_of(struct store *store, const char *node, struct arena *arena,
		    struct claim_list *out, struct error *err);

/* --- whole stores, for administrators: export, import, copy. No owner. --- */

/* Threads that are not deleted, ascending by id (bytewise), behind `after` (NULL: from the first).
 * out->next: the next page's `after`; NULL: this is the last. A page lasts as the threads do: one
 * that is made meanwhile is met when its id is still to come. Claims are told. */
bool store_thread_scan(struct store *store, const char *after, size_t limit, struct arena *arena,
		       struct thread_list *out, struct error *err);
/* Threads as another store had them: rev and times as they are, claims left out. What is there
 * under an id becomes this; its claim stays, its mark of deletion goes, with the messages that were
 * to be removed. Some dozens at a time; all or, where a store cannot, the first few. */
bool store_threads_put(struct store *store, const struct thread *threads, size_t count,
		       struct error *err);
/* Messages as another store had them, seq, run_id, key and all, of any threads. What is there under
 * (thread, id) becomes this; another one of its number in the thread goes, and another one of its
 * key loses that. A few MB at a time; all or, where a store cannot, the first few. ERROR_NOT_FOUND:
 * a thread is not there. */
bool store_messages_put(struct store *store, const struct message *messages, size_t count,
			struct error *err);
/* Removes these messages of a thread: a copy's source has them no more. Those that are not there
 * are passed over. */
bool store_messages_drop(struct store *store, const char *thread_id, const char *const *ids,
			 size_t count, struct error *err);

/* Of a user's (NULL: everybody's) threads that are not deleted. May take long. */
struct store_counts {
	int64_t threads, messages;
};
bool store_counts(struct store *store, const char *user_id, struct store_counts *out,
		  struct error *err);

/* Brings the schema to this program's version, or adopts a database that another program made; done
 * again it does nothing. May take long. ERROR_CONFIG with words: a newer program's. */
bool store_migrate(struct store *store, struct error *err);

struct store_version {
	int64_t there, here; /* there 0: no schema yet */
	const char *note;    /* NULL or words of what migrate would do; static */
};
bool store_version(struct store *store, struct store_version *out, struct error *err);

/* --- what only some stores have; the others' own tools do it --- */

/* How far a long task is, in bytes. false ends it: it fails, and leaves nothing behind. */
struct store_watch {
	bool (*tell)(void *self, int64_t done, int64_t total); /* NULL: nobody asks */
	void *self;
};
/* A copy of the whole store as of one moment into a new file, while it is served; there whole or
 * not at all. ERROR_CONFIG: this store has none; ERROR_CONFLICT: the file is there; with words. */
bool store_backup(const char *uri, const struct config *config, const char *path,
		  const struct store_watch *watch, struct error *err);
/* Is what is stored sound, as far as that can be seen in some seconds? *how: what was looked at, in
 * words (static); NULL: this store has no way to look. For `c1d check`. */
bool store_look(const char *uri, const struct config *config, const char **how, struct error *err);

#endif
