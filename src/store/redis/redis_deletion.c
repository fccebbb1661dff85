/* redis_deletion: a thread is marked, which hides it at once; its messages go in steps. */
#include "redis_room.h"

#include "base/clock.h"
#include "base/digits.h"
#include "base/id.h"

/* --- the mark --- */

static enum error_code mark(struct redis_call *call, const char *owner, const char *id,
			    const redisReply **reply)
{
	const char *user_id;
	struct redis_command script;
	enum error_code code = redis_user_of(call, owner, id, &user_id);

	if (code != ERROR_NONE)
		return code;
	script = redis_step(call, STEP_MARK, 8);
	redis_add_lists(&script, id, user_id);
	redis_add_key(&script, "ids", "");
	redis_add_key(&script, "purge", "");
	redis_add_key(&script, "stops", "");
	redis_add_who(&script, user_id, owner, id);
	code = redis_run(&script, STEP_MARK, reply);
	return code == ERROR_NONE ? redis_verdict(*reply) : code;
}

static const char *id_at(const redisReply *reply, size_t at, struct arena *arena)
{
	struct slice id = redis_slice(redis_element(reply, at));

	return id_valid(id) ? arena_copy(arena, id) : NULL;
}

/* A run of a reply of its message: HMGET run status updated. */
static bool has_just_ended(const redisReply *row, int64_t since_ms)
{
	struct slice status = redis_slice(redis_element(row, 1));
	int64_t updated_ms;

	return status.len > 0 && !slice_is(status, message_status_text(STATUS_STREAMING)) &&
	       digits_read(redis_slice(redis_element(row, 2)), DIGITS_MAX, &updated_ms) &&
	       updated_ms >= since_ms;
}

static enum error_code ask_runs(struct redis_call *call, const char *id, size_t *count)
{
	struct redis_command range = redis_of_key(call, "ZREVRANGE", "r:", id);
	const redisReply *ids = NULL;
	enum error_code code;

	redis_add_number(&range, 0);
	redis_add_number(&range, RUNS_NAMED_MAX - 1);
	code = redis_ask(&range, &ids);
	for (*count = 0; code == ERROR_NONE && *count < redis_count(ids); (*count)++) {
		struct redis_command get = redis_command(call, "HMGET");

		redis_add_message(&get, id, redis_slice(ids->element[*count]).ptr);
		redis_add_text(&get, "run");
		redis_add_text(&get, "status");
		redis_add_text(&get, "updated");
		code = redis_put(&get);
	}
	return code;
}

static enum error_code ended_runs(struct redis_call *call, const char *id, struct arena *arena,
				  struct thread_deleted *out)
{
	int64_t since_ms = clock_wall_ms() - RUNS_KEPT_MS;
	size_t count;
	enum error_code code = ask_runs(call, id, &count);

	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		const redisReply *row = NULL;
		const char *run_id;

		code = redis_get(call, &row);
		if (code != ERROR_NONE || !has_just_ended(row, since_ms) ||
		    !(run_id = id_at(row, 0, arena)))
			continue;
		out->run_ids =
			store_grow(arena, out->run_ids, out->run_count, sizeof *out->run_ids);
		if (out->run_ids)
			out->run_ids[out->run_count++] = run_id;
		code = store_fits(arena);
	}
	return code;
}

/* Marked first, so that no new run can begin. What fails from there on changes nothing about the
 * deletion. */
enum error_code redis_thread_delete(void *self, const char *owner, const char *id,
				    struct arena *arena, struct thread_deleted *out)
{
	struct thread_deleted deleted = { 0 };
	const redisReply *reply = NULL;
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	while ((code = mark(&call, owner, id, &reply)) == ERROR_NONE && redis_says(reply, "USER") &&
	       !redis_is_late(&call))
		;
	if (code == ERROR_NONE && redis_says(reply, "USER"))
		code = ERROR_STORE_TIMEOUT;
	if (code == ERROR_NONE) {
		deleted.run = (struct run_ref){ id_at(reply, 1, arena), id_at(reply, 2, arena),
						id_at(reply, 3, arena) };
		ended_runs(&call, id, arena, &deleted);
	}
	redis_end(&call);
	if (code == ERROR_NONE && (code = store_fits(arena)) == ERROR_NONE)
		*out = deleted;
	return code;
}

/* --- its messages --- */

enum error_code redis_messages_forget(struct redis_call *call, const char *thread_id,
				      bool if_deleted, const struct slice *ids, size_t count)
{
	struct redis_command script = redis_step(call, STEP_FORGET, count + 5);
	const redisReply *reply = NULL;
	enum error_code code;

	redis_add_key(&script, "s:", thread_id);
	redis_add_key(&script, "r:", thread_id);
	redis_add_key(&script, "runs", "");
	redis_add_key(&script, "keys", "");
	redis_add_key(&script, "t:", thread_id);
	for (size_t i = 0; i < count; i++)
		redis_add_message(&script, thread_id, ids[i].ptr);
	redis_add_text(&script, thread_id);
	redis_add_text(&script, if_deleted ? "1" : "0");
	for (size_t i = 0; i < count; i++)
		redis_add(&script, ids[i]);
	code = redis_run(&script, STEP_FORGET, &reply);
	return code == ERROR_NONE ? redis_verdict(reply) : code;
}

/* Up to limit, a batch at most; none of a thread that was put back. */
static enum error_code remove_some(struct redis_call *call, const char *id, size_t limit,
				   size_t *removed)
{
	struct redis_command range = redis_of_key(call, "ZRANGE", "s:", id);
	struct slice ids[REDIS_BATCH];
	const redisReply *found = NULL;
	enum error_code code;

	redis_add_number(&range, 0);
	redis_add_number(&range, (int64_t)limit - 1);
	code = redis_ask(&range, &found);
	*removed = redis_count(found);
	for (size_t i = 0; i < *removed; i++)
		ids[i] = redis_slice(found->element[i]);
	if (code == ERROR_NONE && *removed > 0)
		code = redis_messages_forget(call, id, true, ids, *removed);
	if (code != ERROR_NOT_FOUND)
		return code;
	*removed = 0;
	return ERROR_NONE;
}

static enum error_code say_emptied(struct redis_call *call, const char *id)
{
	struct redis_command script = redis_step(call, STEP_EMPTIED, 4);
	const redisReply *reply;

	redis_add_key(&script, "t:", id);
	redis_add_key(&script, "s:", id);
	redis_add_key(&script, "purge", "");
	redis_add_key(&script, "marks", "");
	redis_add_text(&script, id);
	return redis_run(&script, STEP_EMPTIED, &reply);
}

enum error_code redis_thread_empty(struct redis_call *call, const char *id, size_t limit,
				   size_t *removed)
{
	size_t some = REDIS_BATCH, step = REDIS_BATCH;
	enum error_code code = ERROR_NONE;

	*removed = 0;
	while (code == ERROR_NONE && *removed < limit && some == step) {
		step = limit - *removed < REDIS_BATCH ? limit - *removed : REDIS_BATCH;
		redis_forget(call);
		code = remove_some(call, id, step, &some);
		*removed += code == ERROR_NONE ? some : 0;
	}
	return code == ERROR_NONE && *removed < limit ? say_emptied(call, id) : code;
}

static enum error_code is_marked(struct redis_call *call, const char *id)
{
	struct redis_command get = redis_of_key(call, "HGET", "t:", id);
	const redisReply *deleted = NULL;
	enum error_code code;

	redis_add_text(&get, "deleted");
	code = redis_ask(&get, &deleted);
	return code == ERROR_NONE && deleted->type == REDIS_REPLY_NIL ? ERROR_NOT_FOUND : code;
}

enum error_code redis_thread_purge(void *self, const char *id, size_t limit, bool *more)
{
	struct redis_call call;
	size_t removed = 0;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = is_marked(&call, id);
	if (code == ERROR_NONE)
		code = redis_thread_empty(&call, id, limit, &removed);
	redis_end(&call);
	if (code == ERROR_NONE)
		*more = removed == limit;
	return code;
}
