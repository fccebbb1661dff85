/*
 * pg_copy: whole stores, for administrators: threads read in the order of their ids, threads and
 * messages put as another store had them, counted. What is put is one transaction; its statements
 * go to the server some hundred at a time.
 */
#include "pg_room.h"

#include <stdlib.h>

#define AT_ONCE 128 /* threads or messages, each of a few statements */

/* --- reading --- */

static enum error_code scan(struct pg_call *call, const char *after, size_t limit,
			    struct arena *arena, struct thread_list *out)
{
	const PGresult *rows;
	enum error_code code;

	*out = (struct thread_list){ 0 };
	pg_ask(call, SQL_THREAD_SCAN,
	       SQL_VALUES(sql_text(after ? after : ""), sql_int((int64_t)limit + 1)));
	code = pg_answer(call, &rows);
	for (int i = 0; code == ERROR_NONE && i < PQntuples(rows) && out->count < limit; i++) {
		out->items = store_grow(arena, out->items, out->count, sizeof *out->items);
		if (out->items)
			pg_thread_take(rows, i, arena, &out->items[out->count++]);
		code = store_fits(arena);
	}
	if (code == ERROR_NONE && (size_t)PQntuples(rows) > limit && out->items)
		out->next = out->items[out->count - 1].id;
	return code;
}

enum error_code pg_thread_scan(void *self, const char *after, size_t limit, struct arena *arena,
			       struct thread_list *out)
{
	struct pg_call call = { .pool = self };
	struct thread_list found;

	while (pg_begin(&call))
		pg_end(&call, scan(&call, after, limit, arena, &found));
	if (call.code == ERROR_NONE)
		*out = found;
	return call.code;
}

static enum error_code count(struct pg_call *call, const char *user_id, struct store_counts *out)
{
	int64_t *const counts[] = { &out->threads, &out->messages };
	const PGresult *rows;
	enum error_code code;

	pg_may_last(call);
	pg_ask(call, SQL_COUNT_THREADS, SQL_VALUES(sql_text(user_id)));
	pg_ask(call, SQL_COUNT_MESSAGES, SQL_VALUES(sql_text(user_id)));
	code = pg_answer(call, NULL);
	for (int i = 0; code == ERROR_NONE && i < 2; i++)
		if ((code = pg_answer(call, &rows)) == ERROR_NONE)
			*counts[i] = pg_column_int(rows, 0, 0);
	return code;
}

enum error_code pg_counts(void *self, const char *user_id, struct store_counts *out)
{
	struct pg_call call = { .pool = self, .is_write = true }; /* for its longer limit alone */
	struct store_counts counts;

	while (pg_begin(&call))
		pg_end(&call, count(&call, user_id, &counts));
	if (call.code == ERROR_NONE)
		*out = counts;
	return call.code;
}

/* --- putting --- */

static enum error_code skip_answers(struct pg_call *call, size_t count)
{
	enum error_code code = ERROR_NONE;

	while (code == ERROR_NONE && count-- > 0)
		code = pg_answer(call, NULL);
	return code;
}

/* What a mark was still to remove must not come back with its thread. */
static size_t ask_put_thread(struct pg_call *call, const struct thread *thread)
{
	const struct sql_value id = sql_text(thread->id);
	char *made;
	struct sql_value json = pg_json_of(thread->metadata, &made);

	pg_ask(call, SQL_MESSAGES_PURGE, SQL_VALUES(id, sql_int(INT64_MAX)));
	pg_ask(call, SQL_MARK_DROP, SQL_VALUES(id));
	pg_ask(call, SQL_THREAD_PUT,
	       SQL_VALUES(id, sql_text(thread->user_id), sql_text(thread->title),
			  sql_time(thread->created_ms), sql_time(thread->updated_ms),
			  sql_int(thread->rev), sql_int(thread->archived),
			  sql_text(thread->metadata), json));
	free(made);
	return 3;
}

static enum error_code put_threads(struct pg_call *call, const struct thread *threads, size_t count)
{
	enum error_code code;

	pg_ask(call, SQL_OWN, NULL, 0);
	code = pg_answer(call, NULL);
	for (size_t i = 0; code == ERROR_NONE && i < count;) {
		size_t asked = 0;

		for (size_t n = 0; n < AT_ONCE && i < count; n++)
			asked += ask_put_thread(call, &threads[i++]);
		code = skip_answers(call, asked);
	}
	return code;
}

enum error_code pg_threads_put(void *self, const struct thread *threads, size_t count)
{
	struct pg_call call = { .pool = self, .is_write = true };

	while (pg_begin(&call))
		pg_end(&call, put_threads(&call, threads, count));
	return call.code;
}

/* What has its number or its key gives way. */
static size_t ask_put_message(struct pg_call *call, const struct message *m)
{
	const struct sql_value thread = sql_text(m->thread_id), id = sql_text(m->id);

	pg_ask(call, SQL_NUMBER_FREE, SQL_VALUES(thread, sql_int(m->seq), id));
	if (m->key)
		pg_ask(call, SQL_KEY_FREE, SQL_VALUES(sql_text(m->key), thread, id));
	pg_message_ask(call, SQL_MESSAGE_PUT, NULL, m->thread_id, m);
	return m->key ? 3 : 2;
}

/* Some messages of one thread, which has to be there. */
static enum error_code put_some(struct pg_call *call, const struct message *messages, size_t count)
{
	size_t asked = 0;
	enum error_code code;

	pg_ask(call, SQL_THREAD_USER, SQL_VALUES(sql_text(messages[0].thread_id)));
	for (size_t i = 0; i < count; i++)
		asked += ask_put_message(call, &messages[i]);
	code = pg_user_answer(call, NULL);
	return code == ERROR_NONE ? skip_answers(call, asked) : code;
}

static enum error_code put_messages(struct pg_call *call, const struct message *messages,
				    size_t count)
{
	enum error_code code = ERROR_NONE;

	for (size_t i = 0, n; code == ERROR_NONE && i < count; i += n) {
		for (n = 1; n < AT_ONCE && i + n < count &&
			    strcmp(messages[i + n].thread_id, messages[i].thread_id) == 0;)
			n++;
		code = put_some(call, messages + i, n);
	}
	return code;
}

enum error_code pg_messages_put(void *self, const struct message *messages, size_t count)
{
	struct pg_call call = { .pool = self, .is_write = true };

	while (pg_begin(&call))
		pg_end(&call, put_messages(&call, messages, count));
	return call.code;
}

static enum error_code drop(struct pg_call *call, const char *thread_id, const char *const *ids,
			    size_t count)
{
	enum error_code code = ERROR_NONE;

	for (size_t i = 0, n; code == ERROR_NONE && i < count; i += n) {
		for (n = 0; n < AT_ONCE && i + n < count; n++)
			pg_ask(call, SQL_MESSAGE_DROP,
			       SQL_VALUES(sql_text(thread_id), sql_text(ids[i + n])));
		code = skip_answers(call, n);
	}
	return code;
}

enum error_code pg_messages_drop(void *self, const char *thread_id, const char *const *ids,
				 size_t count)
{
	struct pg_call call = { .pool = self, .is_write = true };

	while (pg_begin(&call))
		pg_end(&call, drop(&call, thread_id, ids, count));
	return call.code;
}
