/*
 * cache_ops: the functions of a store. What is kept is read from Redis; each change holds its
 * thread; the rest goes on to the store behind. See cache_room.h.
 */
#include "cache_room.h"

#include <stdio.h>
#include <stdlib.h>

/* The next function's answer. */
#define BEHIND(op, ...)                                                                            \
	((struct cache *)self)->behind->op(((struct cache *)self)->self, __VA_ARGS__)

/* --- what is kept --- */

static void count(bool is_hit)
{
	metrics_add(M_CACHE, is_hit ? METRIC_CACHE_hit : METRIC_CACHE_bad, 0, 1);
}

enum error_code cache_thread_get(void *self, const char *owner, const char *id, struct arena *arena,
				 struct thread *out)
{
	struct cache_found found;
	struct thread thread;
	struct buffer value;
	enum error_code code;

	cache_read(self, id, CACHE_THREAD, arena, &found);
	if (found.value.ptr) {
		bool ok = cache_read_thread(found.value, id, &thread) &&
			  store_may(owner, thread.user_id) == ERROR_NONE;

		count(ok);
		if (ok) {
			*out = thread;
			return ERROR_NONE;
		}
	}
	code = BEHIND(thread_get, owner, id, arena, out);
	if (code != ERROR_NONE || !*found.stamp)
		return code;
	buffer_init(&value, CACHE_VALUE_MAX);
	if (cache_write_thread(out, &value))
		cache_keep(self, id, CACHE_THREAD, found.stamp, out->user_id, buffer_slice(&value));
	buffer_done(&value);
	return code;
}

static bool is_newest(const struct message_filter *filter)
{
	return !filter->before && !filter->after && !filter->from_start;
}

/* Whose page it is only he has to know who is asked for it: to others it is as good as not there.
 */
static bool may_read(const struct message_filter *filter, const char *owner)
{
	return !filter->owner || (owner && strcmp(filter->owner, owner) == 0);
}

enum error_code cache_message_list(void *self, const struct message_filter *filter,
				   struct arena *arena, struct message_list *out)
{
	char field[CACHE_FIELD_MAX];
	struct cache_found found = { 0 };
	struct message_filter listed;
	struct message_list page;
	struct buffer value;
	const char *owner;
	enum error_code code;

	snprintf(field, sizeof field, "page:%zu:%zu", filter->limit, filter->bytes_max);
	if (is_newest(filter))
		cache_read(self, filter->thread_id, field, arena, &found);
	if (found.value.ptr) {
		bool ok = cache_read_page(found.value, filter->thread_id, field, arena, &owner,
					  &page) &&
			  may_read(filter, owner);

		count(ok);
		if (ok) {
			*out = page;
			return ERROR_NONE;
		}
	}
	if (!*found.stamp)
		return BEHIND(message_list, filter, arena, out);
	listed = *filter;
	listed.taker = NULL; /* what is to be kept is listed */
	code = BEHIND(message_list, &listed, arena, out);
	if (code != ERROR_NONE)
		return code;
	buffer_init(&value, CACHE_VALUE_MAX);
	if (cache_write_page(filter->thread_id, field, filter->owner, out, &value))
		cache_keep(self, filter->thread_id, field, found.stamp, filter->owner,
			   buffer_slice(&value));
	buffer_done(&value);
	return code;
}

/* --- what changes a thread --- */

#define HOLDING(thread_id, op, ...)                                                                \
	struct cache_hold hold;                                                                    \
	enum error_code code;                                                                      \
                                                                                                   \
	cache_take_hold(self, thread_id, &hold);                                                   \
	code = BEHIND(op, __VA_ARGS__);                                                            \
	cache_let_go(self, thread_id, &hold, code);                                                \
	return code

enum error_code cache_thread_update(void *self, const char *owner, const char *id,
				    const struct thread_patch *patch, struct arena *arena,
				    struct thread *out)
{
	HOLDING(id, thread_update, owner, id, patch, arena, out);
}

enum error_code cache_thread_delete(void *self, const char *owner, const char *id,
				    struct arena *arena, struct thread_deleted *out)
{
	HOLDING(id, thread_delete, owner, id, arena, out);
}

enum error_code cache_messages_add(void *self, const char *owner, const char *thread_id,
				   struct message *messages, size_t count)
{
	HOLDING(thread_id, messages_add, owner, thread_id, messages, count);
}

enum error_code cache_message_update(void *self, const char *owner, const char *thread_id,
				     const char *id, const struct message_patch *patch,
				     struct arena *arena, struct message *out)
{
	HOLDING(thread_id, message_update, owner, thread_id, id, patch, arena, out);
}

enum error_code cache_turn_open(void *self, const struct turn_open *open, struct arena *arena,
				struct turn_opened *out)
{
	HOLDING(open->thread_id, turn_open, open, arena, out);
}

enum error_code cache_finish(void *self, const struct finish *finish, bool *applied)
{
	HOLDING(finish->thread_id, finish, finish, applied);
}

enum error_code cache_messages_drop(void *self, const char *thread_id, const char *const *ids,
				    size_t count)
{
	HOLDING(thread_id, messages_drop, thread_id, ids, count);
}

/* Which they are nobody knows beforehand. */
enum error_code cache_threads_take(void *self, const char *from, const char *to, size_t limit,
				   size_t *taken, bool *more)
{
	cache_moved(self, from);
	return BEHIND(threads_take, from, to, limit, taken, more);
}

/* --- what changes many --- */

struct holds {
	struct cache_hold *items;
	const char **ids;
	size_t count;
};

/* One after the other of the same thread is held once. */
static bool hold_many(struct cache *cache, const char *(*id_of)(const void *things, size_t i),
		      const void *things, size_t count, struct holds *out)
{
	*out = (struct holds){ calloc(count, sizeof *out->items), calloc(count, sizeof *out->ids),
			       0 };
	if (!out->items || !out->ids)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *id = id_of(things, i);

		if (out->count > 0 && strcmp(out->ids[out->count - 1], id) == 0)
			continue;
		out->ids[out->count] = id;
		cache_take_hold(cache, id, &out->items[out->count++]);
	}
	return true;
}

static void let_many_go(struct cache *cache, struct holds *holds, enum error_code code)
{
	for (size_t i = 0; i < holds->count; i++)
		cache_let_go(cache, holds->ids[i], &holds->items[i], code);
	free(holds->items);
	free(holds->ids);
}

#define HOLDING_MANY(id_of, op, things, n)                                                         \
	struct holds holds;                                                                        \
	enum error_code code = ERROR_INTERNAL;                                                     \
                                                                                                   \
	if (hold_many(self, id_of, things, n, &holds))                                             \
		code = BEHIND(op, things, n);                                                      \
	let_many_go(self, &holds, code);                                                           \
	return code

static const char *thread_of_thread(const void *things, size_t i)
{
	return ((const struct thread *)things)[i].id;
}

static const char *thread_of_message(const void *things, size_t i)
{
	return ((const struct message *)things)[i].thread_id;
}

enum error_code cache_threads_put(void *self, const struct thread *threads, size_t count)
{
	HOLDING_MANY(thread_of_thread, threads_put, threads, count);
}

enum error_code cache_messages_put(void *self, const struct message *messages, size_t count)
{
	HOLDING_MANY(thread_of_message, messages_put, messages, count);
}

/* --- what goes on to the store --- */

/* Of an id that is not there nothing is kept. */
enum error_code cache_thread_insert(void *self, const struct thread *thread)
{
	return BEHIND(thread_insert, thread);
}

enum error_code cache_thread_list(void *self, const struct thread_page *page, struct arena *arena,
				  struct thread_list *out)
{
	return BEHIND(thread_list, page, arena, out);
}

/* Its thread is deleted: nobody reads them any more. */
enum error_code cache_thread_purge(void *self, const char *id, size_t limit, bool *more)
{
	return BEHIND(thread_purge, id, limit, more);
}

enum error_code cache_sweep(void *self, int64_t silent_ms, int64_t deleted_ms, size_t limit,
			    bool *more)
{
	return BEHIND(sweep, silent_ms, deleted_ms, limit, more);
}

enum error_code cache_message_get(void *self, const char *owner, const char *thread_id,
				  const char *id, struct arena *arena, struct message *out)
{
	return BEHIND(message_get, owner, thread_id, id, arena, out);
}

enum error_code cache_message_by_run(void *self, const char *owner, const char *run_id,
				     struct arena *arena, struct message *out)
{
	return BEHIND(message_by_run, owner, run_id, arena, out);
}

enum error_code cache_runs_of(void *self, const char *owner, const char *thread_id, size_t limit,
			      struct arena *arena, struct message_list *out)
{
	return BEHIND(runs_of, owner, thread_id, limit, arena, out);
}

enum error_code cache_turn_find(void *self, const char *owner, const char *thread_id,
				const char *answer_id, const char *key, struct arena *arena,
				struct message *out)
{
	return BEHIND(turn_find, owner, thread_id, answer_id, key, arena, out);
}

enum error_code cache_node_beat(void *self, const char *node, int64_t *now_ms)
{
	enum error_code code = BEHIND(node_beat, node, now_ms);

	cache_attend(self, node);
	return code;
}

enum error_code cache_claims_of_dead(void *self, int64_t silent_ms, size_t limit,
				     struct arena *arena, struct claim_list *out)
{
	return BEHIND(claims_of_dead, silent_ms, limit, arena, out);
}

/* A wish stands beside the claim; a thread does not show it. */
enum error_code cache_stop_ask(void *self, const char *owner, const char *run_id)
{
	return BEHIND(stop_ask, owner, run_id);
}

enum error_code cache_stops_of(void *self, const char *node, struct arena *arena,
			       struct claim_list *out)
{
	return BEHIND(stops_of, node, arena, out);
}

enum error_code cache_thread_scan(void *self, const char *after, size_t limit, struct arena *arena,
				  struct thread_list *out)
{
	return BEHIND(thread_scan, after, limit, arena, out);
}

enum error_code cache_counts(void *self, const char *user_id, struct store_counts *out)
{
	return BEHIND(counts, user_id, out);
}

enum error_code cache_migrate(void *self, struct error *err)
{
	return BEHIND(migrate, err);
}

enum error_code cache_version(void *self, struct store_version *out)
{
	return BEHIND(version, out);
}
