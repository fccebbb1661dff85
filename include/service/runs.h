/*
 * runs: answers in flight and those that ended lately, whichever worker owns them: read, followed,
 * stopped. What runs on this node is told without the store.
 */
#ifndef SERVICE_RUNS_H
#define SERVICE_RUNS_H

#include "service/service.h"

struct run_info {
	const char *id, *thread_id, *message_id;
	enum message_status status;
	int64_t bytes;                /* of the answer as it was streamed */
	int64_t created_ms, ended_ms; /* wall; ended 0 while it runs */
	const char *finish_reason;    /* NULL: none */
	struct usage usage;
	bool saved;
};

struct run_list {
	struct run_info *items;
	size_t count;
};

/* Also one of another node, and one whose stream is no longer kept, as the store knows it.
 * ERROR_NOT_FOUND, ERROR_ACCESS_DENIED. */
bool service_run_get(struct service *service, const struct caller *caller, const char *id,
		     struct arena *arena, struct run_info *out, struct error *err);
/* The same, with its file: for stream_ticket_follow. The reference is the caller's. ERROR_GONE: no
 * longer kept; ERROR_RUN_ELSEWHERE: another node writes it; the link names its thread's messages.
 */
struct spool *service_run_open(struct service *service, const struct caller *caller, const char *id,
			       struct arena *arena, struct run_info *out, struct error *err);
/* Of a thread, newest first; active: only those that run on this node. Of those the store is asked
 * only whose the thread is, and only where ownership is enforced: else an unknown thread has none.
 */
bool service_run_list(struct service *service, const struct caller *caller, const char *thread_id,
		      bool active, struct arena *arena, struct run_list *out, struct error *err);
/* Ends it as `stopped` and returns when the upstream connection is closed and the partial answer is
 * saved. Ended already: as it is. ERROR_STORE_DOWN when it has stopped but the store cannot take
 * the text yet; ERROR_RUN_ELSEWHERE when another node has not obeyed yet. */
bool service_run_stop(struct service *service, const struct caller *caller, const char *id,
		      struct arena *arena, struct run_info *out, struct error *err);

#endif
