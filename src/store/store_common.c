/* store_common: what every store does the same way: lists, cursors, who may, what may be written
 * anew. */
#include "store_ops.h"

#include "base/id.h"
#include <stdlib.h>

void store_reverse(struct message_list *list)
{
	for (size_t i = 0, n = list->count; i < n / 2; i++) {
		struct message first = list->items[i];

		list->items[i] = list->items[n - 1 - i];
		list->items[n - 1 - i] = first;
	}
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

enum error_code store_fits(const struct arena *arena)
{
	return arena->failed ? ERROR_OVERLOADED : ERROR_NONE;
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

enum error_code store_may(const char *owner, const char *user_id)
{
	return !owner || (user_id && strcmp(owner, user_id) == 0) ? ERROR_NONE
								  : ERROR_ACCESS_DENIED;
}

bool store_can_take_over(const struct message *answer, const struct turn_open *open)
{
	return answer->role == ROLE_ASSISTANT && answer->status != STATUS_STREAMING &&
	       answer->unasked && answer->question && open->answer.question &&
	       strcmp(answer->question, open->answer.question) == 0 &&
	       strcmp(answer->id, open->answer.id) == 0 &&
	       strcmp(answer->thread_id, open->thread_id) == 0;
}

bool store_same_question(const struct message *stored, const struct message *wanted)
{
	return stored->role == wanted->role && slice_equal(stored->content, wanted->content);
}
