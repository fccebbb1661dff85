/*
 * firestore_number: other programs write messages without a number, in the order of created_at.
 * They get theirs when the thread is read for the first time, and from then on when its updated_at
 * is not the one that c1d left, or when somebody was found to write here. The thread's document
 * takes part in each commit: two that number at once, or one that asks meanwhile, meet there.
 */
#include "firestore_room.h"

#define PAGE 300 /* documents in a commit, with room below Firestore's 500 */
#define TAIL 50

struct numbering {
	struct firestore_thread *thread;
	struct arena *arena; /* what has to outlive a page */
	int64_t last;
	bool is_new;  /* some were found */
	bool is_back; /* the page is read from its end */
	bool is_done;
	const char *behind, *behind_id;
};

static void number_one(struct firestore_op *op, const struct firestore_document *message,
		       int64_t seq)
{
	firestore_write(op, FS_MESSAGES, arena_copy(&op->arena, message->id));
	firestore_put_int(op, "seq", seq);
	firestore_written_over(op, message, "");
}

static void write_thread(struct firestore_op *op, struct numbering *n)
{
	struct slice time = firestore_timestamp(n->thread->document.fields, "updated_at");

	firestore_write(op, FS_THREADS, firestore_id(op, n->thread->thread.id));
	firestore_put_int(op, "last", n->last);
	firestore_put_bool(op, "shared", n->thread->is_foreign || n->is_new);
	if (n->is_done && time.ptr)
		firestore_put_timestamp(op, "numbered_at", time);
	firestore_written_over(op, &n->thread->document, "");
}

/* The thread's write is the last of the commit; what it made is what the next one builds on. */
static enum error_code send(struct firestore_op *op, struct numbering *n)
{
	const struct firestore_json *results, *last;
	struct slice time = { NULL, 0 };
	enum error_code code;

	write_thread(op, n);
	code = firestore_commit(op, &results);
	if (code != ERROR_NONE)
		return code;
	for (last = results ? results->first : NULL; last; last = last->next)
		time = firestore_member_text(last, "updateTime");
	if (!time.ptr)
		return ERROR_STORE;
	n->thread->document.update_time = (struct slice){ arena_copy(n->arena, time), time.len };
	return store_fits(n->arena);
}

static bool has_number(const struct firestore_document *message)
{
	return firestore_has(message->fields, "seq");
}

static enum error_code number_found(struct firestore_op *op, struct numbering *n,
				    const struct firestore_found *found)
{
	bool any = false;

	firestore_body(op);
	for (size_t i = 0; i < found->count; i++) {
		const struct firestore_document *message =
			&found->items[n->is_back ? found->count - 1 - i : i];

		if (has_number(message))
			continue;
		number_one(op, message, ++n->last);
		any = n->is_new = true;
	}
	return any || n->is_done ? send(op, n) : ERROR_NONE;
}

static enum error_code number_page(struct firestore_op *op, void *arg)
{
	struct numbering *n = arg;
	const struct firestore_value behind = FS_TIME(slice_of(n->behind));
	const struct firestore_find find = { FQ_MESSAGES_BY_TIME,
					     { FS_TEXT(n->thread->thread.id) },
					     PAGE,
					     n->behind ? &behind : NULL,
					     n->behind_id };
	const struct firestore_document *last;
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code != ERROR_NONE)
		return code;
	n->is_done = found.count < PAGE;
	code = number_found(op, n, &found);
	if (code != ERROR_NONE || n->is_done)
		return code;
	last = &found.items[found.count - 1];
	n->behind = arena_copy(n->arena, firestore_timestamp(last->fields, "created_at"));
	n->behind_id = arena_copy(n->arena, last->id);
	return store_fits(n->arena);
}

/* Numbers that are there already: those of a thread that was copied here before its messages. */
static enum error_code find_last(struct firestore_op *op, void *arg)
{
	struct numbering *n = arg;
	const struct firestore_find find = {
		FQ_MESSAGE_LAST, { FS_TEXT(n->thread->thread.id) }, 1, NULL, NULL
	};
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code == ERROR_NONE)
		n->last = found.count > 0 ? firestore_int(found.items[0].fields, "seq") : 0;
	return code;
}

static enum error_code number_all(struct firestore_op *op, struct numbering *n)
{
	enum error_code code = n->last < 0 ? firestore_part_of(op, find_last, n) : ERROR_NONE;

	while (code == ERROR_NONE && !n->is_done) {
		code = firestore_part_of(op, number_page, n);
		if (code == ERROR_NONE && !n->is_done && firestore_is_late(op))
			code = ERROR_STORE_TIMEOUT; /* what is done is done: the next one goes on */
	}
	return code;
}

/* What others add stands at the end. */
static enum error_code number_tail(struct firestore_op *op, void *arg)
{
	struct numbering *n = arg;
	const struct firestore_find find = {
		FQ_MESSAGES_BY_TIME_BACK, { FS_TEXT(n->thread->thread.id) }, TAIL, NULL, NULL
	};
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code != ERROR_NONE ||
	    (found.count == TAIL && !has_number(&found.items[TAIL - 1]))) /* more than that */
		return code;
	n->is_done = n->thread->is_touched;
	n->is_back = true;
	code = number_found(op, n, &found);
	n->is_back = false;
	n->is_done = true;
	return code;
}

static enum error_code number_thread(struct firestore_op *op, struct firestore_thread *thread)
{
	struct numbering n = { .thread = thread, .arena = &op->arena, .last = thread->last };
	enum error_code code = ERROR_NONE;

	if (thread->last >= 0)
		code = firestore_part_of(op, number_tail, &n);
	if (code == ERROR_NONE && !n.is_done)
		code = number_all(op, &n);
	if (code == ERROR_NONE) {
		thread->last = n.last;
		thread->is_foreign = thread->is_foreign || n.is_new;
		thread->is_touched = false;
	}
	return code;
}

enum error_code firestore_number(struct firestore_op *op, struct firestore_thread *thread)
{
	return thread->last >= 0 && !thread->is_touched && !thread->is_foreign
		       ? ERROR_NONE
		       : number_thread(op, thread);
}

enum error_code firestore_number_anyway(struct firestore_op *op, struct firestore_thread *thread)
{
	return number_thread(op, thread);
}
