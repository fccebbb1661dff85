/*
 * firestore_deletion: a thread leaves its collection for one of marks, which hides it from
 * everybody at once and keeps its id from being made anew; its messages go in steps, of at most so
 * many documents as a commit takes. What was cut off goes on from the mark.
 */
#include "firestore_room.h"

#define STEP 200 /* messages in a commit, each with its key: Firestore takes 500 documents */

/* --- the mark --- */

struct deletion {
	const char *owner, *id;
	struct arena *arena;
	struct thread_deleted deleted;
};

static enum error_code mark(struct firestore_op *op, void *arg)
{
	struct deletion *d = arg;
	struct firestore_thread thread;
	const struct run_ref *run = &thread.thread.run;
	const char *id = firestore_id(op, d->id);
	enum error_code code = firestore_thread_read(op, d->owner, d->id, false, d->arena, &thread);

	if (code != ERROR_NONE)
		return code;
	d->deleted.run = *run;
	firestore_body(op);
	firestore_delete(op, FS_THREADS, id, &thread.document);
	firestore_write(op, FS_DELETED, id);
	firestore_put_text(op, "user_id", thread.thread.user_id);
	firestore_put_bool(op, "purge", true);
	firestore_put_run(op, run, true);
	firestore_written(op, &(struct firestore_end){ .when = FS_ANY, .now = "deleted_at" });
	if (run->id)
		firestore_wish(op, d->id, run);
	return firestore_commit(op, NULL);
}

static enum error_code name_runs(struct firestore_op *op, void *arg)
{
	struct deletion *d = arg;
	struct message_list list;
	enum error_code code = firestore_runs_ended(op, d->id, d->arena, &list);

	if (code != ERROR_NONE || list.count == 0)
		return code;
	d->deleted.run_ids = arena_alloc(d->arena, list.count * sizeof *d->deleted.run_ids);
	for (size_t i = 0; d->deleted.run_ids && i < list.count; i++)
		d->deleted.run_ids[d->deleted.run_count++] = list.items[i].run_id;
	return ERROR_NONE;
}

/* The runs are only asked for then: no new one can begin. What fails from there on changes nothing
 * about the deletion. */
enum error_code firestore_thread_delete(void *self, const char *owner, const char *id,
					struct arena *arena, struct thread_deleted *out)
{
	struct deletion d = { .owner = owner, .id = id, .arena = arena };
	enum error_code code = firestore_do(self, mark, &d);

	if (code != ERROR_NONE)
		return code;
	firestore_do(self, name_runs, &d);
	*out = d.deleted;
	return store_fits(arena);
}

/* --- emptying --- */

struct emptying {
	const char *id;
	size_t limit, removed;
	bool is_over;
};

/* A key that was used again on another thread is that thread's. */
enum error_code firestore_keys_delete(struct firestore_op *op, const char *thread_id,
				      const struct firestore_document *messages, size_t count)
{
	struct firestore_name *names = arena_alloc(&op->arena, (count + 1) * sizeof *names);
	struct firestore_document *found = arena_alloc(&op->arena, (count + 1) * sizeof *found);
	size_t keys = 0;
	enum error_code code;

	if (!names || !found)
		return ERROR_OVERLOADED;
	for (size_t i = 0; i < count; i++) {
		const char *key = arena_copy(&op->arena, firestore_text(messages[i].fields, "key"));

		if (firestore_has(messages[i].fields, "key") && key && *key)
			names[keys++] = (struct firestore_name){ FS_KEYS, firestore_id(op, key) };
	}
	code = keys > 0 ? firestore_get(op, names, keys, NULL, found) : ERROR_NONE;
	firestore_body(op);
	for (size_t i = 0; code == ERROR_NONE && i < keys; i++)
		if (slice_is(firestore_text(found[i].fields, "thread_id"), thread_id))
			firestore_delete(op, FS_KEYS, names[i].id, NULL);
	return code;
}

static enum error_code remove_messages(struct firestore_op *op, void *arg)
{
	struct emptying *e = arg;
	size_t left = e->limit - e->removed;
	const struct firestore_find find = {
		FQ_MESSAGES_TO_PURGE, { FS_TEXT(e->id) }, left < STEP ? left : STEP, NULL, NULL
	};
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code == ERROR_NONE)
		code = firestore_keys_delete(op, e->id, found.items, found.count);
	for (size_t i = 0; code == ERROR_NONE && i < found.count; i++)
		firestore_delete(op, FS_MESSAGES, arena_copy(&op->arena, found.items[i].id), NULL);
	if (code == ERROR_NONE && found.count > 0)
		code = firestore_commit_again(op, NULL);
	if (code != ERROR_NONE)
		return code;
	e->removed += found.count;
	e->is_over = found.count < find.limit;
	return ERROR_NONE;
}

/* Behind the messages: whatever belonged to one is of the thread, too. */
static enum error_code remove_parts(struct firestore_op *op, void *arg)
{
	struct emptying *e = arg;
	const struct firestore_find find = {
		FQ_PARTS_TO_PURGE, { FS_TEXT(e->id) }, STEP, NULL, NULL
	};
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	firestore_body(op);
	for (size_t i = 0; code == ERROR_NONE && i < found.count; i++)
		firestore_delete(op, FS_PARTS, arena_copy(&op->arena, found.items[i].id), NULL);
	if (code == ERROR_NONE && found.count > 0)
		code = firestore_commit_again(op, NULL);
	e->is_over = found.count < find.limit;
	return code;
}

static enum error_code note_empty(struct firestore_op *op, void *arg)
{
	const struct emptying *e = arg;

	firestore_body(op);
	firestore_write(op, FS_DELETED, firestore_id(op, e->id));
	firestore_put_bool(op, "purge", false);
	firestore_written(op, &(struct firestore_end){ .gone = "", .when = FS_PRESENT });
	return firestore_commit_again(op, NULL);
}

enum error_code firestore_thread_empty(struct firestore_op *op, const char *id, size_t limit,
				       size_t *removed)
{
	struct emptying e = { .id = id, .limit = limit };
	enum error_code code = ERROR_NONE;

	while (code == ERROR_NONE && !e.is_over && e.removed < limit)
		code = firestore_part_of(op, remove_messages, &e);
	*removed = e.removed;
	if (code != ERROR_NONE || e.removed == limit)
		return code;
	for (e.is_over = false; code == ERROR_NONE && !e.is_over;)
		code = firestore_part_of(op, remove_parts, &e);
	return code == ERROR_NONE ? firestore_part_of(op, note_empty, &e) : code;
}

struct purge {
	const char *id;
	size_t limit;
	bool more;
};

static enum error_code purge(struct firestore_op *op, void *arg)
{
	struct purge *p = arg;
	const struct firestore_name name = { FS_DELETED, firestore_id(op, p->id) };
	struct firestore_document found;
	size_t removed = 0;
	enum error_code code = firestore_get(op, &name, 1, "purge", &found);

	if (code == ERROR_NONE && !firestore_is_there(&found))
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE)
		code = firestore_thread_empty(op, p->id, p->limit, &removed);
	p->more = removed == p->limit;
	return code;
}

enum error_code firestore_thread_purge(void *self, const char *id, size_t limit, bool *more)
{
	struct purge p = { .id = id, .limit = limit };
	enum error_code code = firestore_do(self, purge, &p);

	if (code == ERROR_NONE)
		*more = p.more;
	return code;
}
