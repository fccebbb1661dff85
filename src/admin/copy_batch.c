/* copy_batch: messages are read page by page, each page into an arena of its own, and put together
 * with those of other threads. */
#include "copy_thread.h"

#include "base/crashpoint.h"
#include "base/id.h"
#include <stdio.h>
#include <stdlib.h>

#define ENOUGH       500 /* messages: a request of every store takes so many */
#define ENOUGH_BYTES ((size_t)4 << 20)
#define PAGE_MAX     500 /* of place_messages */
#define PAGES        256
#define ARENA_MAX    ((size_t)256 << 20)

struct batch {
	struct pair pair;
	struct thread threads[PAGES]; /* never more than pages */
	struct message messages[ENOUGH + PAGE_MAX];
	struct arena pages[PAGES];
	size_t thread_count, message_count, page_count, bytes;
};

struct batch *batch_open(const struct pair *pair, struct error *err)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (batch)
		batch->pair = *pair;
	else
		error_set(err, ERROR_OVERLOADED, "No memory for a batch.");
	return batch;
}

static void forget(struct batch *batch)
{
	for (size_t i = 0; i < batch->page_count; i++)
		arena_done(&batch->pages[i]);
	batch->thread_count = batch->message_count = batch->page_count = batch->bytes = 0;
}

void batch_free(struct batch *batch)
{
	if (batch)
		forget(batch);
	free(batch);
}

bool batch_put(struct batch *batch, struct error *err)
{
	bool ok = place_put(batch->pair.to, batch->threads, batch->thread_count, batch->messages,
			    batch->message_count, err);

	forget(batch);
	CRASHPOINT("copy_batch");
	return ok;
}

static bool is_enough(const struct batch *batch)
{
	return batch->message_count >= ENOUGH || batch->bytes >= ENOUGH_BYTES ||
	       batch->page_count == PAGES || batch->thread_count == PAGES;
}

/* Nobody at the target writes the answers that are being written. */
static void take_page(struct batch *batch, const struct message_list *page)
{
	for (size_t i = 0; i < page->count; i++) {
		struct message *message = &batch->messages[batch->message_count++];

		*message = page->items[i];
		batch->bytes += message->content.len;
		if (message->status == STATUS_STREAMING)
			message->status = STATUS_INTERRUPTED;
	}
}

/* The next page; false with ERROR_NOT_FOUND: the thread is gone. */
static bool read_page(struct batch *batch, const char *thread_id, const char *after,
		      struct message_list *page, struct error *err)
{
	struct arena *arena = &batch->pages[batch->page_count++];

	arena_init(arena, ARENA_MAX);
	return place_messages(batch->pair.from, thread_id, after, arena, page, err);
}

bool batch_add(struct batch *batch, const struct thread *thread, int64_t *messages,
	       struct error *err)
{
	struct message_list page = { .more = true };
	struct error mine = { 0 };
	char last[ID_MAX + 1] = "";

	for (bool is_first = true; page.more; is_first = false) {
		if (is_enough(batch) && !batch_put(batch, err))
			return false;
		if (!read_page(batch, thread->id, *last ? last : NULL, &page, &mine)) {
			if (mine.code != ERROR_NOT_FOUND && err)
				*err = mine;
			return mine.code == ERROR_NOT_FOUND;
		}
		if (is_first)
			batch->threads[batch->thread_count++] = *thread;
		take_page(batch, &page);
		*messages += (int64_t)page.count;
		if (page.count > 0)
			snprintf(last, sizeof last, "%s", page.items[page.count - 1].id);
	}
	return true;
}
