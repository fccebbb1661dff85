/*
 * store_ops: what a store implements. The front is the only caller: store.c opens, and keeps the
 * marks of one that is down or full; through store_calls.c go all calls, with places in the store,
 * counts of errors, and the words for clients.
 *
 * An operation gives a code and nothing else; meanings are those of store/store.h. A page for a
 * taker may be listed all the same: the front tells it then (of a reply that may have to be asked
 * for again nothing can be told before it is whole). ERROR_NOT_FOUND and ERROR_ACCESS_DENIED are of
 * what the call names. Outputs are untouched on failure. `self` is the maker's.
 *
 * One table makes the struct, each store's prototypes and its table: a store of the name `x`
 * defines x_thread_insert and so on.
 */
#ifndef STORE_OPS_H
#define STORE_OPS_H

#include "base/id.h"
#include "store/store.h"

#define STORE_OPS(X)                                                                               \
	X(thread_insert, const struct thread *thread)                                              \
	X(thread_get, const char *owner, const char *id, struct arena *arena, struct thread *out)  \
	X(thread_list, const struct thread_page *page, struct arena *arena,                        \
	  struct thread_list *out)                                                                 \
	X(thread_update, const char *owner, const char *id, const struct thread_patch *patch,      \
	  struct arena *arena, struct thread *out)                                                 \
	X(thread_delete, const char *owner, const char *id, struct arena *arena,                   \
	  struct thread_deleted *out)                                                              \
	X(thread_purge, const char *id, size_t limit, bool *more)                                  \
	X(threads_take, const char *from, const char *to, size_t limit, size_t *taken, bool *more) \
	X(messages_add, const char *owner, const char *thread_id, struct message *messages,        \
	  size_t count)                                                                            \
	X(message_get, const char *owner, const char *thread_id, const char *id,                   \
	  struct arena *arena, struct message *out)                                                \
	X(message_by_run, const char *owner, const char *run_id, struct arena *arena,              \
	  struct message *out)                                                                     \
	X(message_list, const struct message_filter *filter, struct arena *arena,                  \
	  struct message_list *out)                                                                \
	X(message_update, const char *owner, const char *thread_id, const char *id,                \
	  const struct message_patch *patch, struct arena *arena, struct message *out)             \
	X(runs_of, const char *owner, const char *thread_id, size_t limit, struct arena *arena,    \
	  struct message_list *out)                                                                \
	X(turn_find, const char *owner, const char *thread_id, const char *answer_id,              \
	  const char *key, struct arena *arena, struct message *out)                               \
	X(turn_open, const struct turn_open *open, struct arena *arena, struct turn_opened *out)   \
	X(finish, const struct finish *finish, bool *applied)                                      \
	X(node_beat, const char *node, int64_t *now_ms)                                            \
	X(claims_of_dead, int64_t silent_ms, size_t limit, struct arena *arena,                    \
	  struct claim_list *out)                                                                  \
	X(sweep, int64_t silent_ms, int64_t deleted_ms, size_t limit, bool *more)                  \
	X(stop_ask, const char *owner, const char *run_id)                                         \
	X(stops_of, const char *node, struct arena *arena, struct claim_list *out)                 \
	X(thread_scan, const char *after, size_t limit, struct arena *arena,                       \
	  struct thread_list *out)                                                                 \
	X(threads_put, const struct thread *threads, size_t count)                                 \
	X(messages_put, const struct message *messages, size_t count)                              \
	X(messages_drop, const char *thread_id, const char *const *ids, size_t count)              \
	X(counts, const char *user_id, struct store_counts *out)                                   \
	X(migrate, struct error *err)                                                              \
	X(version, struct store_version *out)

#define RUNS_KEPT_MS    (20LL * 60 * 1000) /* of ended runs that a deletion names */
#define RUNS_NAMED_MAX  256
#define RUNS_LOOKED_AT  1000 /* the newest messages of a thread, however many it has */
#define CLAIMS_MAX      256
#define MESSAGE_KEY_MAX 257 /* two ids and a slash */

/* A thread_filter, read: `last` NULL is the first page. */
struct thread_page {
	const char *user_id; /* NULL: everybody's */
	int archived;
	const char *q;
	int64_t last_ms;  /* the page goes on behind (updated_ms, id) of this thread */
	const char *last; /* its id */
	size_t limit;
	const struct thread_taker *taker;
};

struct store_ops {
	const char *kind;
	bool searches_text;
	/* How many callers it serves at once, at most. */
	size_t (*room)(void *self);
	/* Whatever is wrong with it as a whole, a schema of another program too (ERROR_CONFIG). */
	enum error_code (*ping)(void *self, struct error *err);
	void (*free)(void *self);
#define X(name, ...) enum error_code (*name)(void *self, __VA_ARGS__);
	STORE_OPS(X)
#undef X
};

struct store_options {
	const char *uri;
	const struct config *config;
	size_t callers;   /* how many there may be at once */
	int64_t limit_ms; /* of each call but counts and migrate */
	bool as_found;    /* the schema is only looked at, until migrate */
};

/* What opens one kind of store: a row of the table in store_table.c. A URI that gets here has one
 * of its schemes; the rest of it is the maker's to read. */
struct store_maker {
	const char *name;           /* "MongoDB" */
	const char *address;        /* how a URI looks, for who wrote none */
	const char *const *schemes; /* ends with NULL */
	void *(*open)(const struct store_options *options, const struct store_ops **ops,
		      struct error *err);
	bool (*check)(const char *uri, const struct config *config, struct error *err);
	bool (*try_write)(const char *uri, const struct config *config, const char **how,
			  struct error *err);
	void (*reach)(const char *uri, const struct config *config, struct reach *reach);
	void (*wake)(void); /* once a process, as often as it is called */
	/* What follows may be NULL: it loses nothing; its own tools do it. */
	const char *(*may_lose)(const char *uri, const struct config *config);
	bool (*backup)(const char *uri, const char *path, const struct store_watch *watch,
		       struct error *err);
	bool (*look)(const char *uri, const char **how, struct error *err);
};

extern const struct store_maker *const store_makers[]; /* ends with NULL */

/* What every store does the same way. */

/* --- store_row.c: a row as it lies there, read into the caller's arena --- */

/* What is damaged, or was put there by somebody else, makes the row bad and is never guessed. */
struct store_row {
	struct arena *arena; /* NULL: no copies, the row's strings stay where they are */
	bool is_bad;
};
/* A copy; what is given has a NUL behind it. text.ptr NULL is a value that is not there: NULL, and
 * bad when it is needed. A C string is bad with a NUL in it; all are bad that are no UTF-8. */
const char *store_row_text(struct store_row *row, struct slice text, bool is_needed);
struct slice store_row_content(struct store_row *row, struct slice text);
enum message_role store_row_role(struct store_row *row, struct slice text);
enum message_status store_row_status(struct store_row *row, struct slice text);
/* ERROR_CORRUPT, ERROR_OVERLOADED (the arena is full), or none. The ids are for the log, NULL: not
 * known, or of a thread. */
enum error_code store_row_read(const struct store_row *row, const char *thread_id,
			       const char *message_id);
/* ERROR_CORRUPT, said in the log: somebody has to find it. */
enum error_code store_row_damaged(const char *thread_id, const char *message_id);

/* What a step of a sweep has done with a marked thread: its messages, or the thread when it had
 * none, so that a step ends however many there are. */
static inline size_t store_swept(size_t removed)
{
	return removed > 0 ? removed : 1;
}

/* --- store_list.c: lists that are filled row by row --- */

/* Room for one more item behind count of them: the same items or a larger copy, NULL when the arena
 * is full. */
void *store_grow(struct arena *arena, void *items, size_t count, size_t size);

struct message_fill {
	struct arena *arena;
	size_t limit, bytes_max; /* bytes_max: of all content; the first one comes in any case */
	const struct message_taker *taker; /* NULL: they are listed */
	struct message_list list;
	size_t bytes;
	struct message passing; /* what the taker takes next */
};
/* Room for the next one, whose content has so many bytes. NULL: it does not fit any more and
 * list.more is set, or the arena is full. */
struct message *store_next_message(struct message_fill *fill, size_t bytes);
/* Where its strings are copied to; NULL: they are not. */
static inline struct arena *store_message_arena(const struct message_fill *fill)
{
	return fill->taker ? NULL : fill->arena;
}
/* It was read: a taker takes it. ERROR_OVERLOADED. */
enum error_code store_took_message(struct message_fill *fill);
/* Tells the taker, if there is one, what was listed. ERROR_OVERLOADED. */
enum error_code store_tell_messages(const struct message_filter *filter, struct message_list *list);
/* The list in the opposite order, in place. */
void store_reverse(struct message_list *list);

struct thread_fill {
	struct arena *arena;
	size_t limit;
	const struct thread_taker *taker; /* NULL: they are listed */
	struct thread_list list;
	bool more;
	struct thread passing;
	int64_t last_ms; /* of the last one that was told */
	char last_id[ID_MAX + 1];
};
struct thread *store_next_thread(struct thread_fill *fill);
static inline struct arena *store_thread_arena(const struct thread_fill *fill)
{
	return fill->taker ? NULL : fill->arena;
}
enum error_code store_took_thread(struct thread_fill *fill);
enum error_code store_tell_threads(const struct thread_taker *taker, struct thread_list *list);
/* With the cursor of the page behind it, or of a scan the id. ERROR_OVERLOADED: the arena. */
enum error_code store_threads_listed(struct thread_fill *fill, struct thread_list *out);
enum error_code store_threads_scanned(struct thread_fill *fill, struct thread_list *out);
/* A cursor is made of the last thread shown, and read again. */
const char *store_cursor(const struct thread *last, struct arena *arena);
bool store_cursor_read(const char *cursor, struct thread_page *page);

/* Does the page begin at its oldest end? */
static inline bool store_goes_on(const struct message_filter *filter)
{
	return filter->after || (filter->from_start && !filter->before);
}

/* ERROR_NONE unless the arena is full. */
enum error_code store_fits(const struct arena *arena);

/* --- store_turn.c: what is decided about a turn, and its rows --- */

/* May owner (NULL: anybody) touch what is user_id's? ERROR_ACCESS_DENIED. */
enum error_code store_may(const char *owner, const char *user_id);

/* What opening does on a thread that is free, by what exists of the pair: the question with its id;
 * the answer with its key, else its id, else to that question. Without an id there is none. */
enum turn_step {
	TURN_STEP_ASKED,  /* nothing: it was asked before */
	TURN_STEP_AGAIN,  /* the answer is written anew; its question is its parent */
	TURN_STEP_ANSWER, /* the answer is put behind what is there; its question is there */
	TURN_STEP_PAIR,   /* both are put */
};
enum turn_step store_turn_step(const struct turn_open *open, const struct message *question,
			       const struct message *answer);
/* The answer can be written anew: it is final and the model was never asked what is asked now. */
bool store_can_take_over(const struct message *answer, const struct turn_open *open);
/* A question that a first try has left behind is the one that is asked now. */
bool store_same_question(const struct message *stored, const struct message *wanted);
/* The rows of a new turn. parent_id: NULL or the message before it; question_id: as stored. */
struct message store_new_question(const struct turn_open *open, int64_t seq, const char *parent_id);
struct message store_new_answer(const struct turn_open *open, int64_t seq, const char *question_id);
/* The row of an answer that is written anew. */
struct message store_answer_again(const struct message *answer, const struct turn_open *open,
				  int64_t now_ms);

#endif
