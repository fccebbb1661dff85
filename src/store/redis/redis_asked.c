/*
 * redis_asked: was it asked before? By a look, before anything is made; and when a turn met
 * something: whose are the ids or the key, may the answer be written anew, or does only a first
 * try's question stand there?
 */
#include "redis_turn.h"

#include "base/digits.h"

/* --- by a look --- */

static enum error_code read_answer(struct redis_call *call, const char *owner,
				   const char *thread_id, const char *id, struct arena *arena,
				   struct message *out)
{
	struct message answer;
	enum error_code code = redis_thread_check(call, owner, thread_id);

	if (code == ERROR_NONE)
		code = redis_message_read(call, thread_id, id, arena, &answer);
	if (code == ERROR_NONE)
		*out = answer;
	return code;
}

/* The key has its user in it, but the thread that it was used on may be another's by now. What a
 * deleted thread keeps for a while is not there. */
static enum error_code find_key(struct redis_call *call, const char *owner, const char *key,
				struct arena *arena, struct message *out)
{
	const char *thread_id, *id;
	struct message answer;
	enum error_code code = redis_led_to(call, "keys", key, arena, &thread_id, &id);

	if (code == ERROR_NONE)
		code = read_answer(call, owner, thread_id, id, arena, &answer);
	if (code == ERROR_NONE && answer.role != ROLE_ASSISTANT)
		code = ERROR_NOT_FOUND;
	if (code == ERROR_NONE)
		*out = answer;
	return code;
}

enum error_code redis_turn_find(void *self, const char *owner, const char *thread_id,
				const char *answer_id, const char *key, struct arena *arena,
				struct message *out)
{
	struct message answer;
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = key ? find_key(&call, owner, key, arena, &answer)
		   : read_answer(&call, owner, thread_id, answer_id, arena, &answer);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = answer;
	return code;
}

/* --- what exists of the pair --- */

/* What is not there leaves *out without an id. */
static enum error_code look(const struct opening *o, const char *id, struct message *out)
{
	enum error_code code;

	*out = (struct message){ 0 };
	code = id ? redis_message_read(o->call, o->open->thread_id, id, o->arena, out)
		  : ERROR_NOT_FOUND;
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* Of some messages: HMGET role parent; the first that is an answer to it, by number. count: none.
 */
static enum error_code which_answers(const struct opening *o, const redisReply *ids,
				     const char *question_id, size_t *which)
{
	size_t count = redis_count(ids);
	enum error_code code = ERROR_NONE;

	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		struct redis_command get = redis_command(o->call, "HMGET");

		redis_add_message(&get, o->open->thread_id, redis_slice(ids->element[i]).ptr);
		redis_add_text(&get, "role");
		redis_add_text(&get, "parent");
		code = redis_put(&get);
	}
	*which = count;
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		const redisReply *row = NULL;

		code = redis_get(o->call, &row);
		if (code == ERROR_NONE && *which == count &&
		    slice_is(redis_slice(redis_element(row, 0)), "assistant") &&
		    slice_is(redis_slice(redis_element(row, 1)), question_id))
			*which = i;
	}
	return code;
}

/* The last number of the thread: when it is the same later, nothing was added. */
static enum error_code read_last(const struct opening *o, int64_t *seq)
{
	struct redis_command range = redis_of_key(o->call, "ZREVRANGE", "s:", o->open->thread_id);
	const redisReply *last = NULL;
	enum error_code code;

	redis_add_number(&range, 0);
	redis_add_number(&range, 0);
	redis_add_text(&range, "WITHSCORES");
	code = redis_ask(&range, &last);
	if (code == ERROR_NONE &&
	    !digits_read(redis_slice(redis_element(last, 1)), DIGITS_MAX, seq))
		code = ERROR_CORRUPT;
	return code;
}

static enum error_code read_behind(const struct opening *o, int64_t seq, size_t from,
				   const redisReply **ids)
{
	struct redis_command range =
		redis_of_key(o->call, "ZRANGEBYSCORE", "s:", o->open->thread_id);

	redis_add_text(&range, arena_printf(&o->call->scratch, "(%lld", (long long)seq));
	redis_add_text(&range, "+inf");
	redis_add_text(&range, "LIMIT");
	redis_add_number(&range, (int64_t)from);
	redis_add_number(&range, REDIS_BATCH);
	return redis_ask(&range, ids);
}

/* The answer that a question has, whatever its id. It is the next message as a rule, and a first
 * try's question is the last, so this is no long way. */
static enum error_code look_for_answer(const struct opening *o, const struct message *question,
				       struct message *out)
{
	size_t count = REDIS_BATCH, which = 0;
	const redisReply *ids = NULL;
	enum error_code code = ERROR_NONE;

	for (size_t from = 0; code == ERROR_NONE && count == REDIS_BATCH; from += count) {
		code = read_behind(o, question->seq, from, &ids);
		count = redis_count(ids);
		if (code == ERROR_NONE)
			code = which_answers(o, ids, question->id, &which);
		if (code == ERROR_NONE && which < count)
			return look(o, arena_copy(o->arena, redis_slice(ids->element[which])), out);
		if (code == ERROR_NONE && redis_is_late(o->call))
			code = ERROR_STORE_TIMEOUT;
	}
	return code;
}

/* A deleted thread keeps its messages for a while; what was asked there may be asked again. */
static enum error_code look_at_key(struct opening *o, struct message *answer)
{
	const char *thread_id, *id, *key = o->open->answer.key;
	enum error_code code;

	if (!key)
		return ERROR_NONE;
	code = redis_led_to(o->call, "keys", key, o->arena, &thread_id, &id);
	if (code != ERROR_NONE)
		return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
	code = find_key(o->call, o->open->owner, key, o->arena, answer);
	if (code == ERROR_NOT_FOUND) {
		o->free_key = arena_printf(o->arena, "%s/%s", thread_id, id);
		code = ERROR_NONE;
	}
	return code;
}

/* The question with its id; the answer with its key, else its id, else to that question. */
static enum error_code look_for_pair(struct opening *o, struct message *question,
				     struct message *answer)
{
	enum error_code code = look_at_key(o, answer);

	if (code == ERROR_NONE && !answer->id)
		code = look(o, o->open->answer.id, answer);
	if (code == ERROR_NONE)
		code = look(o, o->open->question.id, question);
	if (code != ERROR_NONE || answer->id || !question->id)
		return code;
	code = read_last(o, &o->last_seq);
	return code == ERROR_NONE ? look_for_answer(o, question, answer) : code;
}

enum error_code redis_meet(struct opening *o, bool *again)
{
	struct message *question = &o->out->question, *answer = &o->out->answer;
	enum error_code code;

	*question = *answer = (struct message){ 0 };
	o->last_seq = 0;
	code = look_for_pair(o, question, answer);
	if (code != ERROR_NONE)
		return code;
	switch (store_turn_step(o->open, question, answer)) {
	case TURN_STEP_ASKED: o->out->kind = TURN_ASKED; return ERROR_NONE;
	case TURN_STEP_AGAIN:
		*again = o->takes_over = true;
		return look(o, answer->parent_id, question);
	case TURN_STEP_ANSWER: /* with last_seq */
	case TURN_STEP_PAIR: *again = true; break;
	}
	o->takes_over = false;
	return ERROR_NONE;
}
