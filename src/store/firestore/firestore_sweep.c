/* firestore_sweep: what nobody needs any more: messages of marked threads, old marks, nodes that
 * are gone. */
#include "firestore_room.h"

struct sweeping {
	int64_t silent_ms, deleted_ms;
	size_t limit;
	bool more;
};

/* --- nodes --- */

static enum error_code forget_node(struct firestore_op *op, void *arg)
{
	firestore_body(op);
	firestore_delete(op, FS_NODES, firestore_id(op, arg), NULL);
	return firestore_commit_again(op, NULL);
}

/* One that lives after all beats again. */
static enum error_code sweep_nodes(struct firestore_op *op, void *arg)
{
	struct sweeping *s = arg;
	const char **names;
	size_t count, forgotten = 0;
	bool holds;
	enum error_code code = firestore_nodes_silent(op, s->silent_ms, &names, &count);

	for (size_t i = 0; code == ERROR_NONE && i < count && forgotten < s->limit; i++) {
		code = firestore_holds_claim(op, names[i], &holds);
		if (code != ERROR_NONE || holds)
			continue;
		code = firestore_part_of(op, forget_node, (void *)names[i]);
		forgotten++;
	}
	s->more = s->more || forgotten == s->limit;
	return code;
}

/* --- marks --- */

/* The thread of a mark, whose name is its document's. */
static const char *thread_of(struct firestore_op *op, const struct firestore_document *mark)
{
	return arena_copy(&op->arena, firestore_id_of(mark->id, NULL));
}

static enum error_code empty_marked(struct firestore_op *op, void *arg)
{
	struct sweeping *s = arg;
	const struct firestore_find find = { FQ_MARKS_TO_PURGE, { FS_BOOL(true) }, 1, NULL, NULL };
	struct firestore_found found;
	size_t left = s->limit, removed;
	enum error_code code = ERROR_NONE;

	while (code == ERROR_NONE && left > 0) {
		const char *id;

		code = firestore_find(op, &find, &found);
		if (code != ERROR_NONE || found.count == 0)
			return code;
		id = thread_of(op, &found.items[0]);
		code = id ? firestore_thread_empty(op, id, left, &removed) : ERROR_OVERLOADED;
		if (code == ERROR_NONE)
			left -= store_swept(removed);
	}
	s->more = s->more || left == 0;
	return code;
}

static enum error_code forget_mark(struct firestore_op *op, void *arg)
{
	firestore_body(op);
	firestore_delete(op, FS_DELETED, firestore_id(op, arg), NULL);
	return firestore_commit_again(op, NULL);
}

/* With the few messages that came when it was empty already. */
static enum error_code forget_marks(struct firestore_op *op, void *arg)
{
	struct sweeping *s = arg;
	const struct firestore_find find = { FQ_MARKS_BY_AGE, { { 0 } }, s->limit, NULL, NULL };
	struct firestore_found found;
	int64_t now_ms = 0, deleted_ms;
	size_t removed, count = 0;
	enum error_code code = firestore_find(op, &find, &found);

	if (code == ERROR_NONE && !firestore_time_read(found.read_time, &now_ms))
		code = ERROR_CORRUPT;
	for (size_t i = 0; code == ERROR_NONE && i < found.count; i++) {
		const struct firestore_document *mark = &found.items[i];
		const char *id = thread_of(op, mark);

		if (!id || !firestore_time_read(firestore_timestamp(mark->fields, "deleted_at"),
						&deleted_ms))
			continue;
		if (deleted_ms >= now_ms - s->deleted_ms)
			break;
		code = firestore_thread_empty(op, id, SIZE_MAX, &removed);
		if (code == ERROR_NONE)
			code = firestore_part_of(op, forget_mark, (void *)id);
		count++;
	}
	s->more = s->more || (s->limit > 0 && count == s->limit);
	return code;
}

static enum error_code sweep(struct firestore_op *op, void *arg)
{
	struct sweeping *s = arg;
	enum error_code code;

	s->more = false;
	code = firestore_part_of(op, empty_marked, s);
	if (code == ERROR_NONE)
		code = firestore_part_of(op, forget_marks, s);
	return code == ERROR_NONE ? firestore_part_of(op, sweep_nodes, s) : code;
}

/* In parts of which each has its time: nobody waits for it. */
enum error_code firestore_sweep(void *self, int64_t silent_ms, int64_t deleted_ms, size_t limit,
				bool *more)
{
	struct sweeping s = { silent_ms, deleted_ms, limit, false };
	enum error_code code = firestore_do_long(self, sweep, &s);

	if (code == ERROR_NONE)
		*more = s.more;
	return code;
}
