/* copy_pair: one thread on both sides: summed up, and made equal. */
#include "copy_thread.h"

#include "base/id.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)256 << 20)
#define DROP_STEP 500

/* Calls `each` with every message of a thread, page by page. A thread that is gone has none. */
static bool each_message(struct place *place, const char *thread_id,
			 bool (*each)(void *ctx, const struct message *message, struct error *err),
			 void *ctx, struct error *err)
{
	struct message_list page = { .more = true };
	struct error mine = { 0 };
	char last[ID_MAX + 1] = "";
	bool ok = true;

	while (ok && page.more) {
		struct arena arena;

		arena_init(&arena, ARENA_MAX);
		ok = place_messages(place, thread_id, *last ? last : NULL, &arena, &page, &mine);
		for (size_t i = 0; ok && i < page.count; i++)
			ok = each(ctx, &page.items[i], &mine);
		if (ok && page.count > 0)
			snprintf(last, sizeof last, "%s", page.items[page.count - 1].id);
		arena_done(&arena);
	}
	if (ok || mine.code == ERROR_NOT_FOUND)
		return true;
	if (err)
		*err = mine;
	return false;
}

/* --- sums --- */

static bool sum_message(void *ctx, const struct message *message, struct error *err)
{
	return record_sum_message(ctx, message) ||
	       error_set(err, ERROR_OVERLOADED, "No memory for a message.");
}

static bool sum_side(struct place *place, const struct thread *thread, struct record_sum *sum,
		     struct error *err)
{
	if (!thread)
		return true;
	if (!record_sum_thread(sum, thread))
		return error_set(err, ERROR_OVERLOADED, "No memory for a thread.");
	return each_message(place, thread->id, sum_message, sum, err);
}

bool pair_sums(const struct pair *pair, const struct thread *from, const struct thread *to,
	       struct record_sum *source, struct record_sum *target, struct error *err)
{
	return sum_side(pair->from, from, source, err) && sum_side(pair->to, to, target, err);
}

/* --- what the target has besides --- */

struct names {
	struct arena arena;
	const char **items;
	size_t count, room;
};

static bool name_message(void *ctx, const struct message *message, struct error *err)
{
	struct names *names = ctx;

	if (names->count == names->room) {
		size_t room = names->room ? 2 * names->room : 256;
		const char **items = realloc(names->items, room * sizeof(const char *));

		if (!items)
			return error_set(err, ERROR_OVERLOADED, "No memory for a thread.");
		names->items = items;
		names->room = room;
	}
	names->items[names->count++] = arena_text(&names->arena, message->id);
	return !names->arena.failed || error_set(err, ERROR_OVERLOADED, "No memory for a thread.");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Those of `all` that are not in `kept` come to the front; how many. */
static size_t besides(struct names *all, const struct names *kept)
{
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		if (kept->count == 0 || !bsearch(&all->items[i], kept->items, kept->count,
						 sizeof(const char *), by_name))
			all->items[count++] = all->items[i];
	return count;
}

static bool drop_besides(const struct pair *pair, const char *thread_id, struct names *kept,
			 struct names *all, struct error *err)
{
	size_t count;

	if (!each_message(pair->from, thread_id, name_message, kept, err) ||
	    !each_message(pair->to, thread_id, name_message, all, err))
		return false;
	if (kept->count > 0)
		qsort(kept->items, kept->count, sizeof(const char *), by_name);
	count = besides(all, kept);
	for (size_t at = 0; at < count; at += DROP_STEP)
		if (!place_drop(pair->to, thread_id, all->items + at,
				count - at < DROP_STEP ? count - at : DROP_STEP, err))
			return false;
	return true;
}

static bool put_again(const struct pair *pair, const struct thread *thread, struct error *err)
{
	struct batch *batch = batch_open(pair, err);
	int64_t messages = 0;
	bool ok = batch && batch_add(batch, thread, &messages, err) && batch_put(batch, err);

	batch_free(batch);
	return ok;
}

/* Dropped first: what comes may have the number of one that goes. */
bool pair_mend(const struct pair *pair, const char *thread_id, struct error *err)
{
	struct names kept = { 0 }, all = { 0 };
	struct error mine = { 0 };
	struct thread thread;
	struct arena arena;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	arena_init(&kept.arena, ARENA_MAX);
	arena_init(&all.arena, ARENA_MAX);
	ok = place_thread(pair->from, thread_id, &arena, &thread, &mine) &&
	     drop_besides(pair, thread_id, &kept, &all, &mine) && put_again(pair, &thread, &mine);
	arena_done(&arena);
	arena_done(&kept.arena);
	arena_done(&all.arena);
	free(kept.items);
	free(all.items);
	if (!ok && mine.code != ERROR_NOT_FOUND && err)
		*err = mine;
	return ok || mine.code == ERROR_NOT_FOUND;
}
