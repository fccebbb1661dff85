/* firestore_thread: threads put in, read and changed. */
#include "firestore_room.h"

/* --- what others need of a thread --- */

enum error_code firestore_thread_of(const struct firestore_document *document, const char *owner,
				    struct arena *arena, struct firestore_thread *out)
{
	enum error_code code = firestore_is_there(document)
				       ? firestore_take_thread(document, arena, out)
				       : ERROR_NOT_FOUND;

	return code == ERROR_NONE ? store_may(owner, out->thread.user_id) : code;
}

enum error_code firestore_thread_read(struct firestore_op *op, const char *owner, const char *id,
				      bool number, struct arena *arena,
				      struct firestore_thread *out)
{
	const struct firestore_name name = { FS_THREADS, firestore_id(op, id) };
	struct firestore_document document;
	enum error_code code = firestore_get(op, &name, 1, NULL, &document);

	if (code == ERROR_NONE)
		code = firestore_thread_of(&document, owner, arena, out);
	return code == ERROR_NONE && number ? firestore_number(op, out) : code;
}

/* Whoever touched it without telling has messages that are still to be numbered. */
void firestore_thread_change(struct firestore_op *op, const struct firestore_thread *thread,
			     int64_t updated_ms)
{
	firestore_write(op, FS_THREADS, firestore_id(op, thread->thread.id));
	firestore_put_int(op, "rev", thread->thread.rev + 1);
	if (updated_ms == 0)
		return;
	firestore_put_time(op, "updated_at", updated_ms);
	if (thread->last >= 0 && !thread->is_touched)
		firestore_put_time(op, "numbered_at", updated_ms);
}

/* --- make and read --- */

void firestore_thread_make(struct firestore_op *op, const struct thread *thread, int64_t last)
{
	const char *id = firestore_id(op, thread->id);

	firestore_write(op, FS_THREADS, id);
	firestore_put_thread(op, thread);
	firestore_put_int(op, "last", last);
	firestore_put_time(op, "numbered_at", thread->updated_ms);
	firestore_put_run(op, &thread->run, false);
	firestore_written(op, &(struct firestore_end){ .when = FS_ABSENT });
	firestore_absent(op, FS_DELETED, id); /* a mark keeps its id from being made anew */
}

static enum error_code insert(struct firestore_op *op, void *arg)
{
	struct thread thread = *(const struct thread *)arg;
	enum error_code code;

	thread.run = (struct run_ref){ 0 };
	firestore_body(op);
	firestore_thread_make(op, &thread, 0);
	code = firestore_commit(op, NULL);
	if (code == ERROR_CONFLICT) /* that it exists is what there is to tell */
		op->is_lost = false;
	return code;
}

enum error_code firestore_thread_insert(void *self, const struct thread *thread)
{
	struct thread copy = *thread;

	return firestore_do(self, insert, &copy);
}

struct thread_call {
	const char *owner, *id;
	const struct thread_patch *patch;
	struct arena *arena;
	struct thread *out;
};

static enum error_code get(struct firestore_op *op, void *arg)
{
	struct thread_call *call = arg;
	struct firestore_thread thread;
	enum error_code code =
		firestore_thread_read(op, call->owner, call->id, false, call->arena, &thread);

	if (code == ERROR_NONE)
		*call->out = thread.thread;
	return code;
}

enum error_code firestore_thread_get(void *self, const char *owner, const char *id,
				     struct arena *arena, struct thread *out)
{
	struct thread_call call = { owner, id, NULL, arena, out };

	return firestore_do(self, get, &call);
}

/* --- change --- */

static void patch_it(struct thread *thread, const struct thread_patch *patch, struct arena *arena)
{
	if (patch->title)
		thread->title = arena_text(arena, patch->title);
	if (patch->archived >= 0)
		thread->archived = patch->archived;
	if (patch->metadata)
		thread->metadata = arena_text(arena, patch->metadata);
	thread->updated_ms = patch->now_ms;
}

static enum error_code update(struct firestore_op *op, void *arg)
{
	struct thread_call *call = arg;
	const struct thread_patch *patch = call->patch;
	struct firestore_thread read;
	enum error_code code =
		firestore_thread_read(op, call->owner, call->id, false, call->arena, &read);
	struct thread thread;

	if (code != ERROR_NONE)
		return code;
	if (patch->if_rev >= 0 && patch->if_rev != read.thread.rev)
		return ERROR_PRECONDITION;
	thread = read.thread;
	patch_it(&thread, patch, call->arena);
	firestore_body(op);
	firestore_thread_change(op, &read, patch->now_ms);
	if (patch->title)
		firestore_put_text(op, "title", thread.title);
	if (patch->archived >= 0)
		firestore_put_bool(op, "archived", thread.archived);
	if (patch->metadata)
		firestore_put_text(op, "metadata", thread.metadata);
	firestore_written_over(op, &read.document, "");
	code = firestore_commit(op, NULL);
	thread.rev++;
	if (code == ERROR_NONE && (code = store_fits(call->arena)) == ERROR_NONE)
		*call->out = thread;
	return code;
}

enum error_code firestore_thread_update(void *self, const char *owner, const char *id,
					const struct thread_patch *patch, struct arena *arena,
					struct thread *out)
{
	struct thread_call call = { owner, id, patch, arena, out };

	return firestore_do(self, update, &call);
}
