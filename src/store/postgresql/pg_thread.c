/* pg_thread: threads put in, read, listed, changed and taken. */
#include "pg_room.h"

#include <stdlib.h>

/* --- rows --- */

void pg_thread_take(const PGresult *rows, int row, struct arena *arena, struct thread *out)
{
	*out = (struct thread){
		.id = pg_column_text(rows, row, 0, arena),
		.user_id = pg_column_text(rows, row, 1, arena),
		.title = pg_column_text(rows, row, 2, arena),
		.created_ms = pg_column_time(rows, row, 3),
		.updated_ms = pg_column_time(rows, row, 4),
		.rev = pg_column_int(rows, row, 5),
		.archived = pg_column_int(rows, row, 6) != 0,
		.run = { .id = pg_column_text(rows, row, 7, arena),
			 .message_id = pg_column_text(rows, row, 8, arena),
			 .node = pg_column_text(rows, row, 9, arena) },
		.metadata = pg_column_text(rows, row, 10, arena),
	};
}

enum error_code pg_thread_answer(struct pg_call *call, struct arena *arena, struct thread *out)
{
	const PGresult *rows;
	enum error_code code = pg_answer(call, &rows);

	if (code == ERROR_NONE && PQntuples(rows) == 0)
		code = ERROR_NOT_FOUND;
	if (code != ERROR_NONE)
		return code;
	pg_thread_take(rows, 0, arena, out);
	return store_fits(arena);
}

enum error_code pg_user_answer(struct pg_call *call, const char *owner)
{
	const PGresult *rows;
	enum error_code code = pg_answer(call, &rows);

	if (code == ERROR_NONE && PQntuples(rows) == 0)
		code = ERROR_NOT_FOUND;
	return code == ERROR_NONE && owner &&
			       !slice_is((struct slice){ PQgetvalue(rows, 0, 0),
							 (size_t)PQgetlength(rows, 0, 0) },
					 owner)
		       ? ERROR_ACCESS_DENIED
		       : code;
}

/* --- one --- */

void pg_thread_ask_insert(struct pg_call *call, const struct thread *thread)
{
	char *made;
	struct sql_value json = pg_json_of(thread->metadata, &made);

	pg_ask(call, SQL_THREAD_INSERT,
	       SQL_VALUES(sql_text(thread->id), sql_text(thread->user_id), sql_text(thread->title),
			  sql_time(thread->created_ms), sql_time(thread->updated_ms),
			  sql_int(thread->rev), sql_int(thread->archived), sql_text(thread->run.id),
			  sql_text(thread->run.message_id), sql_text(thread->run.node),
			  sql_text(thread->metadata), json));
	free(made);
}

static enum error_code insert(struct pg_call *call, const struct thread *thread)
{
	enum error_code code;

	pg_thread_ask_insert(call, thread);
	pg_commit(call);
	code = pg_answer(call, NULL);
	return code == ERROR_NONE && pg_changed(call) == 0 ? ERROR_CONFLICT : code;
}

enum error_code pg_thread_insert(void *self, const struct thread *thread)
{
	struct pg_call call = { .pool = self, .is_write = true };

	while (pg_begin(&call))
		pg_end(&call, insert(&call, thread));
	return call.code;
}

static enum error_code get(struct pg_call *call, const char *owner, const char *id,
			   struct arena *arena, struct thread *out)
{
	enum error_code code;

	pg_ask(call, SQL_THREAD_GET, SQL_VALUES(sql_text(id)));
	code = pg_thread_answer(call, arena, out);
	return code == ERROR_NONE ? store_may(owner, out->user_id) : code;
}

enum error_code pg_thread_get(void *self, const char *owner, const char *id, struct arena *arena,
			      struct thread *out)
{
	struct pg_call call = { .pool = self };
	struct thread thread;

	while (pg_begin(&call))
		pg_end(&call, get(&call, owner, id, arena, &thread));
	if (call.code == ERROR_NONE)
		*out = thread;
	return call.code;
}

/* --- many --- */

/* %q% with what LIKE understands escaped. NULL: the arena is full. */
static const char *pattern_of(const char *q, struct arena *arena)
{
	char *pattern = arena_alloc(arena, 2 * strlen(q) + 3);
	size_t len = 0;

	if (!pattern)
		return NULL;
	pattern[len++] = '%';
	for (; *q; q++) {
		if (strchr("%_\\", *q))
			pattern[len++] = '\\';
		pattern[len++] = *q;
	}
	pattern[len] = '%';
	return pattern;
}

static void ask_list(struct pg_call *call, const struct thread_page *page, struct arena *arena)
{
	const char *q = page->q && *page->q ? page->q : NULL;
	const struct sql_value last =
		page->last ? sql_time(page->last_ms)
			   : (struct sql_value){ .kind = SQL_WORD, .text = SLICE("infinity") };
	const struct sql_value values[] = {
		sql_text(page->user_id),
		sql_int(page->archived),
		last,
		sql_text(page->last ? page->last : ""),
		sql_int((int64_t)page->limit + 1),
		sql_text(q ? pattern_of(q, arena) : NULL),
		sql_text(q),
	};
	static const enum sql_id lists[2][2] = { { SQL_THREADS_OF_ALL, SQL_THREADS_OF_USER },
						 { SQL_FOUND_OF_ALL, SQL_FOUND_OF_USER } };

	pg_ask(call, lists[q != NULL][page->user_id != NULL], values, q ? 7 : 5);
}

static enum error_code list(struct pg_call *call, const struct thread_page *page,
			    struct arena *arena, struct thread_list *out)
{
	const PGresult *rows;
	enum error_code code;

	*out = (struct thread_list){ 0 };
	ask_list(call, page, arena);
	code = pg_answer(call, &rows);
	if (code != ERROR_NONE)
		return code;
	for (int i = 0; i < PQntuples(rows) && out->count < page->limit; i++) {
		out->items = store_grow(arena, out->items, out->count, sizeof *out->items);
		if (out->items)
			pg_thread_take(rows, i, arena, &out->items[out->count++]);
		if ((code = store_fits(arena)) != ERROR_NONE)
			return code;
	}
	if ((size_t)PQntuples(rows) > page->limit && out->count > 0)
		out->next = store_cursor(&out->items[out->count - 1], arena);
	return store_fits(arena);
}

enum error_code pg_thread_list(void *self, const struct thread_page *page, struct arena *arena,
			       struct thread_list *out)
{
	struct pg_call call = { .pool = self };
	struct thread_list found;

	while (pg_begin(&call))
		pg_end(&call, list(&call, page, arena, &found));
	if (call.code == ERROR_NONE)
		*out = found;
	return call.code;
}

/* --- changes --- */

/* The change, and what is there behind it: who may not, or comes with an old rev, changes nothing
 * and sees why. */
static enum error_code update(struct pg_call *call, const char *owner, const char *id,
			      const struct thread_patch *patch, struct arena *arena,
			      struct thread *out)
{
	enum error_code code;
	size_t changed;
	char *made;
	struct sql_value json = pg_json_of(patch->metadata, &made);

	pg_ask(call, SQL_THREAD_UPDATE,
	       SQL_VALUES(sql_text(id), sql_text(owner), sql_text(patch->title),
			  sql_text(patch->metadata), json, sql_int(patch->archived),
			  sql_time(patch->now_ms), sql_int(patch->if_rev)));
	free(made);
	pg_ask(call, SQL_THREAD_GET, SQL_VALUES(sql_text(id)));
	pg_commit(call);
	code = pg_answer(call, NULL);
	changed = pg_changed(call);
	if (code == ERROR_NONE)
		code = pg_thread_answer(call, arena, out);
	if (code == ERROR_NONE)
		code = store_may(owner, out->user_id);
	return code == ERROR_NONE && changed == 0 ? ERROR_PRECONDITION : code;
}

enum error_code pg_thread_update(void *self, const char *owner, const char *id,
				 const struct thread_patch *patch, struct arena *arena,
				 struct thread *out)
{
	struct pg_call call = { .pool = self, .is_write = true };
	struct thread thread;

	while (pg_begin(&call))
		pg_end(&call, update(&call, owner, id, patch, arena, &thread));
	if (call.code == ERROR_NONE)
		*out = thread;
	return call.code;
}

static enum error_code take(struct pg_call *call, const char *from, const char *to, size_t limit,
			    size_t *taken)
{
	enum error_code code;

	pg_ask(call, SQL_THREADS_TAKE,
	       SQL_VALUES(sql_text(from), sql_text(to), sql_int((int64_t)limit)));
	pg_commit(call);
	code = pg_answer(call, NULL);
	*taken = pg_changed(call);
	return code;
}

enum error_code pg_threads_take(void *self, const char *from, const char *to, size_t limit,
				size_t *taken, bool *more)
{
	struct pg_call call = { .pool = self, .is_write = true };
	size_t count = 0;

	while (pg_begin(&call))
		pg_end(&call, take(&call, from, to, limit, &count));
	if (call.code == ERROR_NONE) {
		*taken = count;
		*more = count == limit;
	}
	return call.code;
}
