/*
 * redis_turn: a turn begins in one script: is the thread there and free, was it asked before; then
 * claim and pair. It also tells which messages the history is of, so that the texts of that are the
 * second round trip. Only when something is there already is there more to find out.
 */
#include "redis_turn.h"

#include "base/clock.h"

/* --- what scripts gave --- */

static const char *text_at(const redisReply *reply, size_t at, struct arena *arena)
{
	struct slice text = redis_slice(redis_element(reply, at));

	return text.len > 0 ? arena_copy(arena, text) : NULL;
}

static enum error_code held(const struct opening *o, const redisReply *reply)
{
	struct run_ref *holder = &o->out->holder;

	o->out->kind = TURN_HELD;
	*holder = (struct run_ref){ text_at(reply, 1, o->arena), text_at(reply, 2, o->arena),
				    text_at(reply, 3, o->arena) };
	return holder->id && holder->message_id && holder->node ? ERROR_NONE : ERROR_CORRUPT;
}

/* --- history --- */

static enum error_code more_ids(const struct opening *o, int64_t before, size_t from,
				const redisReply **ids)
{
	struct redis_command range =
		redis_of_key(o->call, "ZREVRANGEBYSCORE", "s:", o->open->thread_id);

	redis_add_text(&range, arena_printf(&o->call->scratch, "(%lld", (long long)before));
	redis_add_text(&range, "-inf");
	redis_add_text(&range, "LIMIT");
	redis_add_number(&range, (int64_t)from);
	redis_add_number(&range, REDIS_BATCH);
	return redis_ask(&range, ids);
}

/* ids: the first of what stands before that number, newest first. */
static enum error_code read_history(const struct opening *o, int64_t before, const redisReply *ids)
{
	const struct turn_open *open = o->open;
	struct redis_pages how = { "history", open->thread_id, open->history_bytes,
				   open->history_max, open->history_bytes };
	struct message_list *history = &o->out->history;
	enum error_code code = ERROR_NONE;

	for (size_t from = 0; redis_count(ids) > 0; from += REDIS_BATCH) {
		code = redis_read_pages(o->call, &how, ids, o->arena, history);
		if (code != ERROR_NONE || history->more || redis_count(ids) < REDIS_BATCH)
			break;
		code = more_ids(o, before, from + REDIS_BATCH, &ids);
		if (code != ERROR_NONE)
			break;
	}
	store_reverse(history);
	return code;
}

/* --- the script --- */

static void add_turn(struct redis_command *script, const struct opening *o,
		     char updated[REDIS_TIME_SIZE])
{
	const struct turn_open *open = o->open;

	redis_add_who(script, o->user_id, open->owner, open->thread_id);
	redis_add_text(script, redis_time_text(clock_wall_ms(), updated));
	redis_add_text(script, open->run.id);
	redis_add_text(script, open->run.node);
}

/* seq and parent are the script's to give. */
static void add_message(struct redis_command *script, struct message message)
{
	message.seq = 0;
	message.parent_id = NULL;
	redis_add_fields(script, &message, false);
}

static struct redis_command make_script(const struct opening *o, char updated[REDIS_TIME_SIZE])
{
	const struct turn_open *open = o->open;
	struct redis_command script = redis_step(o->call, STEP_TURN, 13);

	redis_add_lists(&script, open->thread_id, o->user_id);
	redis_add_key(&script, "ids", "");
	redis_add_key(&script, "s:", open->thread_id);
	redis_add_key(&script, "r:", open->thread_id);
	redis_add_key(&script, "runs", "");
	redis_add_key(&script, "keys", "");
	redis_add_key(&script, "claims", "");
	redis_add_message(&script, open->thread_id, open->question.id);
	redis_add_message(&script, open->thread_id, open->answer.id);
	add_turn(&script, o, updated);
	redis_add_text(&script, open->question.id);
	redis_add_text(&script, open->answer.id);
	redis_add_text(&script, open->answer.key);
	redis_add_text(&script, o->free_key);
	if (o->last_seq > 0)
		redis_add_number(&script, o->last_seq);
	else
		redis_add_text(&script, "");
	redis_add_number(&script, REDIS_BATCH);
	redis_add_text(&script, open->make ? "1" : "0");
	redis_add_claim(&script, &open->run);
	add_message(&script, store_new_question(open, 0, NULL));
	add_message(&script, store_new_answer(open, 0, NULL));
	if (open->make)
		redis_add_thread(&script, open->make);
	return script;
}

/* The pair as it is stored now. */
static void take_pair(const struct opening *o, const redisReply *reply)
{
	struct message *question = &o->out->question;
	int64_t seq = redis_number(redis_element(reply, 1));

	if (o->last_seq == 0)
		*question = store_new_question(o->open, seq, text_at(reply, 3, o->arena));
	o->out->answer =
		store_new_answer(o->open, redis_number(redis_element(reply, 2)), question->id);
}

static enum error_code run_turn(const struct opening *o, const redisReply **reply)
{
	char updated[REDIS_TIME_SIZE];
	struct redis_command script = make_script(o, updated);
	enum error_code code = redis_run(&script, STEP_TURN, reply);

	if (code == ERROR_NONE)
		code = redis_verdict(*reply);
	if (code != ERROR_NONE || !redis_says(*reply, "OPENED"))
		return code;
	take_pair(o, *reply);
	return read_history(o, o->out->question.seq, redis_element(*reply, 4));
}

/* --- the answer of a model that was never asked is written anew --- */

static struct redis_command make_again(const struct opening *o, const struct message *answer,
				       int64_t before, char updated[REDIS_TIME_SIZE])
{
	const struct turn_open *open = o->open;
	struct redis_command script = redis_step(o->call, STEP_AGAIN, 11);

	redis_add_lists(&script, open->thread_id, o->user_id);
	redis_add_key(&script, "s:", open->thread_id);
	redis_add_key(&script, "r:", open->thread_id);
	redis_add_key(&script, "runs", "");
	redis_add_key(&script, "keys", "");
	redis_add_key(&script, "claims", "");
	redis_add_message(&script, open->thread_id, open->answer.id);
	add_turn(&script, o, updated);
	redis_add_text(&script, open->answer.id);
	redis_add_text(&script, open->answer.key);
	redis_add_text(&script, o->free_key);
	redis_add_number(&script, before);
	redis_add_number(&script, REDIS_BATCH);
	redis_add_claim(&script, &open->run);
	redis_add_fields(&script, answer, true);
	return script;
}

/* Its question is its parent, whatever id the new one has. */
static enum error_code run_again(struct opening *o, const redisReply **reply)
{
	struct message answer = store_answer_again(&o->out->answer, o->open, clock_wall_ms());
	int64_t before = o->out->question.id ? o->out->question.seq : answer.seq;
	char updated[REDIS_TIME_SIZE];
	struct redis_command script;
	enum error_code code;

	script = make_again(o, &answer, before, updated);
	code = redis_run(&script, STEP_AGAIN, reply);
	if (code == ERROR_NONE)
		code = redis_verdict(*reply);
	if (code != ERROR_NONE || !redis_says(*reply, "OPENED"))
		return code;
	o->out->answer = answer;
	return read_history(o, before, redis_element(*reply, 1));
}

/* --- opening --- */

/* Whose is the thread? Of one that is to be made, whose it will be. */
static enum error_code find_user(struct opening *o)
{
	const struct turn_open *open = o->open;
	enum error_code code = redis_user_of(o->call, open->owner, open->thread_id, &o->user_id);

	if (code == ERROR_NOT_FOUND && open->make) {
		o->user_id = open->make->user_id;
		code = ERROR_NONE;
	}
	return code;
}

/* *again: things have changed, or more is known now. */
static enum error_code try_open(struct opening *o, bool *again)
{
	const redisReply *reply = NULL;
	enum error_code code = o->takes_over ? run_again(o, &reply) : run_turn(o, &reply);

	*again = false;
	if (code != ERROR_NONE || redis_says(reply, "OPENED"))
		return code;
	if (redis_says(reply, "HELD"))
		return held(o, reply);
	if (redis_says(reply, "MET"))
		return redis_meet(o, again);
	*again = true; /* another's by now */
	return find_user(o);
}

static enum error_code open_turn(struct opening *o)
{
	bool again = true;
	enum error_code code = find_user(o);

	while (code == ERROR_NONE && again) {
		code = try_open(o, &again);
		if (code == ERROR_NONE && again && redis_is_late(o->call))
			code = ERROR_STORE_TIMEOUT;
	}
	return code == ERROR_NONE ? store_fits(o->arena) : code;
}

enum error_code redis_turn_open(void *self, const struct turn_open *open, struct arena *arena,
				struct turn_opened *out)
{
	struct turn_opened opened = { .kind = TURN_OPENED };
	struct opening o = { .open = open, .arena = arena, .out = &opened };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	o.call = &call;
	code = open_turn(&o);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = opened;
	return code;
}
