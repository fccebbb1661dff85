/* firestore_copy: whole stores, for administrators: threads read in the order of their ids, and
 * counted; messages of other programs numbered, all at once. */
#include "firestore_room.h"

#define STEP 300

/* --- scan --- */

struct scan {
	const char *after;
	size_t limit;
	struct arena *arena;
	struct thread_list list;
	const char *last; /* that was looked at */
	bool is_over;
};

static enum error_code scan_some(struct firestore_op *op, void *arg)
{
	struct scan *s = arg;
	const struct firestore_find find = { FQ_THREADS_BY_NAME,
					     { { 0 } },
					     s->limit - s->list.count + 1,
					     NULL,
					     s->last ? firestore_id(op, s->last) : NULL };
	struct firestore_thread thread;
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	for (size_t i = 0; code == ERROR_NONE && i < found.count; i++) {
		if (s->list.count == s->limit) {
			s->list.next = s->list.items[s->limit - 1].id;
			s->is_over = true;
			return ERROR_NONE;
		}
		s->last = arena_copy(s->arena, firestore_id_of(found.items[i].id, NULL));
		code = firestore_take_thread(&found.items[i], s->arena, &thread);
		if (code == ERROR_CORRUPT) {
			code = ERROR_NONE;
			continue;
		}
		if (code != ERROR_NONE)
			return code;
		s->list.items =
			store_grow(s->arena, s->list.items, s->list.count, sizeof *s->list.items);
		if (!s->list.items)
			return ERROR_OVERLOADED;
		s->list.items[s->list.count++] = thread.thread;
	}
	s->is_over = found.count < find.limit;
	return code == ERROR_NONE ? store_fits(s->arena) : code;
}

static enum error_code scan(struct firestore_op *op, void *arg)
{
	struct scan *s = arg;
	enum error_code code = ERROR_NONE;

	s->list = (struct thread_list){ 0 };
	s->last = s->after;
	s->is_over = false;
	while (code == ERROR_NONE && !s->is_over)
		code = firestore_part_of(op, scan_some, s);
	return code;
}

enum error_code firestore_thread_scan(void *self, const char *after, size_t limit,
				      struct arena *arena, struct thread_list *out)
{
	struct scan s = { .after = after && *after ? after : NULL, .limit = limit, .arena = arena };
	enum error_code code = firestore_do(self, scan, &s);

	if (code == ERROR_NONE)
		*out = s.list;
	return code;
}

/* --- each thread, page by page --- */

struct visit {
	const char *user_id; /* NULL: everybody's */
	firestore_step *of_thread;
	const char *id;      /* of the thread that is visited */
	struct arena *arena; /* what outlives a page */
	const char *last;
	bool is_over;
	struct store_counts counts;
};

static enum error_code visit_page(struct firestore_op *op, void *arg)
{
	struct visit *v = arg;
	const struct firestore_find find = { v->user_id ? FQ_THREADS_TO_TAKE : FQ_THREADS_BY_NAME,
					     { FS_TEXT(v->user_id) },
					     STEP,
					     NULL,
					     v->last };
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	for (size_t i = 0; code == ERROR_NONE && i < found.count; i++) {
		v->last = arena_copy(v->arena, found.items[i].id);
		v->id = arena_copy(&op->arena, firestore_id_of(found.items[i].id, NULL));
		code = v->last && v->id ? firestore_part_of(op, v->of_thread, v) : ERROR_OVERLOADED;
	}
	v->is_over = found.count < STEP;
	return code;
}

static enum error_code visit_all(struct firestore_op *op, struct visit *v)
{
	enum error_code code = ERROR_NONE;

	v->arena = &op->arena;
	v->last = NULL;
	v->is_over = false;
	v->counts = (struct store_counts){ 0 };
	while (code == ERROR_NONE && !v->is_over)
		code = firestore_part_of(op, visit_page, v);
	return code;
}

/* --- counts --- */

static enum error_code count_thread(struct firestore_op *op, void *arg)
{
	struct visit *v = arg;
	const struct firestore_find find = {
		FQ_MESSAGES_TO_PURGE, { FS_TEXT(v->id) }, 0, NULL, NULL
	};
	int64_t messages = 0;
	enum error_code code = firestore_count(op, &find, &messages);

	v->counts.threads++;
	v->counts.messages += messages;
	return code;
}

static enum error_code count(struct firestore_op *op, void *arg)
{
	return visit_all(op, arg);
}

/* Thread by thread: those that were deleted keep messages for a while. */
enum error_code firestore_counts(void *self, const char *user_id, struct store_counts *out)
{
	struct visit v = { .user_id = user_id, .of_thread = count_thread };
	enum error_code code = firestore_do_long(self, count, &v);

	if (code == ERROR_NONE)
		*out = v.counts;
	return code;
}

/* --- messages without numbers --- */

/* Whoever writes on it meanwhile numbers it, too. What is damaged stays as it is. */
static enum error_code number_thread(struct firestore_op *op, void *arg)
{
	const struct visit *v = arg;
	struct firestore_thread thread;
	enum error_code code = firestore_thread_read(op, NULL, v->id, false, &op->arena, &thread);

	if (code == ERROR_NONE)
		code = firestore_number_anyway(op, &thread);
	if (code == ERROR_CORRUPT || code == ERROR_NOT_FOUND)
		code = ERROR_NONE;
	return code;
}

static enum error_code number_all(struct firestore_op *op, void *arg)
{
	return visit_all(op, arg);
}

enum error_code firestore_number_all(void *self)
{
	struct visit v = { .of_thread = number_thread };

	return firestore_do_long(self, number_all, &v);
}
