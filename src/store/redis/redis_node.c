/* redis_node: who is alive, and what was deleted long ago. All ages are by the clock of Redis,
 * which sets all times that they are compared with. */
#include "redis_room.h"

#include "base/digits.h"
#include "base/id.h"
#include "base/log.h"
#include <stdio.h>

/* --- the clock --- */

static enum error_code read_clock(struct redis_call *call, int64_t *now_ms)
{
	struct redis_command time = redis_command(call, "TIME");
	const redisReply *reply = NULL;
	int64_t seconds, us;
	enum error_code code = redis_ask(&time, &reply);

	if (code != ERROR_NONE)
		return code;
	if (!digits_read(redis_slice(redis_element(reply, 0)), 12, &seconds) ||
	    !digits_read(redis_slice(redis_element(reply, 1)), 6, &us))
		return ERROR_STORE;
	*now_ms = seconds * 1000 + us / 1000;
	return ERROR_NONE;
}

/* --- nodes --- */

/* Redis was emptied, or begun anew without what it had on disk: nothing else would tell it. */
static enum error_code say_emptied(struct redis_call *call)
{
	if (atomic_exchange(&call->store->has_schema, false))
		log_error("Redis was emptied: the conversations that were in it are lost");
	return redis_schema_put(call);
}

enum error_code redis_node_beat(void *self, const char *node, int64_t *now_ms)
{
	const redisReply *reply = NULL;
	struct redis_command script;
	struct redis_call call;
	int64_t now = 0;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	script = redis_step(&call, STEP_BEAT, 2);
	redis_add_key(&script, "nodes", "");
	redis_add_key(&script, "meta", "");
	redis_add_text(&script, node);
	code = redis_run(&script, STEP_BEAT, &reply);
	if (code == ERROR_NONE &&
	    !digits_read(redis_slice(redis_element(reply, 0)), DIGITS_MAX, &now))
		code = ERROR_STORE;
	if (code == ERROR_NONE && redis_number(redis_element(reply, 1)) == 0)
		code = say_emptied(&call);
	redis_end(&call);
	if (code == ERROR_NONE && now_ms)
		*now_ms = now;
	return code;
}

static enum error_code range_before(struct redis_call *call, const char *list, int64_t before_ms,
				    size_t limit, const redisReply **out)
{
	struct redis_command range = redis_of_key(call, "ZRANGEBYSCORE", list, "");

	redis_add_text(&range, "-inf");
	redis_add_text(&range, arena_printf(&call->scratch, "(%lld", (long long)before_ms));
	redis_add_text(&range, "LIMIT");
	redis_add_number(&range, 0);
	redis_add_number(&range, (int64_t)limit);
	return redis_ask(&range, out);
}

enum error_code redis_nodes_silent(struct redis_call *call, int64_t silent_ms, size_t limit,
				   const redisReply **names)
{
	int64_t now_ms;
	enum error_code code = read_clock(call, &now_ms);

	return code == ERROR_NONE ? range_before(call, "nodes", now_ms - silent_ms, limit, names)
				  : code;
}

/* --- sweeping: each gives how many there were to look at --- */

/* One that lives after all beats again. */
static enum error_code sweep_nodes(struct redis_call *call, int64_t before_ms, size_t limit,
				   size_t *count)
{
	struct redis_command script = redis_step(call, STEP_FORGET_NODES, 2);
	const redisReply *names = NULL, *gone = NULL;
	enum error_code code = range_before(call, "nodes", before_ms, limit, &names);

	redis_add_key(&script, "nodes", "");
	redis_add_key(&script, "claims", "");
	redis_add_number(&script, before_ms);
	for (size_t i = 0; i < redis_count(names); i++)
		redis_add(&script, redis_slice(names->element[i]));
	*count = 0;
	if (code == ERROR_NONE && redis_count(names) > 0)
		code = redis_run(&script, STEP_FORGET_NODES, &gone);
	if (code == ERROR_NONE && gone)
		*count = (size_t)redis_number(gone);
	return code;
}

static enum error_code first_marked(struct redis_call *call, const char **id)
{
	struct redis_command range = redis_of_key(call, "ZRANGE", "purge", "");
	const redisReply *found = NULL;
	enum error_code code;

	redis_add_number(&range, 0);
	redis_add_number(&range, 0);
	code = redis_ask(&range, &found);
	*id = redis_count(found) > 0 ? redis_slice(found->element[0]).ptr : NULL;
	return code;
}

/* What is no thread's name is none of ours, and would be met again and again. */
static enum error_code pass_over(struct redis_call *call, const char *name)
{
	struct redis_command remove = redis_of_key(call, "ZREM", "purge", "");
	const redisReply *reply;

	redis_add_text(&remove, name);
	return redis_ask(&remove, &reply);
}

/* *left: how much may still be done in this step. */
static enum error_code empty_marked(struct redis_call *call, size_t *left)
{
	enum error_code code = ERROR_NONE;
	char id[ID_MAX + 1];
	const char *found;
	size_t removed;

	for (; code == ERROR_NONE && *left > 0; *left -= store_swept(removed)) {
		removed = 0;
		code = first_marked(call, &found);
		if (code != ERROR_NONE || !found)
			break;
		if (!id_valid(slice_of(found))) {
			code = pass_over(call, found);
			continue;
		}
		snprintf(id, sizeof id, "%s", found); /* it goes with its reply */
		code = redis_thread_empty(call, id, *left, &removed);
		if (code != ERROR_NONE)
			break;
	}
	return code;
}

static enum error_code forget_marks(struct redis_call *call, int64_t before_ms, size_t limit,
				    size_t *count)
{
	struct redis_command script;
	const redisReply *ids = NULL, *reply;
	enum error_code code = range_before(call, "marks", before_ms, limit, &ids);

	*count = redis_count(ids);
	if (code != ERROR_NONE || *count == 0)
		return code;
	script = redis_step(call, STEP_FORGET_MARKS, *count + 1);
	redis_add_key(&script, "marks", "");
	for (size_t i = 0; i < *count; i++)
		redis_add_key(&script, "t:", redis_slice(ids->element[i]).ptr);
	redis_add_number(&script, before_ms);
	for (size_t i = 0; i < *count; i++)
		redis_add(&script, redis_slice(ids->element[i]));
	return redis_run(&script, STEP_FORGET_MARKS, &reply);
}

enum error_code redis_sweep(void *self, int64_t silent_ms, int64_t deleted_ms, size_t limit,
			    bool *more)
{
	size_t batch = limit < REDIS_BATCH ? limit : REDIS_BATCH;
	size_t left = limit, marks = 0, nodes = 0;
	struct redis_call call;
	int64_t now_ms;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = read_clock(&call, &now_ms);
	if (code == ERROR_NONE)
		code = empty_marked(&call, &left);
	if (code == ERROR_NONE)
		code = forget_marks(&call, now_ms - deleted_ms, batch, &marks);
	if (code == ERROR_NONE)
		code = sweep_nodes(&call, now_ms - silent_ms, batch, &nodes);
	redis_end(&call);
	if (code == ERROR_NONE)
		*more = left == 0 || marks == batch || nodes == batch;
	return code;
}
