/* service_threads: conversations made, read, changed and deleted, and who may. */
#include "service_room.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"
#include "llm/c1.h"
#include "service/runs.h"

#define TITLE_UNNAMED "New chat"
#define PURGE_MAX     1000 /* messages that a deletion removes itself */

bool service_may(const struct caller *caller, const struct thread *thread, struct error *err)
{
	if (thread->deleted)
		return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	if (caller->enforced && strcmp(caller->user_id, thread->user_id) != 0)
		return error_set(err, ERROR_ACCESS_DENIED, "This thread is somebody else's.");
	return true;
}

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
	struct thread thread;

	if (!store_thread_get(service->store, NULL, id, arena, &thread, err) ||
	    !service_may(caller, &thread, err))
		return false;
	*out = thread;
	return true;
}

bool service_thread_list(struct service *service, const struct caller *caller,
			 struct thread_filter *filter, struct arena *arena, struct thread_list *out,
			 struct error *err)
{
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
	struct thread thread;

	if (!service_thread_get(service, caller, id, arena, &thread, err))
		return false;
	patch->now_ms = clock_wall_ms();
	return store_thread_update(service->store, NULL, id, patch, arena, out, err);
}

/* The mark first, so that no new answer starts; then the one that runs is told to stop. Its late
 * save changes nothing, since its message is gone. The files of its answers go at once: who holds
 * one open reads it to its end, nobody opens it again. */
bool service_thread_delete(struct service *service, const struct caller *caller, const char *id,
			   struct arena *arena, struct error *err)
{
	struct thread_deleted deleted;
	bool more;
	struct run_list runs;
	struct thread thread;

	if (!service_run_list(service, caller, id, false, arena, &runs, err) ||
	    !service_thread_get(service, caller, id, arena, &thread, err))
		return false;
	if (!store_thread_delete(service->store, NULL, id, arena, &deleted, err))
		return false;
	store_thread_purge(service->store, id, PURGE_MAX, &more, NULL); /* the sweep goes on */
	for (size_t i = 0; i < runs.count; i++) {
		if (runs.items[i].status == STATUS_STREAMING)
			spool_ask_stop(service->spools, runs.items[i].id, NULL);
		spool_remove(service->spools, runs.items[i].id);
	}
	return true;
}
