/*
 * firestore_list: pages of threads. Firestore has no search in texts, and finds no document that
 * lacks a field (what others wrote is not `archived: false`), so both are looked at here, page by
 * page, as long as there is time. A list that was cut short has a cursor all the same: the next
 * call goes on where this one ended.
 */
#include "firestore_room.h"

#include "../store_fold.h"
#include "base/clock.h"

#define PAGE_MAX 300

struct listing {
	const struct thread_page *page;
	struct arena *arena;
	struct slice q; /* folded */
	struct thread_list list;
	struct thread last;    /* whole, that was looked at; id NULL: none */
	struct slice behind;   /* where the page goes on: the time as the server wrote it, ... */
	const char *behind_id; /* ... and the document; NULL: from the first */
	bool is_text;          /* that time is one: another program's damage */
	bool is_over;          /* there are no more */
	size_t batch;
};

static bool is_wanted(const struct listing *l, const struct thread *thread, struct arena *arena)
{
	struct slice title;

	if (l->page->archived >= 0 && thread->archived != (l->page->archived == 1))
		return false;
	if (!l->page->q)
		return true;
	title = store_fold(slice_of(thread->title), arena);
	return title.ptr && memmem(title.ptr, title.len, l->q.ptr, l->q.len);
}

/* What is damaged is left out, and told in the log: one document of another program shall not hide
 * all others. */
static enum error_code look_at(struct firestore_op *op, struct listing *l,
			       const struct firestore_document *document)
{
	struct firestore_thread thread;
	enum error_code code = firestore_take_thread(document, l->arena, &thread);

	if (code == ERROR_CORRUPT)
		return ERROR_NONE;
	if (code != ERROR_NONE)
		return code;
	if (is_wanted(l, &thread.thread, &op->arena)) {
		if (l->list.count == l->page->limit) {
			l->list.next = store_cursor(&l->list.items[l->list.count - 1], l->arena);
			l->is_over = true;
			return ERROR_NONE;
		}
		l->list.items =
			store_grow(l->arena, l->list.items, l->list.count, sizeof *l->list.items);
		if (!l->list.items)
			return ERROR_OVERLOADED;
		l->list.items[l->list.count++] = thread.thread;
	}
	l->last = thread.thread;
	return ERROR_NONE;
}

/* The next page goes on there, damaged or not. Only texts and times are looked behind: all else
 * stands at the end, and is damage. */
static enum error_code go_on_behind(struct listing *l, const struct firestore_document *document)
{
	struct slice time = firestore_timestamp(document->fields, "updated_at");

	l->is_text = !time.ptr;
	if (l->is_text)
		time = firestore_text(document->fields, "updated_at");
	l->is_over = !time.ptr;
	l->behind = (struct slice){ arena_copy(l->arena, time), time.len };
	l->behind_id = arena_copy(l->arena, document->id);
	return store_fits(l->arena);
}

static enum firestore_query_id query_of(const struct thread_page *page)
{
	if (page->archived == 1)
		return page->user_id ? FQ_ARCHIVED_OF_USER : FQ_ARCHIVED_OF_ALL;
	return page->user_id ? FQ_THREADS_OF_USER : FQ_THREADS_OF_ALL;
}

static struct firestore_find find_of(const struct listing *l)
{
	struct firestore_find find = { .id = query_of(l->page), .limit = l->batch };
	size_t n = 0;

	if (l->page->user_id)
		find.equal[n++] = FS_TEXT(l->page->user_id);
	if (l->page->archived == 1)
		find.equal[n] = FS_BOOL(true);
	return find;
}

static enum error_code read_page(struct firestore_op *op, void *arg)
{
	struct listing *l = arg;
	struct firestore_find find = find_of(l);
	const struct firestore_value behind = { l->is_text ? FV_TEXT : FV_TIME, l->behind, 0 };
	struct firestore_found found;
	enum error_code code;

	if (l->behind_id) {
		find.behind = &behind;
		find.behind_id = l->behind_id;
	}
	code = firestore_find(op, &find, &found);
	for (size_t i = 0; code == ERROR_NONE && !l->is_over && i < found.count; i++)
		code = look_at(op, l, &found.items[i]);
	l->is_over = l->is_over || found.count < l->batch;
	if (code == ERROR_NONE && !l->is_over)
		code = go_on_behind(l, &found.items[found.count - 1]);
	return code;
}

/* The cursor has milliseconds; another program's thread has its time to the microsecond. */
static enum error_code begin(struct firestore_op *op, struct listing *l)
{
	const struct firestore_name name = { FS_THREADS, firestore_id(op, l->page->last) };
	char text[CLOCK_TEXT_SIZE];
	struct firestore_document document;
	struct slice time;
	int64_t ms;
	enum error_code code = firestore_get(op, &name, 1, "updated_at", &document);

	if (code != ERROR_NONE)
		return code;
	time = firestore_timestamp(document.fields, "updated_at");
	if (!firestore_time_read(time, &ms) || ms != l->page->last_ms)
		time = slice_of(clock_format(l->page->last_ms, text));
	l->last.id = l->page->last;
	l->behind = (struct slice){ arena_copy(l->arena, time), time.len };
	l->behind_id = arena_text(l->arena, name.id);
	return store_fits(l->arena);
}

static enum error_code list_threads(struct firestore_op *op, void *arg)
{
	struct listing *l = arg;
	enum error_code code = ERROR_NONE;

	l->list = (struct thread_list){ 0 };
	if (l->page->q && !(l->q = store_fold(slice_of(l->page->q), &op->arena)).ptr)
		return ERROR_OVERLOADED;
	if (l->page->last)
		code = begin(op, l);
	while (code == ERROR_NONE && !l->is_over) {
		code = firestore_part_of(op, read_page, l);
		l->batch = l->batch * 4 < PAGE_MAX ? l->batch * 4 : PAGE_MAX;
		if (code == ERROR_TOO_LARGE && l->batch > 8) {
			l->batch = 8;
			code = ERROR_NONE;
		}
		if (!l->is_over && firestore_is_late(op))
			break;
	}
	/* Time is up: what was found is told. */
	if (!l->is_over && l->last.id && (code == ERROR_NONE || code == ERROR_STORE_TIMEOUT)) {
		l->list.next = store_cursor(&l->last, l->arena);
		code = ERROR_NONE;
	}
	return code == ERROR_NONE ? store_fits(l->arena) : code;
}

enum error_code firestore_thread_list(void *self, const struct thread_page *page,
				      struct arena *arena, struct thread_list *out)
{
	struct listing l = { .page = page, .arena = arena, .batch = page->limit + 1 };
	enum error_code code = firestore_do(self, list_threads, &l);

	if (code == ERROR_NONE)
		*out = l.list;
	return code;
}
