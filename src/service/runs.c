/*
 * runs: reads, follows and stops answers through their spool files, so it does not matter which
 * worker owns one.
 */
#include "service/runs.h"

#include "base/clock.h"
#include "service_room.h"
#include <stdio.h>
#include <time.h>

#define STOP_WAIT_MS 5000
#define LOOK_MS      5

static bool info_of(const struct spool_record *record, struct arena *arena, struct run_info *out,
		    struct error *err)
{
	char usage[USAGE_TEXT];
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
		.usage = usage_text(&record->usage, usage) ? arena_text(arena, usage) : NULL,
		.saved = record->saved,
	};

	if (arena->failed)
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	*out = info;
	return true;
}

/* No file: either it was kept for its fifteen minutes, and then the store knows the answer, or
 * there never was such a run. */
static struct spool *tell_gone(struct service *service, const struct caller *caller, const char *id,
			       struct arena *arena, struct error *err)
{
	struct message message;
	struct thread thread;

	if (!store_message_by_run(service->store, NULL, id, arena, &message, err) ||
	    !service_thread_get(service, caller, message.thread_id, arena, &thread, err))
		return NULL;
	error_set(err, ERROR_GONE,
		  "The stream is no longer kept; the answer is a message of its thread.");
	if (err)
		snprintf(err->link, sizeof err->link, "/api/threads/%s/messages",
			 message.thread_id);
	return NULL;
}

struct spool *service_run_open(struct service *service, const struct caller *caller, const char *id,
			       struct arena *arena, struct run_info *out, struct error *err)
{
	struct error mine = { 0 };
	struct spool *spool = spool_open(service->spools, id, &mine);

	if (!spool && mine.code == ERROR_NOT_FOUND)
		return tell_gone(service, caller, id, arena, err);
	if (!spool) {
		*err = mine;
		return NULL;
	}
	if (caller->enforced && strcmp(caller->user_id, spool_record(spool)->user_id) != 0)
		error_set(err, ERROR_ACCESS_DENIED, "This run is somebody else's.");
	else if (info_of(spool_record(spool), arena, out, err))
		return spool;
	spool_unref(spool);
	return NULL;
}

bool service_run_get(struct service *service, const struct caller *caller, const char *id,
		     struct arena *arena, struct run_info *out, struct error *err)
{
	struct spool *spool = service_run_open(service, caller, id, arena, out, err);

	spool_unref(spool);
	return spool != NULL;
}

/* --- of a thread --- */

#define RUNS_MAX   32 /* of one list */
#define ACTIVE_MAX 4  /* runs that one thread may have at once, with one that is just going */

/* One run goes into the list, when its file is there and it is of the kind that is wanted. */
static void list_one(struct service *service, const char *run_id, bool active, struct arena *arena,
		     struct run_list *list)
{
	struct spool *spool = spool_open(service->spools, run_id, NULL);

	if (spool && (!active || spool_record(spool)->status == STATUS_STREAMING) &&
	    info_of(spool_record(spool), arena, &list->items[list->count], NULL))
		list->count++;
	spool_unref(spool);
}

/* Those that run are on the board; those that ended lately are answers of the thread. */
static bool list_all(struct service *service, const char *thread_id, struct arena *arena,
		     struct run_list *list, struct error *err)
{
	struct message_filter filter = { .thread_id = thread_id, .limit = RUNS_MAX };
	struct message_list messages;

	if (!store_message_list(service->store, &filter, arena, &messages, err))
		return false;
	for (size_t i = messages.count; i-- > 0;)
		if (messages.items[i].run_id)
			list_one(service, messages.items[i].run_id, false, arena, list);
	return true;
}

bool service_run_list(struct service *service, const struct caller *caller, const char *thread_id,
		      bool active, struct arena *arena, struct run_list *out, struct error *err)
{
	struct run_list list = { .items = arena_alloc(arena, RUNS_MAX * sizeof *list.items) };
	struct board_entry entries[ACTIVE_MAX];
	struct thread thread;
	size_t count;

	if (!list.items)
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	if (!service_thread_get(service, caller, thread_id, arena, &thread, err))
		return false;
	if (!active && !list_all(service, thread_id, arena, &list, err))
		return false;
	count = active ? board_of_thread(service->board, thread_id, entries, ACTIVE_MAX) : 0;
	for (size_t i = 0; i < count && i < ACTIVE_MAX; i++)
		list_one(service, entries[i].run_id, true, arena, &list);
	*out = list;
	return true;
}

/* --- stopping --- */

bool run_stop_and_wait(struct service *service, struct spool *spool, struct error *err)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000 };
	int64_t until_ms = clock_mono_ms() + STOP_WAIT_MS;
	bool has_ended;

	if (spool_record(spool)->status == STATUS_STREAMING &&
	    !spool_ask_stop(service->spools, spool_record(spool)->run_id, err))
		return false;
	for (;;) {
		if (!spool_refresh(spool, err))
			return false;
		if (spool_record(spool)->saved)
			return true;
		has_ended = spool_record(spool)->status != STATUS_STREAMING;
		/* A store that is away saves nothing, but the run ends without it. */
		if (clock_mono_ms() >= until_ms || (has_ended && store_is_down(service->store)))
			break;
		nanosleep(&look, NULL);
	}
	if (has_ended)
		return error_set(err, ERROR_STORE_DOWN,
				 "It has stopped; its text is saved as soon as the store is back.");
	return error_set(err, ERROR_INTERNAL, "The run could not be stopped in time; try again.");
}

bool service_run_stop(struct service *service, const struct caller *caller, const char *id,
		      struct arena *arena, struct run_info *out, struct error *err)
{
	struct run_info before;
	struct spool *spool = service_run_open(service, caller, id, arena, &before, err);
	bool ok;

	if (!spool)
		return false;
	ok = run_stop_and_wait(service, spool, err) &&
	     info_of(spool_record(spool), arena, out, err);
	spool_unref(spool);
	return ok;
}
