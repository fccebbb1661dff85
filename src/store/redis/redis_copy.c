/*
 * redis_copy: whole stores, for administrators: threads read in the order of their ids, threads and
 * messages put as another store had them, counted. Each is a step of its own; they go out together.
 */
#include "redis_room.h"

#include "base/clock.h"
#include "base/id.h"

#define PUT_BYTES (4u << 20) /* of messages that go out together */

/* --- reading --- */

/* Members of a list in the order of bytes, behind `after` ("": from the first). */
static enum error_code range_behind(struct redis_call *call, const char *kind, const char *name,
				    const char *after, size_t limit, const redisReply **out)
{
	struct redis_command range = redis_of_key(call, "ZRANGEBYLEX", kind, name);

	redis_add_text(&range, *after ? arena_printf(&call->scratch, "(%s", after) : "-");
	redis_add_text(&range, "+");
	redis_add_text(&range, "LIMIT");
	redis_add_number(&range, 0);
	redis_add_number(&range, (int64_t)limit);
	return redis_ask(&range, out);
}

static enum error_code ask_threads(struct redis_call *call, const redisReply *ids, size_t count)
{
	enum error_code code = ERROR_NONE;

	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		struct redis_command get =
			redis_of_key(call, "HMGET", "t:", redis_slice(ids->element[i]).ptr);

		redis_add_thread_fields(&get);
		code = redis_put(&get);
	}
	return code;
}

static enum error_code scan(struct redis_call *call, const char *after, size_t limit,
			    struct arena *arena, struct thread_list *out)
{
	const redisReply *ids = NULL, *row = NULL;
	enum error_code code = range_behind(call, "ids", "", after, limit + 1, &ids);
	size_t count = redis_count(ids) < limit ? redis_count(ids) : limit;

	if (code == ERROR_NONE)
		code = ask_threads(call, ids, count);
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		out->items = store_grow(arena, out->items, out->count, sizeof *out->items);
		code = out->items ? redis_get(call, &row) : ERROR_OVERLOADED;
		if (code == ERROR_NONE)
			code = redis_take_thread(row, redis_slice(ids->element[i]), arena,
						 &out->items[out->count]);
		out->count += code == ERROR_NONE;
		if (code == ERROR_NOT_FOUND) /* it was deleted in between */
			code = ERROR_NONE;
	}
	if (code == ERROR_NONE && redis_count(ids) > limit)
		out->next = arena_copy(arena, redis_slice(ids->element[limit - 1]));
	return code == ERROR_NONE ? store_fits(arena) : code;
}

enum error_code redis_thread_scan(void *self, const char *after, size_t limit, struct arena *arena,
				  struct thread_list *out)
{
	struct thread_list found = { 0 };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = scan(&call, after ? after : "", limit, arena, &found);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = found;
	return code;
}

/* What is too long for one of ours is passed with all that begin as it does. */
static void go_behind(struct slice member, char *last, size_t size)
{
	if (member.len < size)
		snprintf(last, size, "%s", member.ptr);
	else
		snprintf(last, size, "%.*s\xFF", (int)size - 2, member.ptr);
}

/* Adds what a list's next members have; skip: bytes in front of their ids. *last: go on behind it.
 */
static enum error_code count_some(struct redis_call *call, const char *kind, const char *user_id,
				  size_t skip, char *last, size_t size, struct store_counts *counts)
{
	const redisReply *members = NULL, *messages = NULL;
	enum error_code code = range_behind(call, kind, user_id, last, REDIS_BATCH, &members);
	size_t count = redis_count(members);

	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		struct slice member = redis_slice(members->element[i]);
		struct redis_command card = redis_of_key(
			call, "ZCARD", "s:", member.len > skip ? member.ptr + skip : "");

		code = redis_put(&card);
	}
	for (size_t i = 0; code == ERROR_NONE && i < count; i++)
		if ((code = redis_get(call, &messages)) == ERROR_NONE)
			counts->messages += redis_number(messages);
	counts->threads += (int64_t)count;
	*last = '\0';
	if (count == REDIS_BATCH)
		go_behind(redis_slice(members->element[count - 1]), last, size);
	return code;
}

static enum error_code count_all(struct redis_call *call, const char *kind, const char *user_id,
				 struct store_counts *counts)
{
	char last[REDIS_TIME_SIZE + ID_MAX + 1] = "";
	enum error_code code;

	do {
		redis_forget(call);
		call->until_ms = clock_mono_ms() + call->store->limit_ms; /* each step has it */
		code = count_some(call, kind, user_id, user_id ? REDIS_TIME_SIZE - 1 : 0, last,
				  sizeof last, counts);
	} while (code == ERROR_NONE && *last);
	return code;
}

enum error_code redis_counts(void *self, const char *user_id, struct store_counts *out)
{
	struct store_counts counts = { 0 };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = count_all(&call, user_id ? "u0:" : "ids", user_id, &counts);
	if (code == ERROR_NONE && user_id)
		code = count_all(&call, "u1:", user_id, &counts);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = counts;
	return code;
}

/* --- threads --- */

/* What stands under the id: whose it is, and is it a mark? */
static enum error_code look_at(struct redis_call *call, const char *id, const char **user_id,
			       bool *is_marked)
{
	const redisReply *reply = NULL;
	const redisReply *user, *deleted;
	enum error_code code = redis_put_check(call, id);

	if (code == ERROR_NONE)
		code = redis_get(call, &reply);
	user = redis_element(reply, 0);
	deleted = redis_element(reply, 1);
	*user_id = user && user->type == REDIS_REPLY_STRING ? user->str : "";
	*is_marked = deleted && deleted->type == REDIS_REPLY_STRING;
	return code;
}

/* What a mark was still to remove must not come back with its thread. */
static enum error_code empty(struct redis_call *call, const char *id)
{
	size_t removed = REDIS_BATCH;
	enum error_code code = ERROR_NONE;

	while (code == ERROR_NONE && removed == REDIS_BATCH) {
		call->until_ms = clock_mono_ms() + call->store->limit_ms;
		code = redis_thread_empty(call, id, REDIS_BATCH, &removed);
	}
	return code;
}

static enum error_code put_thread(struct redis_call *call, const struct thread *thread,
				  const char *old_user, const redisReply **reply)
{
	struct redis_command script = redis_step(call, STEP_PUT_THREAD, 10);
	char updated[REDIS_TIME_SIZE];

	redis_add_lists(&script, thread->id, thread->user_id);
	redis_add_key(&script, "ids", "");
	redis_add_key(&script, "u0:", old_user);
	redis_add_key(&script, "u1:", old_user);
	redis_add_key(&script, "purge", "");
	redis_add_key(&script, "marks", "");
	redis_add_who(&script, thread->user_id, NULL, thread->id);
	redis_add_text(&script, old_user);
	redis_add_text(&script, redis_time_text(thread->updated_ms, updated));
	redis_add_text(&script, thread->archived ? "1" : "0");
	redis_add_thread(&script, thread);
	redis_add_text(&script, "deleted");
	if (!thread->metadata)
		redis_add_text(&script, "metadata");
	return redis_run(&script, STEP_PUT_THREAD, reply);
}

static enum error_code replace_thread(struct redis_call *call, const struct thread *thread)
{
	const redisReply *reply = NULL;
	const char *old_user;
	bool is_marked;
	enum error_code code;

	do {
		redis_forget(call);
		code = look_at(call, thread->id, &old_user, &is_marked);
		if (code == ERROR_NONE && is_marked &&
		    (code = empty(call, thread->id)) == ERROR_NONE)
			code = look_at(call, thread->id, &old_user, &is_marked);
		if (code == ERROR_NONE)
			code = put_thread(call, thread, old_user, &reply);
	} while (code == ERROR_NONE && redis_says(reply, "USER"));
	return code;
}

enum error_code redis_threads_put(void *self, const struct thread *threads, size_t count)
{
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		call.until_ms = clock_mono_ms() + call.store->limit_ms;
		code = replace_thread(&call, &threads[i]);
	}
	redis_end(&call);
	return code;
}

/* --- messages --- */

static struct redis_command make_put(struct redis_call *call, const struct message *message)
{
	struct redis_command script = redis_step(call, STEP_PUT_MESSAGE, 6);

	redis_add_key(&script, "t:", message->thread_id);
	redis_add_message(&script, message->thread_id, message->id);
	redis_add_key(&script, "s:", message->thread_id);
	redis_add_key(&script, "r:", message->thread_id);
	redis_add_key(&script, "runs", "");
	redis_add_key(&script, "keys", "");
	redis_add_text(&script, message->thread_id);
	redis_add_text(&script, message->id);
	redis_add_number(&script, message->seq);
	redis_add_text(&script, message->run_id);
	redis_add_text(&script, message->key);
	redis_add_text(&script, message->role == ROLE_ASSISTANT ? "1" : "0");
	redis_add_fields(&script, message, true);
	return script;
}

/* Another one had its key: it loses it. */
static enum error_code take_key(struct redis_call *call, struct slice place)
{
	struct redis_command del = redis_command(call, "HDEL");
	const char *thread_id, *id;
	const redisReply *reply;

	if (!redis_split(place, &call->scratch, &thread_id, &id))
		return store_fits(&call->scratch);
	redis_add_message(&del, thread_id, id);
	redis_add_text(&del, "key");
	return redis_ask(&del, &reply);
}

/* What a put found in its way: another one has the number, and goes. */
static enum error_code settle(struct redis_call *call, const struct message *message,
			      const redisReply *reply)
{
	enum error_code code = redis_verdict(reply);

	while (code == ERROR_NONE && redis_says(reply, "MET")) {
		struct slice other = redis_slice(redis_element(reply, 1));
		struct redis_command script;

		code = redis_messages_forget(call, message->thread_id, false, &other, 1);
		script = make_put(call, message);
		if (code == ERROR_NONE)
			code = redis_run(&script, STEP_PUT_MESSAGE, &reply);
		if (code == ERROR_NONE)
			code = redis_verdict(reply);
	}
	if (code == ERROR_NONE && redis_slice(redis_element(reply, 1)).len > 0)
		code = take_key(call, redis_slice(redis_element(reply, 1)));
	return code;
}

/* So many that fit go out together; *done: how many. */
static enum error_code put_some(struct redis_call *call, const struct message *messages,
				size_t count, size_t *done)
{
	const redisReply *replies[REDIS_BATCH];
	enum error_code code = redis_load(call, STEP_PUT_MESSAGE);
	size_t bytes = 0, n = 0;

	for (; code == ERROR_NONE && n < count && n < REDIS_BATCH && bytes < PUT_BYTES; n++) {
		struct redis_command script = make_put(call, &messages[n]);

		bytes += messages[n].content.len;
		code = redis_put(&script);
	}
	for (size_t i = 0; code == ERROR_NONE && i < n; i++)
		code = redis_get(call, &replies[i]);
	for (size_t i = 0; code == ERROR_NONE && i < n; i++)
		code = settle(call, &messages[i], replies[i]);
	*done = n;
	return code;
}

enum error_code redis_messages_put(void *self, const struct message *messages, size_t count)
{
	struct redis_call call;
	size_t done;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t i = 0; code == ERROR_NONE && i < count; i += done) {
		redis_forget(&call);
		call.until_ms = clock_mono_ms() + call.store->limit_ms;
		code = put_some(&call, messages + i, count - i, &done);
	}
	redis_end(&call);
	return code;
}

enum error_code redis_messages_drop(void *self, const char *thread_id, const char *const *ids,
				    size_t count)
{
	struct slice some[REDIS_BATCH];
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t at = 0; code == ERROR_NONE && at < count;) {
		size_t n = 0;

		for (; n < REDIS_BATCH && at < count; n++, at++)
			some[n] = slice_of(ids[at]);
		code = redis_messages_forget(&call, thread_id, false, some, n);
	}
	redis_end(&call);
	return code;
}
