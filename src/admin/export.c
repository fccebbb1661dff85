/* export: the scan of a store, written out. */
#include "admin/export.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/version.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE      200 /* threads */
#define ARENA_MAX ((size_t)256 << 20)
#define WRITE_AT  ((size_t)256 << 10)
#define OUT_MAX   (RECORD_MAX + 2 * WRITE_AT)

struct exporting {
	struct place *place;
	const char *user_id;
	int fd;
	struct buffer out;
	struct record_sum sum;
	int64_t whole; /* threads */
};

static bool flush(struct exporting *e, size_t least, struct error *err)
{
	size_t at = 0;

	if (e->out.failed)
		return error_set(err, ERROR_OVERLOADED, "No memory for a line.");
	if (e->out.len < least)
		return true;
	while (at < e->out.len) {
		ssize_t n = write(e->fd, e->out.data + at, e->out.len - at);

		if (n < 0 && errno == EINTR) {
			if (!watch_goes_on(e->place->watch, err))
				return false;
			continue;
		}
		if (n < 0)
			return error_set(err, ERROR_INTERNAL, "It cannot be written: %s.",
					 strerror(errno));
		at += (size_t)n;
	}
	buffer_shrink(&e->out, 2 * WRITE_AT);
	return true;
}

static bool put_messages(struct exporting *e, const struct message_list *page, struct error *err)
{
	for (size_t i = 0; i < page->count; i++) {
		if (!record_sum_message(&e->sum, &page->items[i]))
			return error_set(err, ERROR_OVERLOADED, "No memory for a line.");
		record_write_message(&e->out, &page->items[i]);
		if (!flush(e, WRITE_AT, err))
			return false;
	}
	return true;
}

/* Its first messages are read before it is written: one that is gone is not begun. */
static bool put_thread(struct exporting *e, const struct thread *thread, struct error *err)
{
	struct message_list page = { 0 };
	struct error mine = { 0 };
	bool begun = false, ok = true;
	char last[ID_MAX + 1];

	do {
		struct arena arena;

		arena_init(&arena, ARENA_MAX);
		ok = place_messages(e->place, thread->id, begun ? last : NULL, &arena, &page,
				    &mine);
		if (ok && !begun)
			ok = (record_sum_thread(&e->sum, thread) &&
			      record_write_thread(&e->out, thread)) ||
			     error_set(&mine, ERROR_OVERLOADED, "No memory for a thread.");
		ok = ok && put_messages(e, &page, &mine);
		if (ok && page.count > 0)
			snprintf(last, sizeof last, "%s", page.items[page.count - 1].id);
		begun = ok;
		arena_done(&arena);
	} while (ok && page.more && watch_goes_on(e->place->watch, &mine));
	if (mine.code == ERROR_NONE || mine.code == ERROR_NOT_FOUND)
		return true;
	if (err)
		*err = mine;
	return false;
}

static void tell(const struct exporting *e)
{
	const struct watch *watch = e->place->watch;
	const struct watch_step step = { .doing = "exporting",
					 .done = e->sum.threads,
					 .whole = e->whole,
					 .unit = "threads",
					 .messages = e->sum.messages };

	watch->step(watch->ctx, &step);
}

static bool put_all(struct exporting *e, struct error *err)
{
	char after[ID_MAX + 1] = "";
	bool more = true, ok = true;

	while (ok && more) {
		struct thread_list page = { 0 };
		struct arena arena;

		arena_init(&arena, ARENA_MAX);
		ok = place_scan(e->place, *after ? after : NULL, PAGE, &arena, &page, err);
		for (size_t i = 0; ok && i < page.count; i++) {
			if (e->user_id && strcmp(page.items[i].user_id, e->user_id) != 0)
				continue;
			ok = watch_goes_on(e->place->watch, err) &&
			     put_thread(e, &page.items[i], err);
			tell(e);
		}
		more = ok && page.next && page.count > 0;
		if (more)
			snprintf(after, sizeof after, "%s", page.items[page.count - 1].id);
		arena_done(&arena);
	}
	return ok;
}

bool export_to(struct place *place, const char *user_id, int fd, struct record_sum *out,
	       struct error *err)
{
	const struct record_header header = { .version = RECORD_VERSION,
					      .made_ms = clock_wall_ms(),
					      .by = "c1d " C1D_VERSION,
					      .user = user_id };
	struct exporting e = { .place = place, .user_id = user_id, .fd = fd };
	struct store_counts counts;
	bool ok;

	if (!place_counts(place, user_id, &counts, err))
		return false;
	e.whole = counts.threads;
	buffer_init(&e.out, OUT_MAX);
	record_write_header(&e.out, &header); /* what did not fit is flush's to tell */
	ok = put_all(&e, err);
	record_write_end(&e.out, &e.sum);
	ok = ok && flush(&e, 0, err);
	if (ok)
		*out = e.sum;
	buffer_done(&e.out);
	return ok;
}
