/* redis_call: one operation on one line: commands are made of words, go out together, and their
 * replies are read in order, all of it until the operation's time is up. */
#include "redis_room.h"

#include "base/clock.h"
#include "base/log.h"

#define SCRATCH_MAX (32u << 20)

/* --- beginning and end --- */

enum error_code redis_begin_told(struct redis_store *store, struct redis_call *call,
				 struct error *err)
{
	enum error_code code;

	*call = (struct redis_call){ .store = store,
				     .until_ms = clock_mono_ms() + store->limit_ms,
				     .err = err };
	arena_init(&call->scratch, SCRATCH_MAX);
	code = redis_lines_take(store->lines, call->until_ms, &call->line, err);
	if (code != ERROR_NONE)
		arena_done(&call->scratch);
	return code;
}

/* What only an administrator mends is no fault of this call: Redis is down for it. */
static enum error_code for_call(const struct redis_call *call, enum error_code code)
{
	return code == ERROR_CONFIG && !call->err ? ERROR_STORE_DOWN : code;
}

enum error_code redis_begin(struct redis_store *store, struct redis_call *call)
{
	enum error_code code = redis_begin_told(store, call, NULL);

	return for_call(call, code);
}

void redis_forget(struct redis_call *call)
{
	for (size_t i = 0; i < call->reply_count; i++)
		freeReplyObject(call->replies[i]);
	call->replies = NULL;
	call->reply_count = 0;
	arena_done(&call->scratch);
	arena_init(&call->scratch, SCRATCH_MAX);
}

/* A line that still owes replies would give them to somebody else. */
void redis_end(struct redis_call *call)
{
	redis_forget(call);
	arena_done(&call->scratch);
	redis_lines_give(call->store->lines, call->line, !call->is_broken && call->owed == 0);
}

bool redis_is_late(const struct redis_call *call)
{
	return clock_mono_ms() >= call->until_ms;
}

/* --- commands --- */

void redis_add(struct redis_command *command, struct slice word)
{
	struct arena *scratch = &command->call->scratch;

	if (scratch->failed)
		return; /* redis_put says so */
	command->words =
		store_grow(scratch, command->words, command->count, sizeof *command->words);
	command->lengths =
		store_grow(scratch, command->lengths, command->count, sizeof *command->lengths);
	if (!command->words || !command->lengths)
		return;
	command->words[command->count] = word.ptr ? word.ptr : "";
	command->lengths[command->count++] = word.len;
}

void redis_add_text(struct redis_command *command, const char *text)
{
	redis_add(command, slice_of(text));
}

void redis_add_number(struct redis_command *command, int64_t number)
{
	redis_add_text(command, arena_printf(&command->call->scratch, "%lld", (long long)number));
}

void redis_add_key(struct redis_command *command, const char *kind, const char *name)
{
	redis_add_text(command,
		       arena_printf(&command->call->scratch, "%s%s%s",
				    command->call->store->place.base, kind, name ? name : ""));
}

void redis_add_message(struct redis_command *command, const char *thread_id, const char *id)
{
	redis_add_text(command, arena_printf(&command->call->scratch, "%sm:%s/%s",
					     command->call->store->place.base, thread_id, id));
}

struct redis_command redis_command(struct redis_call *call, const char *name)
{
	struct redis_command command = { .call = call };

	redis_add_text(&command, name);
	return command;
}

struct redis_command redis_of_key(struct redis_call *call, const char *name, const char *kind,
				  const char *key)
{
	struct redis_command command = redis_command(call, name);

	redis_add_key(&command, kind, key);
	return command;
}

enum error_code redis_put(struct redis_command *command)
{
	struct redis_call *call = command->call;

	if (call->is_broken)
		return ERROR_STORE_DOWN;
	if (call->scratch.failed ||
	    !redis_line_put(call->line, command->words, command->lengths, command->count))
		return ERROR_OVERLOADED;
	call->owed++;
	return ERROR_NONE;
}

/* --- replies --- */

/* The line ended or broke, or nothing came: then it may be done or not. */
static enum error_code broke(struct redis_call *call)
{
	call->is_broken = true;
	if (!redis_is_late(call)) {
		if (call->line->err == REDIS_ERR_PROTOCOL) {
			log_error("what answers there is no Redis");
			return ERROR_STORE;
		}
		return ERROR_STORE_DOWN;
	}
	log_error("Redis did not answer in time");
	return ERROR_STORE_TIMEOUT;
}

static enum error_code keep(struct redis_call *call, redisReply *reply)
{
	redisReply **kept =
		store_grow(&call->scratch, call->replies, call->reply_count, sizeof(void *));

	if (!kept) {
		freeReplyObject(reply);
		return ERROR_OVERLOADED;
	}
	call->replies = kept;
	call->replies[call->reply_count++] = reply;
	return ERROR_NONE;
}

static enum error_code next_reply(struct redis_call *call, const redisReply **out)
{
	redisReply *reply = redis_line_read(call->line, call->until_ms);

	if (!reply)
		return broke(call);
	call->owed--;
	*out = reply;
	return keep(call, reply);
}

enum error_code redis_get(struct redis_call *call, const redisReply **out)
{
	const redisReply *reply = NULL;
	enum error_code code = call->is_broken ? ERROR_STORE_DOWN : next_reply(call, &reply);

	if (code == ERROR_NONE && reply->type == REDIS_REPLY_ERROR)
		code = for_call(call, redis_refused(reply, call->err));
	if (code == ERROR_NONE)
		*out = reply;
	return code;
}

enum error_code redis_ask(struct redis_command *command, const redisReply **out)
{
	enum error_code code = redis_put(command);

	return code == ERROR_NONE ? redis_get(command->call, out) : code;
}

enum error_code redis_ask_quietly(struct redis_command *command, const redisReply **out)
{
	const redisReply *reply = NULL;
	enum error_code code = redis_put(command);

	if (code == ERROR_NONE)
		code = next_reply(command->call, &reply);
	if (code == ERROR_NONE && reply->type == REDIS_REPLY_ERROR)
		code = ERROR_STORE;
	if (code == ERROR_NONE)
		*out = reply;
	return code;
}

/* --- scripts --- */

struct redis_command redis_step(struct redis_call *call, enum redis_step step, size_t keys)
{
	struct redis_command command = redis_command(call, "EVALSHA");

	redis_add_text(&command, redis_script_of(step)->name);
	redis_add_number(&command, (int64_t)keys);
	return command;
}

enum error_code redis_run(struct redis_command *command, enum redis_step step,
			  const redisReply **out)
{
	struct redis_call *call = command->call;
	const redisReply *reply = NULL;
	const char *text = redis_script_of(step)->text;
	enum error_code code = redis_put(command);

	if (code == ERROR_NONE)
		code = next_reply(call, &reply);
	if (code != ERROR_NONE)
		return code;
	if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0) {
		command->words[0] = "EVAL";
		command->lengths[0] = 4;
		command->words[1] = text;
		command->lengths[1] = strlen(text);
		return redis_ask(command, out);
	}
	if (reply->type == REDIS_REPLY_ERROR)
		return for_call(call, redis_refused(reply, call->err));
	*out = reply;
	return ERROR_NONE;
}

enum error_code redis_load(struct redis_call *call, enum redis_step step)
{
	struct redis_command load = redis_command(call, "SCRIPT");
	const redisReply *reply;

	redis_add_text(&load, "LOAD");
	redis_add_text(&load, redis_script_of(step)->text);
	return redis_ask(&load, &reply);
}

void redis_add_lists(struct redis_command *command, const char *thread_id, const char *user_id)
{
	redis_add_key(command, "t:", thread_id);
	redis_add_key(command, "u0:", user_id);
	redis_add_key(command, "u1:", user_id);
	redis_add_key(command, "a0", "");
	redis_add_key(command, "a1", "");
}

void redis_add_who(struct redis_command *command, const char *user_id, const char *owner,
		   const char *thread_id)
{
	redis_add_text(command, user_id);
	redis_add_text(command, owner ? "1" : "0");
	redis_add_text(command, thread_id);
}
