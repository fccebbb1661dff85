/* firestore_page: messages listed: a page of a thread, its runs, a turn's history. */
#include "firestore_room.h"

#include "base/clock.h"

/* --- pages --- */

struct page {
	const struct message_filter *filter;
	struct arena *arena;
	struct message_list list;
	int64_t after, before; /* numbers */
	int64_t at;            /* of the last that was read, or what lies before the first */
	size_t bytes, batch;
	bool is_over;
};

/* What is damaged is left out, and told in the log. */
static enum error_code add(struct firestore_op *op, struct page *page,
			   const struct firestore_document *document)
{
	struct message_list *list = &page->list;
	size_t bytes_max = page->filter->bytes_max ? page->filter->bytes_max : SIZE_MAX;
	int64_t size = firestore_int(document->fields, "size");
	struct message message;
	enum error_code code;

	if (size <= 0)
		size = (int64_t)firestore_text(document->fields, "content").len;
	page->bytes += (size_t)size;
	list->more =
		list->count == page->filter->limit || (list->count > 0 && page->bytes > bytes_max);
	if ((page->is_over = list->more))
		return ERROR_NONE;
	code = firestore_message_take(op, document, page->arena, &message);
	if (code == ERROR_CORRUPT)
		return ERROR_NONE;
	if (code != ERROR_NONE)
		return code;
	list->items = store_grow(page->arena, list->items, list->count, sizeof *list->items);
	if (!list->items)
		return ERROR_OVERLOADED;
	list->items[list->count++] = message;
	return ERROR_NONE;
}

static enum error_code read_batch(struct firestore_op *op, void *arg)
{
	struct page *page = arg;
	bool on = store_goes_on(page->filter);
	const struct firestore_value behind = FS_INT(page->at);
	const struct firestore_find find = { on ? FQ_MESSAGES_ON : FQ_MESSAGES_BACK,
					     { FS_TEXT(page->filter->thread_id) },
					     page->batch,
					     &behind,
					     NULL };
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	for (size_t i = 0; code == ERROR_NONE && !page->is_over && i < found.count; i++) {
		int64_t seq = firestore_int(found.items[i].fields, "seq");

		if (seq <= 0) /* damaged: it has another type */
			continue;
		page->is_over = on ? seq >= page->before : seq <= page->after;
		if (!page->is_over)
			code = add(op, page, &found.items[i]);
		page->at = seq;
	}
	/* Other types stand behind all numbers. */
	page->is_over =
		page->is_over || found.count < page->batch || page->at == find.behind->number;
	return code;
}

/* A reply that would be too long is asked for in smaller pieces. */
static enum error_code read_all(struct firestore_op *op, struct page *page)
{
	enum error_code code = ERROR_NONE;

	page->batch = page->filter->limit + 1;
	page->at = store_goes_on(page->filter) ? page->after : page->before;
	while (code == ERROR_NONE && !page->is_over) {
		code = firestore_part_of(op, read_batch, page);
		if (code == ERROR_TOO_LARGE && page->batch > 1) {
			page->batch = (page->batch + 7) / 8;
			code = ERROR_NONE;
		}
	}
	return code;
}

/* Thread and borders at once. ERROR_VALIDATION: there is no such message. */
static enum error_code read_borders(struct firestore_op *op, struct page *page,
				    struct firestore_thread *thread)
{
	const char *ids[2] = { page->filter->after, page->filter->before };
	int64_t *numbers[2] = { &page->after, &page->before };
	struct firestore_name names[5] = {
		{ FS_THREADS, firestore_id(op, page->filter->thread_id) },
	};
	struct firestore_document found[5] = { 0 };
	const struct firestore_document *border;
	size_t count = 1, at = 1;
	enum error_code code;

	for (size_t i = 0; i < 2; i++)
		if (ids[i]) {
			firestore_message_names(op, page->filter->thread_id, ids[i], &names[count]);
			count += 2;
		}
	code = firestore_get(op, names, count, NULL, found);
	if (code == ERROR_NONE)
		code = firestore_thread_of(&found[0], page->filter->owner, &op->arena, thread);
	for (size_t i = 0; code == ERROR_NONE && i < 2; i++) {
		if (!ids[i])
			continue;
		border = firestore_pick(&found[at], page->filter->thread_id);
		at += 2;
		if (!border)
			return ERROR_VALIDATION;
		*numbers[i] = firestore_int(border->fields, "seq");
	}
	return code;
}

static bool has_no_number(const struct page *page)
{
	return (page->filter->after && page->after == 0) ||
	       (page->filter->before && page->before == 0);
}

static enum error_code list_messages(struct firestore_op *op, void *arg)
{
	struct page *page = arg;
	struct firestore_thread thread;
	enum error_code code;

	page->list = (struct message_list){ 0 };
	page->after = 0;
	page->before = INT64_MAX;
	page->bytes = 0;
	page->is_over = false;
	code = read_borders(op, page, &thread);
	if (code == ERROR_NONE)
		code = firestore_number(op, &thread);
	if (code == ERROR_NONE && has_no_number(page)) /* it has one by now */
		code = read_borders(op, page, &thread);
	if (code == ERROR_NONE && has_no_number(page))
		code = ERROR_VALIDATION;
	if (code == ERROR_NONE)
		code = read_all(op, page);
	return code == ERROR_NONE ? store_fits(page->arena) : code;
}

enum error_code firestore_message_list(void *self, const struct message_filter *filter,
				       struct arena *arena, struct message_list *out)
{
	struct page page = { .filter = filter, .arena = arena };
	enum error_code code = firestore_do(self, list_messages, &page);

	if (code != ERROR_NONE)
		return code;
	if (!store_goes_on(filter))
		store_reverse(&page.list);
	*out = page.list;
	return ERROR_NONE;
}

/* --- runs --- */

struct runs {
	const char *owner, *thread_id;
	size_t limit;
	int64_t since_ms; /* ended since then; 0: all */
	struct arena *arena;
	struct message_list list;
	int64_t at;
	bool is_over;
};

static enum error_code add_run(struct runs *runs, const struct firestore_document *document)
{
	struct message message;
	enum error_code code;

	if (!firestore_has(document->fields, "run_id"))
		return ERROR_NONE;
	code = firestore_take_message(document, runs->arena, &message, NULL);
	if (code == ERROR_CORRUPT)
		return ERROR_NONE;
	if (code != ERROR_NONE)
		return code;
	if (runs->since_ms > 0 &&
	    (message.status == STATUS_STREAMING || message.updated_ms < runs->since_ms))
		return ERROR_NONE;
	if ((runs->is_over = runs->list.more = runs->list.count == runs->limit))
		return ERROR_NONE;
	runs->list.items = store_grow(runs->arena, runs->list.items, runs->list.count,
				      sizeof *runs->list.items);
	if (!runs->list.items)
		return ERROR_OVERLOADED;
	runs->list.items[runs->list.count++] = message;
	return ERROR_NONE;
}

static enum error_code read_runs(struct firestore_op *op, void *arg)
{
	struct runs *runs = arg;
	const struct firestore_value behind = FS_INT(runs->at);
	const struct firestore_find find = { FQ_RUNS_OF,
					     { FS_TEXT(runs->thread_id),
					       FS_TEXT(message_role_text(ROLE_ASSISTANT)) },
					     runs->limit + 1,
					     runs->at >= 0 ? &behind : NULL,
					     NULL };
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	for (size_t i = 0; code == ERROR_NONE && !runs->is_over && i < found.count; i++) {
		runs->at = firestore_int(found.items[i].fields, "seq");
		code = add_run(runs, &found.items[i]);
	}
	runs->is_over = runs->is_over || found.count <= runs->limit;
	return code;
}

static enum error_code all_runs(struct firestore_op *op, struct runs *runs)
{
	enum error_code code = ERROR_NONE;

	runs->list = (struct message_list){ 0 };
	runs->at = -1;
	runs->is_over = false;
	while (code == ERROR_NONE && !runs->is_over)
		code = firestore_part_of(op, read_runs, runs);
	return code == ERROR_NONE ? store_fits(runs->arena) : code;
}

static enum error_code list_runs(struct firestore_op *op, void *arg)
{
	struct runs *runs = arg;
	struct firestore_thread thread;
	enum error_code code =
		firestore_thread_read(op, runs->owner, runs->thread_id, false, &op->arena, &thread);

	return code == ERROR_NONE ? all_runs(op, runs) : code;
}

enum error_code firestore_runs_of(void *self, const char *owner, const char *thread_id,
				  size_t limit, struct arena *arena, struct message_list *out)
{
	struct runs runs = {
		.owner = owner, .thread_id = thread_id, .limit = limit, .arena = arena
	};
	enum error_code code = firestore_do(self, list_runs, &runs);

	if (code == ERROR_NONE)
		*out = runs.list;
	return code;
}

enum error_code firestore_runs_ended(struct firestore_op *op, const char *thread_id,
				     struct arena *arena, struct message_list *out)
{
	struct runs runs = { .thread_id = thread_id,
			     .limit = RUNS_NAMED_MAX,
			     .since_ms = clock_wall_ms() - RUNS_KEPT_MS,
			     .arena = arena };
	enum error_code code = all_runs(op, &runs);

	if (code == ERROR_NONE)
		*out = runs.list;
	return code;
}
