/*
 * service_runs: answers in flight and those that ended lately, as clients see them: read, listed,
 * followed, stopped. What runs on this node is told by the board and its spool file, so it does not
 * matter which worker owns it and whether the store is there; the rest the store knows.
 */
#include "service/runs.h"

#include "service_room.h"
#include <stdio.h>
#include <stdlib.h>

#define LISTED_MAX   50
#define ELSEWHERE_MS 200 /* how often the store is asked whether another node has obeyed */

/* --- what a run is --- */

static bool info_of(const struct spool_record *record, struct arena *arena, struct run_info *out,
		    struct error *err)
{
	struct run_info info = {
		.id = arena_text(arena, record->run_id),
		.thread_id = arena_text(arena, record->thread_id),
		.message_id = arena_text(arena, record->message_id),
		.status = record->status,
		.bytes = record->length,
		.created_ms = record->created_ms,
		.ended_ms = record->ended_ms,
		.finish_reason =
			record->finish_reason[0] ? arena_text(arena, record->finish_reason) : NULL,
		.usage = record->usage,
		.saved = record->saved,
	};

	if (arena->failed)
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	*out = info;
	return true;
}

static struct run_info info_of_message(const struct message *message)
{
	bool is_over = message->status != STATUS_STREAMING;

	return (struct run_info){
		.id = message->run_id,
		.thread_id = message->thread_id,
		.message_id = message->id,
		.status = message->status,
		.bytes = (int64_t)message->content.len,
		.created_ms = message->created_ms,
		.ended_ms = is_over ? message->updated_ms : 0,
		.finish_reason = message->finish_reason,
		.usage = message->usage,
		.saved = is_over,
	};
}

static bool asked_it(const struct caller *caller, const struct spool_record *record)
{
	return !caller->enforced || strcmp(caller->user_id, record->user_id) == 0;
}

/* --- one --- */

/* Its file, where this node has it. ERROR_NOT_FOUND: it has not, or not more than its name (a power
 * loss): then the store tells. */
static struct spool *open_file(struct service *service, const struct caller *caller, const char *id,
			       struct arena *arena, struct error *err)
{
	struct spool *spool = spool_open(service->spools, id, err);

	if (!spool && err->code == ERROR_CORRUPT)
		error_set(err, ERROR_NOT_FOUND, "There is no such run.");
	if (!spool || runs_check_owner(service, caller, spool_record(spool), arena, err))
		return spool;
	spool_unref(spool);
	return NULL;
}

/* The answer that it wrote, as the store has it. */
static bool find_answer(struct service *service, const struct caller *caller, const char *id,
			struct arena *arena, struct message *out, struct error *err)
{
	return store_message_by_run(service->store, owner_of(caller), id, arena, out, err);
}

/* No file: another node has it, or it was kept for its fifteen minutes, or there never was such a
 * run. */
static void tell_missing(struct service *service, const struct caller *caller, const char *id,
			 struct arena *arena, struct error *err)
{
	struct message message;

	if (!find_answer(service, caller, id, arena, &message, err))
		return;
	if (message.status == STATUS_STREAMING && !runs_is_ours(service, id)) {
		error_set(err, ERROR_RUN_ELSEWHERE,
			  "Another node writes this answer, and only there it can be followed; it "
			  "is a message of its thread when it is done.");
		err->retry_after_s = 1;
	} else {
		error_set(err, ERROR_GONE,
			  "The stream is no longer kept; the answer is a message of its thread.");
	}
	snprintf(err->link, sizeof err->link, "/api/threads/%s/messages", message.thread_id);
}

struct spool *service_run_open(struct service *service, const struct caller *caller, const char *id,
			       struct arena *arena, struct run_info *out, struct error *err)
{
	struct error mine = { 0 };
	struct spool *spool = open_file(service, caller, id, arena, &mine);

	if (!spool && mine.code == ERROR_NOT_FOUND)
		tell_missing(service, caller, id, arena, &mine);
	if (spool && info_of(spool_record(spool), arena, out, &mine))
		return spool;
	spool_unref(spool);
	*err = mine;
	return NULL;
}

bool service_run_get(struct service *service, const struct caller *caller, const char *id,
		     struct arena *arena, struct run_info *out, struct error *err)
{
	struct spool *spool = open_file(service, caller, id, arena, err);
	struct message message;
	bool ok;

	if (!spool) {
		ok = err->code == ERROR_NOT_FOUND &&
		     find_answer(service, caller, id, arena, &message, err);
		if (ok)
			*out = info_of_message(&message);
		return ok;
	}
	ok = info_of(spool_record(spool), arena, out, err);
	spool_unref(spool);
	return ok;
}

/* --- of a thread --- */

/* Those on the board, in any order. is_sure: the thread is the caller's; then what runs on it is
 * his, too, and what is only starting may still be refused. */
static size_t list_live(struct service *service, const struct caller *caller, const char *thread_id,
			bool is_sure, bool active, struct arena *arena, struct run_info *out)
{
	struct board_entry *live = arena_alloc(arena, LIVE_MAX * sizeof *live);
	size_t found, count = 0;

	if (!live)
		return 0;
	found = board_of_thread(service->board, thread_id, live, LIVE_MAX);
	for (size_t i = 0; i < found && i < LIVE_MAX; i++) {
		struct spool *spool = spool_open(service->spools, live[i].run_id, NULL);
		const struct spool_record *record = spool ? spool_record(spool) : NULL;
		bool is_his = is_sure && live[i].state != BOARD_STARTING;

		if (record && (is_his || asked_it(caller, record)) &&
		    (!active || record->status == STATUS_STREAMING) &&
		    info_of(record, arena, &out[count], NULL))
			count++;
		spool_unref(spool);
	}
	return count;
}

static bool is_listed(const struct run_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].id, id) == 0)
			return true;
	return false;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(((const struct run_info *)b)->id, ((const struct run_info *)a)->id);
}

/* Whose is the thread? Only where that is enforced is the store asked; what the caller has just
 * begun may run before it knows the thread, and also while it is away. *is_sure: it says that the
 * thread is the caller's. */
static bool may_list(struct service *service, const struct caller *caller, const char *thread_id,
		     struct arena *arena, bool *is_sure, struct error *err)
{
	struct thread thread;

	*is_sure = !caller->enforced || store_thread_get(service->store, caller->user_id, thread_id,
							 arena, &thread, err);
	return *is_sure || err->code != ERROR_ACCESS_DENIED;
}

static bool list_active(struct service *service, const struct caller *caller, const char *thread_id,
			struct arena *arena, struct run_list *list, struct error *err)
{
	struct error mine = { 0 };
	bool is_sure;

	if (may_list(service, caller, thread_id, arena, &is_sure, &mine)) {
		list->count =
			list_live(service, caller, thread_id, is_sure, true, arena, list->items);
		if (is_sure || list->count > 0 || mine.code != ERROR_NOT_FOUND)
			return true;
	}
	*err = mine;
	return false;
}

static bool list_all(struct service *service, const struct caller *caller, const char *thread_id,
		     struct arena *arena, struct run_list *list, struct error *err)
{
	struct message_list answers = { 0 };

	if (!store_runs_of(service->store, owner_of(caller), thread_id, LISTED_MAX, arena, &answers,
			   err))
		return false;
	list->count = list_live(service, caller, thread_id, true, false, arena, list->items);
	for (size_t i = 0; i < answers.count && i < LISTED_MAX; i++)
		if (!is_listed(list, answers.items[i].run_id))
			list->items[list->count++] = info_of_message(&answers.items[i]);
	return true;
}

bool service_run_list(struct service *service, const struct caller *caller, const char *thread_id,
		      bool active, struct arena *arena, struct run_list *out, struct error *err)
{
	struct run_list list = { .items = arena_alloc(arena, (LIVE_MAX + LISTED_MAX) *
								     sizeof *list.items) };

	if (!list.items)
		return budget_refused(err);
	if (!(active ? list_active : list_all)(service, caller, thread_id, arena, &list, err))
		return false;
	if (arena->failed)
		return error_set(err, ERROR_OVERLOADED, "No memory for this request.");
	qsort(list.items, list.count, sizeof *list.items, newest_first);
	*out = list;
	return true;
}

/* --- stopping --- */

/* As the store knows it, once that calls it ended. */
static bool wait_elsewhere(struct service *service, const struct caller *caller, const char *id,
			   struct arena *arena, struct message *message, struct error *err)
{
	struct wait wait;
	bool ok = true;

	wait_begin(&wait, service, STOP_WAIT_MS);
	while (ok && message->status == STATUS_STREAMING && wait_more(&wait, ELSEWHERE_MS))
		ok = find_answer(service, caller, id, arena, message, err);
	wait_end(&wait);
	return ok;
}

/* The wish is kept with the thread's claim; the run's node looks for wishes. */
static bool stop_elsewhere(struct service *service, const struct caller *caller, const char *id,
			   struct arena *arena, struct run_info *out, struct error *err)
{
	struct message message;

	if (!find_answer(service, caller, id, arena, &message, err))
		return false;
	if (message.status == STATUS_STREAMING &&
	    !store_stop_ask(service->store, owner_of(caller), id, err) &&
	    err->code != ERROR_NOT_FOUND) /* it has just ended */
		return false;
	if (!wait_elsewhere(service, caller, id, arena, &message, err))
		return false;
	if (message.status == STATUS_STREAMING) {
		error_set(err, ERROR_RUN_ELSEWHERE,
			  "The node that writes it was asked to stop; look again.");
		err->retry_after_s = 1;
		return false;
	}
	*out = info_of_message(&message);
	return true;
}

bool service_run_stop(struct service *service, const struct caller *caller, const char *id,
		      struct arena *arena, struct run_info *out, struct error *err)
{
	struct spool *spool = open_file(service, caller, id, arena, err);
	bool ok;

	if (!spool)
		return err->code == ERROR_NOT_FOUND &&
		       stop_elsewhere(service, caller, id, arena, out, err);
	ok = runs_stop_and_wait(service, spool, err) &&
	     info_of(spool_record(spool), arena, out, err);
	spool_unref(spool);
	return ok;
}
