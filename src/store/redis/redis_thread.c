/* redis_thread: threads put in, read and changed. */
#include "redis_room.h"

/* --- what others need of a thread --- */

enum error_code redis_put_check(struct redis_call *call, const char *thread_id)
{
	struct redis_command get = redis_of_key(call, "HMGET", "t:", thread_id);

	redis_add_text(&get, "user");
	redis_add_text(&get, "deleted");
	return redis_put(&get);
}

/* The user of a thread that is there, from what was asked for. */
static enum error_code get_user(struct redis_call *call, struct slice *user)
{
	const redisReply *reply = NULL;
	enum error_code code = redis_get(call, &reply);
	const redisReply *first = redis_element(reply, 0), *deleted = redis_element(reply, 1);

	if (code != ERROR_NONE)
		return code;
	if (!first || first->type != REDIS_REPLY_STRING || !deleted ||
	    deleted->type != REDIS_REPLY_NIL)
		return ERROR_NOT_FOUND;
	*user = redis_slice(first);
	return ERROR_NONE;
}

enum error_code redis_get_check(struct redis_call *call, const char *owner)
{
	struct slice user = SLICE("");
	enum error_code code = get_user(call, &user);

	return code == ERROR_NONE && owner && !slice_is(user, owner) ? ERROR_ACCESS_DENIED : code;
}

enum error_code redis_thread_check(struct redis_call *call, const char *owner, const char *id)
{
	enum error_code code = redis_put_check(call, id);

	return code == ERROR_NONE ? redis_get_check(call, owner) : code;
}

/* A script tells when that is not so any more. */
enum error_code redis_user_of(struct redis_call *call, const char *owner, const char *thread_id,
			      const char **user_id)
{
	struct slice user = SLICE("");
	enum error_code code = ERROR_NONE;

	*user_id = owner;
	if (owner)
		return ERROR_NONE;
	code = redis_put_check(call, thread_id);
	if (code == ERROR_NONE)
		code = get_user(call, &user);
	if (code == ERROR_NONE)
		*user_id = arena_copy(&call->scratch, user);
	return code == ERROR_NONE ? store_fits(&call->scratch) : code;
}

static enum error_code read_thread(struct redis_call *call, const char *owner, const char *id,
				   struct arena *arena, struct thread *out)
{
	struct redis_command get = redis_of_key(call, "HMGET", "t:", id);
	const redisReply *row = NULL;
	struct thread thread;
	enum error_code code;

	redis_add_thread_fields(&get);
	code = redis_ask(&get, &row);
	if (code == ERROR_NONE)
		code = redis_take_thread(row, slice_of(id), arena, &thread);
	if (code == ERROR_NONE)
		code = store_may(owner, thread.user_id);
	if (code == ERROR_NONE)
		*out = thread;
	return code;
}

/* --- make and read --- */

enum error_code redis_thread_insert(void *self, const struct thread *thread)
{
	char updated[REDIS_TIME_SIZE];
	const redisReply *reply = NULL;
	struct redis_command script;
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	script = redis_step(&call, STEP_INSERT, 7);
	redis_add_lists(&script, thread->id, thread->user_id);
	redis_add_key(&script, "ids", "");
	redis_add_key(&script, "s:", thread->id);
	redis_add_who(&script, thread->user_id, NULL, thread->id);
	redis_add_text(&script, redis_time_text(thread->updated_ms, updated));
	redis_add_text(&script, thread->archived ? "1" : "0");
	redis_add_thread(&script, thread);
	code = redis_run(&script, STEP_INSERT, &reply);
	if (code == ERROR_NONE)
		code = redis_verdict(reply);
	redis_end(&call);
	return code;
}

enum error_code redis_thread_get(void *self, const char *owner, const char *id, struct arena *arena,
				 struct thread *out)
{
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = read_thread(&call, owner, id, arena, out);
	redis_end(&call);
	return code;
}

/* --- change --- */

static void add_patch(struct redis_command *script, const struct thread_patch *patch,
		      char updated[REDIS_TIME_SIZE])
{
	if (patch->if_rev >= 0)
		redis_add_number(script, patch->if_rev);
	else
		redis_add_text(script, "");
	redis_add_text(script, redis_time_text(patch->now_ms, updated));
	redis_add_text(script, patch->archived < 0 ? "" : patch->archived ? "1" : "0");
	if (patch->title) {
		redis_add_text(script, "title");
		redis_add_text(script, patch->title);
	}
	if (patch->metadata) {
		redis_add_text(script, "metadata");
		redis_add_text(script, patch->metadata);
	}
}

/* As whoever has it now. *again: it became another's in between. */
static enum error_code update(struct redis_call *call, const char *owner, const char *id,
			      const struct thread_patch *patch, struct arena *arena,
			      struct thread *out, bool *again)
{
	char updated[REDIS_TIME_SIZE];
	const char *user_id;
	const redisReply *reply = NULL;
	struct redis_command script;
	enum error_code code = redis_user_of(call, owner, id, &user_id);

	if (code != ERROR_NONE)
		return code;
	script = redis_step(call, STEP_UPDATE, 5);
	redis_add_lists(&script, id, user_id);
	redis_add_who(&script, user_id, owner, id);
	add_patch(&script, patch, updated);
	code = redis_run(&script, STEP_UPDATE, &reply);
	*again = code == ERROR_NONE && redis_says(reply, "USER");
	if (code == ERROR_NONE && !*again && redis_count(reply) < THREAD_FIELDS)
		code = redis_verdict(reply);
	else if (code == ERROR_NONE && !*again)
		code = redis_take_thread(reply, slice_of(id), arena, out);
	return code;
}

enum error_code redis_thread_update(void *self, const char *owner, const char *id,
				    const struct thread_patch *patch, struct arena *arena,
				    struct thread *out)
{
	struct redis_call call;
	bool again = true;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	while (code == ERROR_NONE && again) {
		code = update(&call, owner, id, patch, arena, out, &again);
		if (code == ERROR_NONE && again && redis_is_late(&call))
			code = ERROR_STORE_TIMEOUT;
	}
	redis_end(&call);
	return code;
}
