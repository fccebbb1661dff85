/* service_threads: conversations made, read, changed and deleted. */
#include "service_room.h"

#include "base/clock.h"
#include "base/crashpoint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/utf8.h"
#include "llm/c1.h"

#define TITLE_UNNAMED "New chat"
#define PURGE_STEP    200 /* messages */
#define PURGE_MS      250 /* of a request; the sweep goes on */

/* --- titles --- */

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7F;
}

/* White space and controls become one blank each, none at the ends. In place. */
static size_t fold_blanks(char *text, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++)
		if (!is_blank(text[i]))
			text[out++] = text[i];
		else if (out > 0 && text[out - 1] != ' ')
			text[out++] = ' ';
	return out > 0 && text[out - 1] == ' ' ? out - 1 : out;
}

const char *service_title(struct arena *arena, struct slice message)
{
	struct buffer plain;
	struct slice title = SLICE(TITLE_UNNAMED);
	const char *copy;

	buffer_init(&plain, message.len + 1);
	if (c1_plain_text(&plain, message) && plain.len > 0 &&
	    (plain.len = fold_blanks(plain.data, plain.len)) > 0)
		title = utf8_prefix(buffer_slice(&plain), THREAD_TITLE_MAX);
	copy = arena_copy(arena, title);
	buffer_done(&plain);
	return copy;
}

/* --- reading --- */

bool service_thread_get(struct service *service, const struct caller *caller, const char *id,
			struct arena *arena, struct thread *out, struct error *err)
{
	return store_thread_get(service->store, owner_of(caller), id, arena, out, err);
}

bool service_thread_list(struct service *service, const struct caller *caller,
			 struct thread_filter *filter, struct arena *arena, struct thread_list *out,
			 struct error *err)
{
	filter->owner = owner_of(caller);
	filter->user_id = caller->enforced || caller->named ? caller->user_id : NULL;
	return store_thread_list(service->store, filter, arena, out, err);
}

/* --- changing --- */

bool service_thread_create(struct service *service, const struct caller *caller,
			   const struct thread_draft *draft, struct arena *arena,
			   struct thread *out, struct error *err)
{
	int64_t now_ms = clock_wall_ms();
	char id[ID_UUID_SIZE];
	struct thread thread = {
		.user_id = caller->user_id,
		.title = service_title(arena, draft->title),
		.created_ms = now_ms,
		.updated_ms = now_ms,
		.metadata = draft->metadata,
	};

	id_uuid7(id);
	thread.id = arena_text(arena, id);
	if (arena->failed)
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	if (!store_thread_insert(service->store, &thread, err))
		return false;
	*out = thread;
	return true;
}

bool service_thread_update(struct service *service, const struct caller *caller, const char *id,
			   struct thread_patch *patch, struct arena *arena, struct thread *out,
			   struct error *err)
{
	patch->now_ms = clock_wall_ms();
	return store_thread_update(service->store, owner_of(caller), id, patch, arena, out, err);
}

/* --- deleting --- */

/* Its file goes at once: who holds it open reads it to its end, nobody opens it again. Its late
 * save changes nothing, since its message is gone. */
static void stop_and_forget(struct service *service, const char *run_id)
{
	spool_ask_stop(service->spools, run_id, NULL);
	spool_remove(service->spools, run_id);
}

/* A run without a file has no claim yet, and where the thread is gone it gets none. */
static bool is_theirs(struct service *service, const struct caller *caller, const char *run_id)
{
	struct spool *spool = spool_open(service->spools, run_id, NULL);
	bool yes = spool && strcmp(spool_record(spool)->user_id, caller->user_id) == 0;

	spool_unref(spool);
	return yes;
}

/* is_sure: the store has said that the thread is the caller's. */
static void stop_live(struct service *service, const struct caller *caller, bool is_sure,
		      const char *id)
{
	struct board_entry live[LIVE_MAX];
	size_t count = board_of_thread(service->board, id, live, LIVE_MAX);

	for (size_t i = 0; i < count && i < LIVE_MAX; i++)
		if (is_sure || !caller->enforced || is_theirs(service, caller, live[i].run_id))
			stop_and_forget(service, live[i].run_id);
}

/* As far as a request has time; whatever fails here, the sweep goes on with it. */
static void purge(struct service *service, const char *id)
{
	int64_t until_ms = clock_mono_ms() + PURGE_MS;
	struct error err = { 0 };
	bool more = true;

	while (more && clock_mono_ms() < until_ms)
		if (!store_thread_purge(service->store, id, PURGE_STEP, &more, &err)) {
			log_info("messages of a deleted thread stay for the sweep",
				 LOG_T("thread", id), LOG_T("error", error_word(err.code)));
			return;
		}
}

/* The mark first, so that no new answer starts; from then on the thread is gone, whatever fails
 * behind it. Then the one that runs is told to stop, here or on another node, also when an earlier
 * try set the mark and never heard of it. Its messages go by the sweep, so that however many there
 * are nobody waits for them. */
bool service_thread_delete(struct service *service, const struct caller *caller, const char *id,
			   struct arena *arena, struct error *err)
{
	struct thread_deleted gone = { 0 };
	struct error mine = { 0 };
	bool ok = store_thread_delete(service->store, owner_of(caller), id, arena, &gone, &mine);

	if (ok || mine.code == ERROR_NOT_FOUND)
		stop_live(service, caller, ok, id);
	if (!ok) {
		if (err)
			*err = mine;
		return false;
	}
	for (size_t i = 0; i < gone.run_count; i++)
		spool_remove(service->spools, gone.run_ids[i]);
	CRASHPOINT("thread_marked");
	if (gone.run.id)
		purge(service, id);
	return true;
}
