/* redis_claim: how a run lets go of its thread: its end, the wish that it stop, what the dead left.
 */
#include "redis_room.h"

#include "base/clock.h"
#include "base/log.h"

/* --- the end of a run --- */

static struct redis_command make_script(struct redis_call *call, const struct finish *f)
{
	struct redis_command script = redis_step(call, STEP_FINISH, 5);
	const struct message end = {
		.role = ROLE_ASSISTANT,
		.status = f->status,
		.content = f->content,
		.finish_reason = f->finish_reason,
		.model = f->model,
		.usage = f->usage,
		.unasked = f->unasked,
		.updated_ms = clock_wall_ms(),
	};

	redis_add_key(&script, "t:", f->thread_id);
	redis_add_message(&script, f->thread_id, f->message_id);
	redis_add_key(&script, "s:", f->thread_id);
	redis_add_key(&script, "claims", "");
	redis_add_key(&script, "stops", "");
	redis_add_text(&script, f->thread_id);
	redis_add_text(&script, f->message_id);
	redis_add_text(&script, f->run_id);
	redis_add_text(&script, f->if_streaming ? "1" : "0");
	redis_add_end(&script, &end);
	return script;
}

/* An answer whose place nobody took away on purpose is told of: it was lost with Redis' memory. */
enum error_code redis_finish(void *self, const struct finish *finish, bool *applied)
{
	const redisReply *reply = NULL;
	struct redis_command script;
	struct redis_call call;
	bool saved = false;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	script = make_script(&call, finish);
	code = redis_run(&script, STEP_FINISH, &reply);
	if (code == ERROR_NONE) {
		saved = redis_says(reply, "SAVED");
		if (redis_says(reply, "VANISHED"))
			log_error("an answer's thread has vanished from Redis: it cannot be saved",
				  LOG_T("run", finish->run_id));
	}
	redis_end(&call);
	if (code == ERROR_NONE && applied)
		*applied = saved;
	return code;
}

/* --- lists of claims --- */

/* Members <node>/<thread> of a list, of one node. */
static enum error_code put_range(struct redis_call *call, const char *list, const char *node,
				 size_t limit)
{
	struct redis_command range = redis_of_key(call, "ZRANGEBYLEX", list, "");

	redis_add_text(&range, arena_printf(&call->scratch, "[%s/", node));
	redis_add_text(&range, arena_printf(&call->scratch, "(%s0", node)); /* '0' follows '/' */
	redis_add_text(&range, "LIMIT");
	redis_add_number(&range, 0);
	redis_add_number(&range, (int64_t)limit);
	return redis_put(&range);
}

/* Adds the threads' claims, of members that were asked for. One that is not held any more, or that
 * Redis has lost, is passed over. */
static enum error_code add_claims(struct redis_call *call, const redisReply *members,
				  struct arena *arena, struct claim_list *list)
{
	const char *node, *id;
	enum error_code code = ERROR_NONE;

	for (size_t i = 0; code == ERROR_NONE && i < redis_count(members); i++) {
		struct redis_command get;

		if (!redis_split(redis_slice(members->element[i]), arena, &node, &id))
			continue;
		list->items = store_grow(arena, list->items, list->count, sizeof *list->items);
		if (!list->items)
			return ERROR_OVERLOADED;
		list->items[list->count++] = (struct held_claim){ id, { .node = node } };
		get = redis_of_key(call, "HMGET", "t:", id);
		redis_add_text(&get, "run");
		redis_add_text(&get, "run_message");
		redis_add_text(&get, "run_node");
		code = redis_put(&get);
	}
	return code;
}

static enum error_code read_claims(struct redis_call *call, size_t from, struct arena *arena,
				   struct claim_list *list)
{
	size_t kept = from, count = list->count;
	enum error_code code = ERROR_NONE;

	for (size_t i = from; code == ERROR_NONE && i < count; i++) {
		struct held_claim claim = list->items[i];
		const redisReply *row = NULL;

		code = redis_get(call, &row);
		if (code != ERROR_NONE ||
		    !slice_is(redis_slice(redis_element(row, 2)), claim.run.node))
			continue;
		claim.run.id = arena_copy(arena, redis_slice(redis_element(row, 0)));
		claim.run.message_id = arena_copy(arena, redis_slice(redis_element(row, 1)));
		list->items[kept++] = claim;
	}
	list->count = kept;
	return code == ERROR_NONE ? store_fits(arena) : code;
}

static enum error_code claims_in(struct redis_call *call, const char *which, const char *node,
				 size_t limit, struct arena *arena, struct claim_list *list)
{
	size_t from = list->count;
	const redisReply *members = NULL;
	enum error_code code = put_range(call, which, node, limit);

	if (code == ERROR_NONE)
		code = redis_get(call, &members);
	if (code == ERROR_NONE)
		code = add_claims(call, members, arena, list);
	return code == ERROR_NONE ? read_claims(call, from, arena, list) : code;
}

static enum error_code claims_of_dead(struct redis_call *call, int64_t silent_ms, size_t limit,
				      struct arena *arena, struct claim_list *list)
{
	const redisReply *nodes = NULL;
	enum error_code code = redis_nodes_silent(call, silent_ms, REDIS_NODES_MAX, &nodes);

	for (size_t i = 0; code == ERROR_NONE && i < redis_count(nodes) && list->count < limit; i++)
		code = claims_in(call, "claims", redis_slice(nodes->element[i]).ptr,
				 limit - list->count, arena, list);
	return code;
}

enum error_code redis_claims_of_dead(void *self, int64_t silent_ms, size_t limit,
				     struct arena *arena, struct claim_list *out)
{
	struct claim_list list = { 0 };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = claims_of_dead(&call, silent_ms, limit, arena, &list);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = list;
	return code;
}

/* --- wishes --- */

enum error_code redis_stop_ask(void *self, const char *owner, const char *run_id)
{
	const char *thread_id, *id;
	const redisReply *reply = NULL;
	struct redis_command script;
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = redis_led_to(&call, "runs", run_id, &call.scratch, &thread_id, &id);
	if (code == ERROR_NONE) {
		script = redis_step(&call, STEP_STOP, 2);
		redis_add_key(&script, "t:", thread_id);
		redis_add_key(&script, "stops", "");
		redis_add_text(&script, owner);
		redis_add_text(&script, owner ? "1" : "0");
		redis_add_text(&script, thread_id);
		redis_add_text(&script, run_id);
		code = redis_run(&script, STEP_STOP, &reply);
	}
	if (code == ERROR_NONE)
		code = redis_verdict(reply);
	redis_end(&call);
	return code;
}

enum error_code redis_stops_of(void *self, const char *node, struct arena *arena,
			       struct claim_list *out)
{
	struct claim_list list = { 0 };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = claims_in(&call, "stops", node, CLAIMS_MAX, arena, &list);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = list;
	return code;
}
