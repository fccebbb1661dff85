/* store_list: lists that are filled, or told, row by row, within a limit, a budget and an arena;
 * and where a list of threads goes on. */
#include "store_ops.h"

#include <stdlib.h>

enum error_code store_fits(const struct arena *arena)
{
	return arena->failed ? ERROR_OVERLOADED : ERROR_NONE;
}

/* Doubled at each power of two; what is left behind goes with the arena. */
void *store_grow(struct arena *arena, void *items, size_t count, size_t size)
{
	void *grown;

	if ((count & (count - 1)) != 0)
		return items;
	grown = arena_alloc(arena, (count ? 2 * count : 1) * size);
	if (grown && count > 0)
		memcpy(grown, items, count * size);
	return grown;
}

/* --- messages --- */

struct message *store_next_message(struct message_fill *fill, size_t bytes)
{
	struct message_list *list = &fill->list;

	fill->bytes += bytes;
	list->more =
		list->count == fill->limit || (list->count > 0 && fill->bytes > fill->bytes_max);
	if (list->more)
		return NULL;
	if (fill->taker) {
		list->count++;
		return &fill->passing;
	}
	list->items = store_grow(fill->arena, list->items, list->count, sizeof *list->items);
	return list->items ? &list->items[list->count++] : NULL;
}

enum error_code store_took_message(struct message_fill *fill)
{
	const struct message_taker *taker = fill->taker;

	return !taker || taker->take(taker->self, &fill->passing) ? ERROR_NONE : ERROR_OVERLOADED;
}

enum error_code store_tell_messages(const struct message_filter *filter, struct message_list *list)
{
	const struct message_taker *taker = filter->taker;

	if (!taker || !list->items)
		return ERROR_NONE;
	for (size_t i = 0; i < list->count; i++)
		if (!taker->take(taker->self,
				 &list->items[store_goes_on(filter) ? i : list->count - 1 - i]))
			return ERROR_OVERLOADED;
	list->items = NULL;
	return ERROR_NONE;
}

void store_reverse(struct message_list *list)
{
	for (size_t i = 0, n = list->count; i < n / 2; i++) {
		struct message first = list->items[i];

		list->items[i] = list->items[n - 1 - i];
		list->items[n - 1 - i] = first;
	}
}

/* --- threads --- */

struct thread *store_next_thread(struct thread_fill *fill)
{
	struct thread_list *list = &fill->list;

	fill->more = list->count == fill->limit;
	if (fill->more)
		return NULL;
	if (fill->taker) {
		list->count++;
		return &fill->passing;
	}
	list->items = store_grow(fill->arena, list->items, list->count, sizeof *list->items);
	return list->items ? &list->items[list->count++] : NULL;
}

/* The page may go on behind it, when its bytes are gone. */
enum error_code store_took_thread(struct thread_fill *fill)
{
	const struct thread_taker *taker = fill->taker;

	if (!taker)
		return ERROR_NONE;
	fill->last_ms = fill->passing.updated_ms;
	id_copy(fill->last_id, fill->passing.id);
	return taker->take(taker->self, &fill->passing) ? ERROR_NONE : ERROR_OVERLOADED;
}

enum error_code store_tell_threads(const struct thread_taker *taker, struct thread_list *list)
{
	if (!taker || !list->items)
		return ERROR_NONE;
	for (size_t i = 0; i < list->count; i++)
		if (!taker->take(taker->self, &list->items[i]))
			return ERROR_OVERLOADED;
	list->items = NULL;
	return ERROR_NONE;
}

enum error_code store_threads_listed(struct thread_fill *fill, struct thread_list *out)
{
	const struct thread told = { .id = fill->last_id, .updated_ms = fill->last_ms };

	if (fill->more)
		fill->list.next = store_cursor(
			fill->taker ? &told : &fill->list.items[fill->list.count - 1], fill->arena);
	if (!fill->arena->failed)
		*out = fill->list;
	return store_fits(fill->arena);
}

enum error_code store_threads_scanned(struct thread_fill *fill, struct thread_list *out)
{
	if (fill->more)
		fill->list.next = fill->list.items[fill->list.count - 1].id;
	if (!fill->arena->failed)
		*out = fill->list;
	return store_fits(fill->arena);
}

const char *store_cursor(const struct thread *last, struct arena *arena)
{
	return arena_printf(arena, "%lld.%s", (long long)last->updated_ms, last->id);
}

bool store_cursor_read(const char *cursor, struct thread_page *page)
{
	char *end = NULL;
	long long ms = *cursor >= '0' && *cursor <= '9' ? strtoll(cursor, &end, 10) : 0;

	if (ms <= 0 || *end != '.' || !id_valid(slice_of(end + 1)))
		return false;
	page->last_ms = ms;
	page->last = end + 1;
	return true;
}
