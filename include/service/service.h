/*
 * service: what the product does: threads, messages, turns. One a worker; any request thread may
 * call it. Every function obeys store/store.h's rule: what comes out lies in the caller's arena.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "config/config.h"
#include "model/caller.h"
#include "model/message.h"
#include "model/thread.h"
#include "store/store.h"
#include "stream/engine.h"

struct service;

struct service *service_open(const struct config *config, struct shm *shm, struct engine *engine,
			     struct error *err);
void service_close(struct service *service);
bool service_start(struct service *service, struct error *err); /* savers, duties */
void service_stop(struct service *service, int64_t deadline_ms);
/* engine_hooks.ended with ctx = the service. */
void service_run_ended(void *service, struct spool *spool);

/* --- threads --- */
struct thread_draft {
	struct slice title;   /* "" : "New chat" */
	const char *metadata; /* NULL or a JSON object's text */
};

bool service_thread_create(struct service *service, const struct caller *caller,
			   const struct thread_draft *draft, struct arena *arena,
			   struct thread *out, struct error *err);
/* Of all that follows: ERROR_NOT_FOUND (deleted too), ERROR_ACCESS_DENIED. */
bool service_thread_get(struct service *service, const struct caller *caller, const char *id,
			struct arena *arena, struct thread *out, struct error *err);
/* The filter's owner and user are set here: the caller's when enforced or named. */
bool service_thread_list(struct service *service, const struct caller *caller,
			 struct thread_filter *filter, struct arena *arena, struct thread_list *out,
			 struct error *err);
bool service_thread_update(struct service *service, const struct caller *caller, const char *id,
			   struct thread_patch *patch, struct arena *arena, struct thread *out,
			   struct error *err);
/* It is gone when this says so; what runs on it ends soon, its messages go in the background. */
bool service_thread_delete(struct service *service, const struct caller *caller, const char *id,
			   struct arena *arena, struct error *err);
/* A title from a first message: its plain text, white space folded, cut at THREAD_TITLE_MAX code
 * points. */
const char *service_title(struct arena *arena, struct slice message);

/* All threads of a visitor become the caller's, with all that is in them; what runs on one goes on.
 * Again: none are left. ERROR_OVERLOADED: there are very many, and some of them are the caller's
 * already. */
bool service_claim(struct service *service, const struct caller *caller, const char *visitor_id,
		   size_t *claimed, struct error *err);

/* --- messages --- */
struct message_page {
	const char *before, *after; /* message ids; NULL: none */
	size_t limit; /* less when their content would be more than 8 MiB; one comes in any case */
};

struct message_draft {
	struct slice id; /* "": one is made */
	enum message_role role;
	struct slice content;
	const char *metadata;
};

/* Told row by row, the newest first but with `after` (store/store.h); *more: the limit cut it. A
 * streaming answer is there with what its spool has so far. */
bool service_message_list(struct service *service, const struct caller *caller,
			  const char *thread_id, const struct message_page *page,
			  struct arena *arena, const struct message_taker *taker, bool *more,
			  struct error *err);
bool service_message_add(struct service *service, const struct caller *caller,
			 const char *thread_id, const struct message_draft *draft,
			 struct arena *arena, struct message *out, struct error *err);
bool service_message_update(struct service *service, const struct caller *caller,
			    const char *thread_id, const char *id, struct message_patch *patch,
			    struct arena *arena, struct message *out, struct error *err);

/* User text in the form that the C1 client loads: its content, escaped when it has to be, between
 * these two; both "" when it is in that form already. */
struct c1_form {
	struct slice open, close;
	bool escaped;
};
struct c1_form service_c1_form(struct slice content);
bool service_c1_escape(struct buffer *out, struct slice piece);    /* cut anywhere */
bool service_plain_text(struct buffer *out, struct slice content); /* what a person reads of it */
/* A card that shows an error in the chat: the stock client shows nothing of a status. */
bool service_error_card(const struct error *problem, struct buffer *out);

/* --- turns --- */
/* Asked once it is known that this is no resend, and before it costs anything. `may` NULL: nobody
 * is asked. */
struct turn_gate {
	bool (*may)(void *ctx, struct error *err);
	void *ctx;
};

struct turn_request {
	struct slice thread_id;   /* checked id, or "": named by the key or the answer's id, else a
				     new thread */
	struct slice message;     /* the user's content as it came */
	struct slice message_id;  /* "": one is made */
	struct slice response_id; /* "": named by the key when there is one, else one is made */
	struct slice key;         /* Idempotency-Key, or "" */
	struct slice model;       /* "": the default. ERROR_VALIDATION unless it is allowed */
	const char *metadata;     /* of the user message; NULL or JSON */
	enum leave_policy leave;
	int64_t grace_ms;
	int64_t arrived_ms;
	struct turn_gate gate;
};

/* What is to be done about it. */
enum turn_kind {
	TURN_NEW,    /* start the run: stream_ticket_start */
	TURN_REJOIN, /* it was asked before and its run is still kept: stream_ticket_follow from the
			first byte */
	TURN_REPLAY, /* it was asked and answered before: `answer` is it */
};

struct turn {
	enum turn_kind kind;
	const char *thread_id, *message_id, *response_id, *run_id;
	struct run_start start; /* new: what stream_ticket_start takes; the caller's until then */
	struct spool
		*followed; /* rejoin: what stream_ticket_follow takes; the caller's until then */
	struct message answer; /* replay */
};

/* All of a turn up to the upstream call: was it asked before, room, spool, claim, both messages,
 * history, prompt. When it returns true with TURN_NEW, the question is saved. When it fails, the
 * model was not asked, and the same request may come again. Errors: ERROR_RUN_ACTIVE (link names
 * the run, or the thread's messages), ERROR_KEY_REUSED, ERROR_OVERLOADED, ERROR_SPOOL, ... */
bool service_turn_begin(struct service *service, const struct caller *caller,
			const struct turn_request *request, struct arena *arena, struct turn *out,
			struct error *err);
/* A turn that cannot be handed over after all: its run ends as `interrupted`. */
void service_turn_drop(struct service *service, struct turn *turn);

/* --- health: never waits --- */
struct health {
	bool store_up, store_full, llm_known, llm_up;
	int64_t store_down_since_ms;               /* wall; 0: up */
	int64_t llm_last_ok_ms, llm_last_error_ms; /* wall; 0: never */
	const char *store_kind;
};
void service_health(struct service *service, struct health *out);

#endif
