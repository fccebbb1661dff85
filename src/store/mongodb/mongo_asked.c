/*
 * mongo_asked: was it asked before? By a look, before anything is made; and when the insert of both
 * messages was refused: whose are the ids or the key, may the answer be written anew, or was only
 * the number taken?
 */
#include "mongo_turn.h"

#include "base/clock.h"

/* --- by a look --- */

/* What a deleted thread keeps for a while is not there. */
static enum error_code find(struct mongo_call *call, const char *owner, bson_t *filter,
			    struct arena *arena, struct message *out)
{
	struct message answer;
	enum error_code code = mongo_message_find(call, filter, NULL, arena, &answer);

	if (code == ERROR_NONE)
		code = mongo_thread_check(call, owner, answer.thread_id);
	if (code == ERROR_NONE)
		*out = answer;
	return code;
}

/* The key has its user in it, but the thread that it was used on may be another's by now. */
static enum error_code find_key(struct mongo_call *call, const char *owner, const char *key,
				struct arena *arena, struct message *out)
{
	return find(call, owner, BCON_NEW("key", BCON_UTF8(key), "role", BCON_UTF8("assistant")),
		    arena, out);
}

enum error_code mongo_turn_find(void *self, const char *owner, const char *thread_id,
				const char *answer_id, const char *key, struct arena *arena,
				struct message *out)
{
	char id[MONGO_KEY_SIZE];
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	if (key) {
		code = find_key(&call, owner, key, arena, out);
	} else {
		mongo_message_key(thread_id, answer_id, id);
		code = find(&call, owner, BCON_NEW("_id", BCON_UTF8(id)), arena, out);
	}
	mongo_end(&call);
	return code;
}

/* --- asked: all that was done for the turn is taken back --- */

/* Asked before: the claim goes, and with it a thread that was made for it. */
static enum error_code let_go(const struct opening *o)
{
	const struct turn_open *open = o->open;

	o->out->kind = TURN_ASKED;
	o->out->history = (struct message_list){ 0 };
	if (!o->is_made)
		return mongo_claim_clear(o->call, open->thread_id, open->run.id);
	return mongo_delete(o->call, THREADS,
			    BCON_NEW("_id", BCON_UTF8(open->thread_id), "run.id",
				     BCON_UTF8(open->run.id), "rev", BCON_INT64(1)));
}

/* --- which of them exists? --- */

static enum error_code look(const struct opening *o, const char *id, struct message *out)
{
	char key[MONGO_KEY_SIZE];
	enum error_code code;

	*out = (struct message){ 0 };
	mongo_message_key(o->open->thread_id, id, key);
	code = mongo_message_find(o->call, BCON_NEW("_id", BCON_UTF8(key)), NULL, o->arena, out);
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* The answer that a question has, whatever its id. */
static enum error_code look_for_answer(const struct opening *o, const struct message *question,
				       struct message *out)
{
	bson_t *options = mongo_options(o->call, 1);
	enum error_code code;

	BCON_APPEND(options, "sort", "{", "seq", BCON_INT32(1), "}");
	code = mongo_message_find(o->call,
				  BCON_NEW("thread_id", BCON_UTF8(o->open->thread_id), "seq", "{",
					   "$gt", BCON_INT64(question->seq), "}", "parent_id",
					   BCON_UTF8(question->id), "role", BCON_UTF8("assistant")),
				  options, o->arena, out);
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* A question that stood there already has only what is before it as its history. */
static void cut_history(struct opening *o)
{
	struct message_list *list = &o->out->history;
	int64_t end = o->out->question.id ? o->out->question.seq : o->out->answer.seq;

	while (list->count > 0 && list->items[list->count - 1].seq >= end)
		list->count--;
}

static bson_t *again_streaming(const struct turn_open *open)
{
	bson_t *update = bson_new();
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	BSON_APPEND_UTF8(&set, "run_id", open->run.id);
	BSON_APPEND_UTF8(&set, "status", message_status_text(STATUS_STREAMING));
	mongo_put_content(&set, SLICE(""));
	mongo_put_usage(&set, &USAGE_UNKNOWN);
	mongo_put_text(&set, "model", NULL);
	mongo_put_text(&set, "finish_reason", NULL);
	BSON_APPEND_BOOL(&set, "unasked", false);
	if (open->answer.key)
		BSON_APPEND_UTF8(&set, "key", open->answer.key);
	BSON_APPEND_DATE_TIME(&set, "updated_at", clock_wall_ms());
	bson_append_document_end(update, &set);
	return update;
}

/* Its question is its parent, whatever id the new one has. */
static enum error_code take_over(struct opening *o, const struct message *found)
{
	char key[MONGO_KEY_SIZE];
	bson_t reply, document;
	enum error_code code;

	mongo_message_key(found->thread_id, found->id, key);
	code = mongo_modify(o->call, MESSAGES,
			    BCON_NEW("_id", BCON_UTF8(key), "unasked", BCON_BOOL(true)),
			    again_streaming(o->open), MONGO_NEW, &reply, &document);
	if (code == ERROR_NONE)
		code = mongo_take_message(&document, true, o->arena, &o->out->answer);
	bson_destroy(&reply);
	o->out->question = (struct message){ 0 };
	if (code == ERROR_NONE && found->parent_id)
		code = look(o, found->parent_id, &o->out->question);
	cut_history(o);
	return code;
}

/* A question of ours without its answer is not left behind. */
static enum error_code take_back(struct opening *o)
{
	char key[MONGO_KEY_SIZE];

	if (!o->is_ours)
		return ERROR_NONE;
	o->has_question = o->is_ours = false;
	mongo_message_key(o->open->thread_id, o->out->question.id, key);
	return mongo_delete(o->call, MESSAGES, BCON_NEW("_id", BCON_UTF8(key)));
}

static enum error_code asked(struct opening *o, struct message question, struct message answer)
{
	o->out->question = question;
	o->out->answer = answer;
	return let_go(o);
}

/* An answer of this id or key exists. */
static enum error_code meet_answer(struct opening *o, const struct message *answer)
{
	struct message question;
	enum error_code code = take_back(o);

	if (code == ERROR_NONE && store_can_take_over(answer, o->open))
		return take_over(o, answer);
	if (code == ERROR_NONE)
		code = look(o, o->open->question.id, &question);
	return code == ERROR_NONE ? asked(o, question, *answer) : code;
}

/* The question's id exists, and it is not this turn that stored it. */
static enum error_code meet_question(struct opening *o, const struct message *question, bool *again)
{
	struct message answer = { 0 };
	enum error_code code = look_for_answer(o, question, &answer);

	if (code != ERROR_NONE)
		return code;
	if (answer.id || !store_same_question(question, &o->open->question))
		return asked(o, *question, answer);
	o->out->question = *question;
	o->has_question = true;
	cut_history(o);
	*again = true;
	return ERROR_NONE;
}

/* *again: put in what is not there yet, behind what is there now. */
static enum error_code find_out(struct opening *o, bool *again)
{
	struct message answer, question = { 0 };
	enum error_code code = look(o, o->open->answer.id, &answer);

	*again = false;
	if (code != ERROR_NONE)
		return code;
	if (answer.id)
		return meet_answer(o, &answer);
	if (!o->has_question && (code = look(o, o->open->question.id, &question)) != ERROR_NONE)
		return code;
	if (question.id && (code = meet_question(o, &question, again)) != ERROR_NONE)
		return code;
	if (question.id && !*again)
		return ERROR_NONE;
	*again = true;
	return mongo_message_last(o->call, o->open->thread_id, &o->last_seq, o->last);
}

/* By the key alone: its ids may be others. A refusal holds no claim, and leaves no question. */
static enum error_code meet_key(struct opening *o, bool *met)
{
	struct message answer;
	enum error_code code =
		find_key(o->call, o->open->owner, o->open->answer.key, o->arena, &answer);
	enum error_code end = code == ERROR_ACCESS_DENIED ? take_back(o) : ERROR_NONE;

	if (end == ERROR_NONE && code == ERROR_ACCESS_DENIED)
		end = let_go(o);
	if (end != ERROR_NONE)
		return end;
	*met = code == ERROR_NONE;
	if (code == ERROR_NOT_FOUND)
		return ERROR_NONE;
	return code == ERROR_NONE ? meet_answer(o, &answer) : code;
}

/* A deleted thread keeps its messages for a while; what was asked there may be asked again. */
static enum error_code free_key(const struct opening *o)
{
	char id[MONGO_KEY_SIZE];
	struct message stale;
	enum error_code code = mongo_message_find(
		o->call, BCON_NEW("key", BCON_UTF8(o->open->answer.key)), NULL, o->arena, &stale);

	if (code == ERROR_NONE)
		code = mongo_thread_check(o->call, NULL, stale.thread_id);
	else
		return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
	if (code != ERROR_NOT_FOUND)
		return code;
	mongo_message_key(stale.thread_id, stale.id, id);
	return mongo_update(o->call, MESSAGES, BCON_NEW("_id", BCON_UTF8(id)),
			    BCON_NEW("$unset", "{", "key", BCON_UTF8(""), "}"), NULL);
}

/* The index on keys is unique: a twin on another thread may have come in between. */
enum error_code mongo_meet_twin(struct opening *o, bool *met, bool *again)
{
	enum error_code code = o->open->answer.key ? meet_key(o, met) : ERROR_NONE;

	if (code == ERROR_NONE && o->open->answer.key && !*met)
		code = free_key(o);
	return code == ERROR_NONE && !*met ? find_out(o, again) : code;
}
