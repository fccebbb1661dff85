/* place: calls with patience. */
#include "admin/place.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_MS     50 /* doubled up to */
#define PAUSE_MAX_MS 2000
#define ARENA_MAX    ((size_t)256 << 20)
#define PAGE         500
#define PAGE_BYTES   ((size_t)4 << 20)
#define PUT_THREADS  100
#define STEP_MAX     500
#define PURGE_STEP   500

/* --- opening --- */

static void write_name(const char *uri, char out[PLACE_NAME_SIZE])
{
	const char *host = strstr(uri, "//"), *at = host ? strrchr(host, '@') : NULL;

	if (at)
		snprintf(out, PLACE_NAME_SIZE, "%.*s%s", (int)(host + 2 - uri), uri, at + 1);
	else
		snprintf(out, PLACE_NAME_SIZE, "%s", uri);
	out[strcspn(out, "?")] = '\0';
}

/* Opening a file of SQLite makes it: a name that was mistyped would be an empty store. */
static bool is_there(const char *uri)
{
	static const char scheme[] = "sqlite:";

	return strncmp(uri, scheme, sizeof scheme - 1) != 0 ||
	       access(uri + sizeof scheme - 1, F_OK) == 0;
}

/* Which of two stores does not is worth to know. */
static bool answers(struct place *place, struct error *err)
{
	struct error mine = { 0 };

	if (store_ping(place->store, &mine) || mine.code == ERROR_STORE_FULL)
		return true;
	place_close(place);
	return error_set(err, mine.code, "%.120s: %s", place->name, mine.detail);
}

bool place_open(struct place *place, const char *uri, const struct config *config,
		enum place_for what, const struct watch *watch, struct error *err)
{
	*place = (struct place){ .config = *config, .watch = watch, .step = STEP_MAX };
	if (what == PLACE_READ || strcmp(uri, config->store_uri) != 0)
		place->config.cache_s = 0;
	write_name(uri, place->name);
	if (what != PLACE_MAKE && !is_there(uri))
		return error_set(err, ERROR_NOT_FOUND, "There is no %s.", place->name);
	store_wake(uri);
	place->store = store_open_uri(uri, &place->config, NULL, err);
	if (!place->store)
		return false;
	return answers(place, err);
}

void place_close(struct place *place)
{
	store_free(place->store);
	place->store = NULL;
}

/* --- patience --- */

struct patience {
	struct place *place;
	int64_t until_ms, pause_ms; /* monotonic; 0: nothing has failed yet */
};

static bool may_pass(enum error_code code)
{
	return code == ERROR_STORE_DOWN || code == ERROR_STORE_TIMEOUT || code == ERROR_OVERLOADED;
}

static void pause_for(int64_t ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* After a failure: shall it be tried again? Waits before it says so. */
static bool again(struct patience *patience, struct arena *arena, const struct error *err)
{
	const struct watch *watch = patience->place->watch;
	int64_t now_ms = clock_mono_ms();

	if (!may_pass(err->code) || (arena && arena->failed))
		return false;
	if (patience->until_ms == 0) {
		patience->until_ms = now_ms + PLACE_PATIENCE_MS;
		patience->pause_ms = PAUSE_MS;
	} else if (patience->pause_ms >= PAUSE_MAX_MS / 2) {
		watch->say(watch->ctx, "%s: %s", patience->place->name, err->detail);
	}
	if (now_ms >= patience->until_ms || watch->stopped(watch->ctx))
		return false;
	pause_for(patience->pause_ms);
	if (patience->pause_ms < PAUSE_MAX_MS)
		patience->pause_ms *= 2;
	store_probe(patience->place->store);
	if (arena) {
		arena_done(arena);
		arena_init(arena, ARENA_MAX);
	}
	return true;
}

/* `call` until it is done, or for a minute. */
#define PATIENTLY(place_, arena_, call)                                                            \
	do {                                                                                       \
		struct patience patience_ = { .place = (place_) };                                 \
		while (!(call))                                                                    \
			if (!again(&patience_, (arena_), err))                                     \
				return false;                                                      \
	} while (0)

bool place_scan(struct place *place, const char *after, size_t limit, struct arena *arena,
		struct thread_list *out, struct error *err)
{
	PATIENTLY(place, arena, store_thread_scan(place->store, after, limit, arena, out, err));
	return true;
}

bool place_thread(struct place *place, const char *id, struct arena *arena, struct thread *out,
		  struct error *err)
{
	PATIENTLY(place, arena, store_thread_get(place->store, NULL, id, arena, out, err));
	return true;
}

bool place_list(struct place *place, const struct thread_filter *filter, struct arena *arena,
		struct thread_list *out, struct error *err)
{
	PATIENTLY(place, arena, store_thread_list(place->store, filter, arena, out, err));
	return true;
}

bool place_messages(struct place *place, const char *thread_id, const char *after,
		    struct arena *arena, struct message_list *out, struct error *err)
{
	const struct message_filter filter = { .thread_id = thread_id,
					       .after = after,
					       .from_start = !after,
					       .limit = PAGE,
					       .bytes_max = PAGE_BYTES };

	PATIENTLY(place, arena, store_message_list(place->store, &filter, arena, out, err));
	return true;
}

bool place_counts(struct place *place, const char *user_id, struct store_counts *out,
		  struct error *err)
{
	PATIENTLY(place, NULL, store_counts(place->store, user_id, out, err));
	return true;
}

/* --- writing --- */

static bool put_threads(struct place *place, const struct thread *threads, size_t count,
			struct error *err)
{
	PATIENTLY(place, NULL, store_threads_put(place->store, threads, count, err));
	return true;
}

/* How many of them are a request, and at most `step`. */
static size_t fitting(const struct message *messages, size_t count, size_t step)
{
	size_t bytes = 0, n = 0;

	while (n < count && n < step && (n == 0 || bytes + messages[n].content.len <= PAGE_BYTES))
		bytes += messages[n++].content.len;
	return n;
}

/* The next ones. A slow store would never take in time what it did not take once: it is given half,
 * then a little more with each success. */
static bool put_messages(struct place *place, const struct message *messages, size_t count,
			 size_t *put, struct error *err)
{
	struct patience patience = { .place = place };

	for (;;) {
		size_t step = atomic_load(&place->step), n = fitting(messages, count, step);

		if (store_messages_put(place->store, messages, n, err)) {
			step += step / 8 + 1;
			atomic_store(&place->step, step < STEP_MAX ? step : STEP_MAX);
			*put = n;
			return true;
		}
		if (err->code == ERROR_STORE_TIMEOUT && n > 1)
			atomic_store(&place->step, n / 2);
		if (!again(&patience, NULL, err))
			return false;
	}
}

bool place_put(struct place *place, const struct thread *threads, size_t thread_count,
	       const struct message *messages, size_t message_count, struct error *err)
{
	for (size_t at = 0, n; at < thread_count; at += n) {
		n = thread_count - at < PUT_THREADS ? thread_count - at : PUT_THREADS;
		if (!put_threads(place, threads + at, n, err))
			return false;
	}
	for (size_t at = 0, n; at < message_count; at += n)
		if (!put_messages(place, messages + at, message_count - at, &n, err))
			return false;
	return true;
}

bool place_drop(struct place *place, const char *thread_id, const char *const *ids, size_t count,
		struct error *err)
{
	PATIENTLY(place, NULL, store_messages_drop(place->store, thread_id, ids, count, err));
	return true;
}

static bool mark(struct place *place, const char *thread_id, struct arena *arena,
		 struct thread_deleted *out, struct error *err)
{
	PATIENTLY(place, arena,
		  store_thread_delete(place->store, NULL, thread_id, arena, out, err));
	return true;
}

static bool purge(struct place *place, const char *thread_id, bool *more, struct error *err)
{
	PATIENTLY(place, NULL, store_thread_purge(place->store, thread_id, PURGE_STEP, more, err));
	return true;
}

bool place_delete(struct place *place, const char *thread_id, bool *was_there,
		  void (*gone)(void *ctx, const struct thread_deleted *deleted), void *ctx,
		  struct error *err)
{
	struct thread_deleted deleted = { 0 };
	struct error mine = { 0 };
	struct arena arena;
	bool more = true, ok;

	arena_init(&arena, ARENA_MAX);
	ok = mark(place, thread_id, &arena, &deleted, &mine);
	if (ok && gone)
		gone(ctx, &deleted);
	arena_done(&arena);
	if (!ok && mine.code != ERROR_NOT_FOUND) {
		if (err)
			*err = mine;
		return false;
	}
	if (was_there)
		*was_there = ok;
	while (more)
		if (!purge(place, thread_id, &more, &mine)) {
			if (err)
				*err = mine;
			return mine.code == ERROR_NOT_FOUND;
		}
	return true;
}
