/* redis_message: messages put in, read and changed. */
#include "redis_room.h"

#include "base/clock.h"

/* --- adding --- */

/* Number and parent, where it has none, are given by the script. */
static void add_one(struct redis_command *script, const struct message *message)
{
	struct message fields = *message;

	fields.seq = 0;
	fields.parent_id = NULL;
	redis_add_text(script, message->id);
	redis_add_text(script, message->run_id);
	redis_add_text(script, message->key);
	redis_add_text(script, message->role == ROLE_ASSISTANT ? "1" : "0");
	redis_add_text(script, message->parent_id);
	redis_add_fields(script, &fields, false);
}

static enum error_code add(struct redis_call *call, const char *owner, const char *thread_id,
			   const struct message *messages, size_t count, const redisReply **reply)
{
	char updated[REDIS_TIME_SIZE];
	const char *user_id;
	struct redis_command script;
	enum error_code code = redis_user_of(call, owner, thread_id, &user_id);

	if (code != ERROR_NONE)
		return code;
	script = redis_step(call, STEP_ADD, 9 + count);
	redis_add_lists(&script, thread_id, user_id);
	redis_add_key(&script, "s:", thread_id);
	redis_add_key(&script, "r:", thread_id);
	redis_add_key(&script, "runs", "");
	redis_add_key(&script, "keys", "");
	for (size_t i = 0; i < count; i++)
		redis_add_message(&script, thread_id, messages[i].id);
	redis_add_who(&script, user_id, owner, thread_id);
	redis_add_text(&script, redis_time_text(clock_wall_ms(), updated));
	for (size_t i = 0; i < count; i++)
		add_one(&script, &messages[i]);
	code = redis_run(&script, STEP_ADD, reply);
	return code == ERROR_NONE ? redis_verdict(*reply) : code;
}

/* In one script: the numbers are those that the messages have when anybody sees them. */
enum error_code redis_messages_add(void *self, const char *owner, const char *thread_id,
				   struct message *messages, size_t count)
{
	const redisReply *reply = NULL;
	struct redis_call call;
	int64_t first = 0;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	while ((code = add(&call, owner, thread_id, messages, count, &reply)) == ERROR_NONE &&
	       redis_says(reply, "USER") && !redis_is_late(&call))
		;
	if (code == ERROR_NONE && redis_says(reply, "USER"))
		code = ERROR_STORE_TIMEOUT;
	if (code == ERROR_NONE)
		first = redis_number(redis_element(reply, 1));
	redis_end(&call);
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		messages[i].thread_id = thread_id;
		messages[i].seq = first + (int64_t)i;
	}
	return code;
}

/* --- reading --- */

static enum error_code put_read(struct redis_call *call, const char *thread_id, const char *id)
{
	struct redis_command get = redis_command(call, "HMGET"), score;
	enum error_code code;

	redis_add_message(&get, thread_id, id);
	redis_add_message_fields(&get);
	code = redis_put(&get);
	if (code != ERROR_NONE)
		return code;
	score = redis_of_key(call, "ZSCORE", "s:", thread_id);
	redis_add_text(&score, id);
	return redis_put(&score);
}

/* One that has its number in the thread and no text is lost, which is no "there is none". */
static enum error_code get_read(struct redis_call *call, const char *thread_id, const char *id,
				struct arena *arena, struct message *out)
{
	const redisReply *row = NULL, *score = NULL;
	enum error_code code = redis_get(call, &row);

	if (code == ERROR_NONE)
		code = redis_get(call, &score);
	if (code != ERROR_NONE)
		return code;
	code = redis_take_message(row, thread_id, slice_of(id), true, arena, out);
	return code == ERROR_NOT_FOUND && score->type != REDIS_REPLY_NIL ? ERROR_CORRUPT : code;
}

enum error_code redis_message_read(struct redis_call *call, const char *thread_id, const char *id,
				   struct arena *arena, struct message *out)
{
	enum error_code code = put_read(call, thread_id, id);

	return code == ERROR_NONE ? get_read(call, thread_id, id, arena, out) : code;
}

/* In one go; what is another's is not looked at. */
static enum error_code read_checked(struct redis_call *call, const char *owner,
				    const char *thread_id, const char *id, struct arena *arena,
				    struct message *out)
{
	enum error_code code = redis_put_check(call, thread_id);

	if (code == ERROR_NONE)
		code = put_read(call, thread_id, id);
	if (code == ERROR_NONE)
		code = redis_get_check(call, owner);
	return code == ERROR_NONE ? get_read(call, thread_id, id, arena, out) : code;
}

enum error_code redis_message_get(void *self, const char *owner, const char *thread_id,
				  const char *id, struct arena *arena, struct message *out)
{
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = read_checked(&call, owner, thread_id, id, arena, out);
	redis_end(&call);
	return code;
}

enum error_code redis_led_to(struct redis_call *call, const char *index, const char *name,
			     struct arena *arena, const char **thread_id, const char **id)
{
	struct redis_command get = redis_of_key(call, "HGET", index, "");
	const redisReply *place = NULL;
	enum error_code code;

	redis_add_text(&get, name);
	code = redis_ask(&get, &place);
	if (code == ERROR_NONE && place->type == REDIS_REPLY_NIL)
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE && !redis_split(redis_slice(place), arena, thread_id, id))
		code = store_fits(arena) == ERROR_NONE ? ERROR_CORRUPT : ERROR_OVERLOADED;
	return code;
}

enum error_code redis_message_by_run(void *self, const char *owner, const char *run_id,
				     struct arena *arena, struct message *out)
{
	const char *thread_id, *id;
	struct message message;
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = redis_led_to(&call, "runs", run_id, arena, &thread_id, &id);
	if (code == ERROR_NONE)
		code = read_checked(&call, owner, thread_id, id, arena, &message);
	redis_end(&call);
	if (code == ERROR_NONE && (!message.run_id || strcmp(message.run_id, run_id) != 0))
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE)
		*out = message;
	return code;
}

/* --- change --- */

static void add_patch(struct redis_command *script, const struct message_patch *patch,
		      char updated[REDIS_TIME_SIZE])
{
	redis_add_text(script, patch->has_content ? "1" : "0");
	redis_add_text(script, "updated");
	redis_add_text(script, redis_time_text(patch->now_ms, updated));
	if (patch->has_content) {
		redis_add_text(script, "content");
		redis_add(script, patch->content);
	}
	if (patch->metadata) {
		redis_add_text(script, "metadata");
		redis_add_text(script, patch->metadata);
	}
}

static enum error_code update(struct redis_call *call, const char *owner, const char *thread_id,
			      const char *id, const struct message_patch *patch)
{
	struct redis_command script = redis_step(call, STEP_EDIT, 5);
	char updated[REDIS_TIME_SIZE];
	const redisReply *reply = NULL;
	enum error_code code;

	redis_add_key(&script, "t:", thread_id);
	redis_add_message(&script, thread_id, id);
	redis_add_key(&script, "r:", thread_id);
	redis_add_key(&script, "runs", "");
	redis_add_key(&script, "s:", thread_id);
	redis_add_text(&script, owner);
	redis_add_text(&script, owner ? "1" : "0");
	redis_add_text(&script, arena_printf(&call->scratch, "%s/%s", thread_id, id));
	redis_add_text(&script, id);
	add_patch(&script, patch, updated);
	code = redis_run(&script, STEP_EDIT, &reply);
	return code == ERROR_NONE ? redis_verdict(reply) : code;
}

enum error_code redis_message_update(void *self, const char *owner, const char *thread_id,
				     const char *id, const struct message_patch *patch,
				     struct arena *arena, struct message *out)
{
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = update(&call, owner, thread_id, id, patch);
	if (code == ERROR_NONE)
		code = redis_message_read(&call, thread_id, id, arena, out);
	redis_end(&call);
	return code;
}
