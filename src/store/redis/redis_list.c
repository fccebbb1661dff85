/*
 * redis_list: a page of threads. A list is a sorted set whose members are the time of the last
 * change and the id, so a page begins where the one before ended, however much there is.
 *
 * A search reads titles, newest first, so many at most; what is found by then is the page, and its
 * cursor goes on there, also when it found nothing yet.
 */
#include "redis_room.h"

#include "../store_fold.h"
#include "base/digits.h"
#include "base/id.h"
#include <stdio.h>

#define SEARCH_MAX 10000 /* titles that one call reads */
#define BATCH_MIN  16

/* The members that come next of the two lists, at work and archived, and how many were used up. */
struct lists {
	struct redis_call *call;
	const struct thread_page *page;
	struct slice q; /* folded; ptr NULL: any title */
	const redisReply *found[2];
	size_t at[2];
	char last[REDIS_TIME_SIZE + ID_MAX +
		  1]; /* read on behind this member; "" from the newest */
};

static bool wants(const struct thread_page *page, int archived)
{
	return page->archived < 0 || page->archived == archived;
}

static enum error_code read_on(struct lists *lists, size_t count)
{
	const char *user_id = lists->page->user_id;
	enum error_code code = ERROR_NONE;

	for (int i = 0; code == ERROR_NONE && i < 2; i++) {
		static const char *const kinds[2][2] = { { "a0", "u0:" }, { "a1", "u1:" } };
		struct redis_command range = redis_of_key(lists->call, "ZREVRANGEBYLEX",
							  kinds[i][user_id != NULL], user_id);

		redis_add_text(&range, *lists->last ? arena_printf(&lists->call->scratch, "(%s",
								   lists->last)
						    : "+");
		redis_add_text(&range, "-");
		redis_add_text(&range, "LIMIT");
		redis_add_number(&range, 0);
		redis_add_number(&range, wants(lists->page, i) ? (int64_t)count : 0);
		code = redis_put(&range);
	}
	for (int i = 0; code == ERROR_NONE && i < 2; i++) {
		code = redis_get(lists->call, &lists->found[i]);
		lists->at[i] = 0;
	}
	return code;
}

static struct slice member_of(const struct lists *lists, int list)
{
	return redis_slice(redis_element(lists->found[list], lists->at[list]));
}

static int compare(struct slice a, struct slice b)
{
	int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

	return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* The later of the two that come next; "": there is none. */
static struct slice next_member(struct lists *lists)
{
	struct slice members[2] = { member_of(lists, 0), member_of(lists, 1) };
	int which = compare(members[0], members[1]) < 0;

	lists->at[which]++;
	return members[which];
}

/* Up to count members, merged, become commands. *asked: how many; members: which. What somebody
 * else put there is passed over. */
static enum error_code ask_threads(struct lists *lists, size_t count, struct slice *members,
				   size_t *asked)
{
	enum error_code code = read_on(lists, count);

	*asked = 0;
	while (code == ERROR_NONE && *asked < count) {
		struct slice member = next_member(lists);
		struct redis_command get;

		if (member.len == 0)
			break;
		if (member.len < REDIS_TIME_SIZE || member.len >= sizeof lists->last ||
		    !id_valid(slice_skip(member, REDIS_TIME_SIZE - 1)))
			continue;
		members[*asked] = member;
		get = redis_of_key(
			lists->call, "HMGET", "t:",
			arena_copy(&lists->call->scratch, slice_skip(member, REDIS_TIME_SIZE - 1)));
		redis_add_thread_fields(&get);
		code = redis_put(&get);
		(*asked)++;
	}
	return code;
}

/* One that changed since its member was read stands elsewhere by now, or is another's, or gone. */
static bool is_still_there(const struct lists *lists, struct slice member,
			   const struct thread *thread)
{
	char updated[REDIS_TIME_SIZE];

	redis_time_text(thread->updated_ms, updated);
	return memcmp(member.ptr, updated, REDIS_TIME_SIZE - 1) == 0 &&
	       wants(lists->page, thread->archived) &&
	       store_may(lists->page->user_id, thread->user_id) == ERROR_NONE;
}

/* The cursor behind a member that may be of no thread any more. */
static const char *cursor_behind(const char *member, struct arena *arena)
{
	struct thread last = { .id = member + REDIS_TIME_SIZE - 1 };
	int64_t ms = 0;

	digits_read((struct slice){ member, REDIS_TIME_SIZE - 1 }, DIGITS_MAX, &ms);
	last.updated_ms = ms > 0 ? ms : 1;
	return store_cursor(&last, arena);
}

/* By what Redis says, before a copy is made. */
static bool matches(const struct lists *lists, const redisReply *row)
{
	struct slice title;

	if (!lists->q.ptr)
		return true;
	title = store_fold(redis_slice(redis_element(row, THREAD_title)), &lists->call->scratch);
	return title.ptr && memmem(title.ptr, title.len, lists->q.ptr, lists->q.len);
}

/* ERROR_NOT_FOUND: it is no part of the page. */
static enum error_code take_thread(const struct lists *lists, struct slice member,
				   const redisReply *row, struct arena *arena, struct thread *out)
{
	enum error_code code = ERROR_NOT_FOUND;

	if (matches(lists, row))
		code = redis_take_thread(row, slice_skip(member, REDIS_TIME_SIZE - 1), arena, out);
	return code == ERROR_NONE && !is_still_there(lists, member, out) ? ERROR_NOT_FOUND : code;
}

/* Replies to what was asked. *full: the page is. */
static enum error_code take_threads(struct lists *lists, const struct slice *members, size_t asked,
				    struct arena *arena, struct thread_list *out, bool *full)
{
	enum error_code code = ERROR_NONE;

	for (size_t i = 0; i < asked; i++) {
		const redisReply *row = NULL;
		struct thread thread;
		enum error_code got = redis_get(lists->call, &row);

		if (got != ERROR_NONE)
			return got;
		if (code != ERROR_NONE || *full)
			continue; /* what is owed is read */
		code = take_thread(lists, members[i], row, arena, &thread);
		if (code == ERROR_NONE && !(*full = out->count == lists->page->limit)) {
			out->items = store_grow(arena, out->items, out->count, sizeof *out->items);
			if (out->items)
				out->items[out->count++] = thread;
			code = store_fits(arena);
		}
		if (code == ERROR_NOT_FOUND)
			code = ERROR_NONE;
	}
	return code;
}

static enum error_code list(struct lists *lists, struct arena *arena, struct thread_list *out)
{
	size_t wanted = lists->page->limit + 1, seen = 0, asked = 1;
	size_t batch = wanted < BATCH_MIN ? BATCH_MIN : wanted > REDIS_BATCH ? REDIS_BATCH : wanted;
	struct slice members[REDIS_BATCH];
	enum error_code code = ERROR_NONE;
	bool full = false;

	if (lists->page->q)
		batch = REDIS_BATCH;
	while (code == ERROR_NONE && !full && asked > 0 && seen < SEARCH_MAX) {
		redis_forget(lists->call);
		code = ask_threads(lists, batch, members, &asked);
		if (code == ERROR_NONE)
			code = take_threads(lists, members, asked, arena, out, &full);
		if (code == ERROR_NONE && asked > 0)
			snprintf(lists->last, sizeof lists->last, "%.*s",
				 SLICE_ARG(members[asked - 1]));
		seen += asked;
	}
	if (code == ERROR_NONE && full)
		out->next = store_cursor(&out->items[out->count - 1], arena);
	else if (code == ERROR_NONE && asked > 0)
		out->next = cursor_behind(lists->last, arena);
	return code == ERROR_NONE ? store_fits(arena) : code;
}

enum error_code redis_thread_list(void *self, const struct thread_page *page, struct arena *arena,
				  struct thread_list *out)
{
	struct thread_list found = { 0 };
	char time[REDIS_TIME_SIZE];
	struct redis_call call;
	struct lists lists = { .call = &call, .page = page };
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	if (page->q)
		lists.q = store_fold(slice_of(page->q), arena);
	if (page->last)
		snprintf(lists.last, sizeof lists.last, "%s%s",
			 redis_time_text(page->last_ms, time), page->last);
	code = list(&lists, arena, &found);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = found;
	return code;
}
