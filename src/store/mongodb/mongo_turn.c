/*
 * mongo_turn: a turn begins in three round trips: the claim (which makes the thread where there is
 * none), the history (which also tells the last number), the insert of both messages. Only when the
 * insert is refused is there more to find out: an id exists, or the number was taken.
 *
 * A thread whose rev is 1 with the claim was never touched before: it has no history.
 */
#include "mongo_room.h"

#include "base/clock.h"
#include "base/id.h"
#include <stdio.h>

#define HISTORY_BATCH 64

/* --- was it asked before? --- */

/* The key has its user in it. What a deleted thread keeps for a while is not there. */
static enum error_code find(struct mongo_call *call, const char *owner, const char *thread_id,
			    const char *answer_id, const char *key, struct arena *arena,
			    struct message *out)
{
	struct message answer;
	char id[MONGO_KEY_SIZE];
	bson_t *filter;
	enum error_code code;

	if (key) {
		filter = BCON_NEW("key", BCON_UTF8(key), "role", BCON_UTF8("assistant"));
	} else {
		mongo_message_key(thread_id, answer_id, id);
		filter = BCON_NEW("_id", BCON_UTF8(id));
	}
	code = mongo_message_find(call, filter, NULL, arena, &answer);
	if (code == ERROR_NONE)
		code = mongo_thread_check(call, key ? NULL : owner, answer.thread_id);
	if (code == ERROR_NONE)
		*out = answer;
	return code;
}

enum error_code mongo_turn_find(void *self, const char *owner, const char *thread_id,
				const char *answer_id, const char *key, struct arena *arena,
				struct message *out)
{
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = find(&call, owner, thread_id, answer_id, key, arena, out);
	mongo_end(&call);
	return code;
}

/* --- the claim --- */

struct opening {
	struct mongo_call *call;
	const struct turn_open *open;
	struct arena *arena;
	struct turn_opened *out;
	bool is_made;          /* the thread was made for this turn */
	bool is_new;           /* nothing was ever said here */
	int64_t last_seq;      /* as far as is known */
	char last[ID_MAX + 1]; /* the message of it; "" */
	bool has_question;     /* out->question is stored ... */
	bool is_ours;          /* ... by this very turn */
};

static bson_t *claim_update(const struct turn_open *open)
{
	const struct thread *make = open->make;
	bson_t *update =
		BCON_NEW("$set", "{", "run", "{", "id", BCON_UTF8(open->run.id), "message_id",
			 BCON_UTF8(open->run.message_id), "node", BCON_UTF8(open->run.node), "}",
			 "updated_at", BCON_DATE_TIME(clock_wall_ms()), "}", "$inc", "{", "rev",
			 BCON_INT64(1), "}");
	bson_t set;

	if (!make)
		return update;
	BSON_APPEND_DOCUMENT_BEGIN(update, "$setOnInsert", &set);
	if (!open->owner) /* else it is in the filter, and an insert takes it from there */
		BSON_APPEND_UTF8(&set, "user_id", make->user_id);
	BSON_APPEND_UTF8(&set, "title", make->title);
	BSON_APPEND_DATE_TIME(&set, "created_at", make->created_ms);
	BSON_APPEND_BOOL(&set, "archived", make->archived);
	mongo_put_text(&set, "metadata", make->metadata);
	bson_append_document_end(update, &set);
	return update;
}

/* Servers differ in what they tell of one that was made; of one that was there they all tell. */
static bool was_made(const bson_t *reply)
{
	bson_iter_t it, at;

	return !(bson_iter_init(&it, reply) &&
		 bson_iter_find_descendant(&it, "lastErrorObject.updatedExisting", &at) &&
		 bson_iter_as_bool(&at));
}

/* ERROR_NOT_FOUND, and ERROR_CONFLICT of one that was to be made: there is none that is free. */
static enum error_code claim(struct opening *o)
{
	bson_t *filter = mongo_thread_alive(o->open->owner, o->open->thread_id);
	bson_t reply, document;
	enum error_code code;

	BSON_APPEND_NULL(filter, "run");
	code = mongo_modify(o->call, THREADS, filter, claim_update(o->open),
			    MONGO_NEW | (o->open->make ? MONGO_UPSERT : 0), &reply, &document);
	if (code == ERROR_NONE) {
		o->is_made = was_made(&reply);
		o->is_new = mongo_int(&document, "rev") == 1;
	}
	bson_destroy(&reply);
	return code;
}

/* Not won: by whom is it held? By nobody any more: try again. */
static enum error_code claim_or_tell(struct opening *o, bool *held)
{
	struct thread thread;
	enum error_code code;

	*held = false;
	while ((code = claim(o)) == ERROR_NOT_FOUND || code == ERROR_CONFLICT) {
		code = mongo_thread_read(o->call, o->open->owner, o->open->thread_id, o->arena,
					 &thread);
		if (code == ERROR_NONE && thread.run.id) {
			*held = true;
			o->out->kind = TURN_HELD;
			o->out->holder = thread.run;
			return ERROR_NONE;
		}
		if (code != ERROR_NONE || mongo_is_late(o->call))
			return code == ERROR_NONE ? ERROR_STORE_TIMEOUT : code;
	}
	return code;
}

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

/* --- history --- */

/* Newest first, for as long as the budget lasts. The first document is the last message, unless
 * that one is larger than the budget: then the insert finds its number taken. */
static enum error_code take_history(struct opening *o, mongoc_cursor_t *cursor)
{
	struct message_list *list = &o->out->history;
	size_t left = o->open->history_bytes;
	const bson_t *document;
	struct message message;
	enum error_code code = ERROR_NONE;

	while (code == ERROR_NONE && !list->more && mongoc_cursor_next(cursor, &document)) {
		size_t size = (size_t)mongo_int(document, "size");

		if (o->last_seq == 0) {
			o->last_seq = mongo_int(document, "seq");
			snprintf(o->last, sizeof o->last, "%s", mongo_text(document, "id"));
		}
		if ((list->more = list->count == o->open->history_max || size > left))
			break;
		code = mongo_take_message(document, true, o->arena, &message);
		if (code != ERROR_NONE || message.status == STATUS_STREAMING)
			continue;
		list->items = store_grow(o->arena, list->items, list->count, sizeof *list->items);
		if (!list->items)
			return ERROR_OVERLOADED;
		list->items[list->count++] = message;
		left -= size;
	}
	return code;
}

static enum error_code read_history(struct opening *o)
{
	const struct turn_open *open = o->open;
	bson_t *options = BCON_NEW("sort", "{", "seq", BCON_INT32(-1), "}", "batchSize",
				   BCON_INT64(HISTORY_BATCH), "maxTimeMS",
				   BCON_INT64(o->call->mongo->limit_ms));
	mongoc_cursor_t *cursor =
		mongo_find(o->call, MESSAGES,
			   BCON_NEW("thread_id", BCON_UTF8(open->thread_id), "size", "{", "$lte",
				    BCON_INT64((int64_t)open->history_bytes), "}"),
			   options);
	enum error_code code = take_history(o, cursor), end = mongo_found_all(o->call, cursor);

	if (code == ERROR_NONE)
		code = end;
	store_reverse(&o->out->history);
	return code;
}

/* A question that stood there already has only what is before it as its history. */
static void cut_history(struct opening *o)
{
	struct message_list *list = &o->out->history;
	int64_t end = o->out->question.id ? o->out->question.seq : o->out->answer.seq;

	while (list->count > 0 && list->items[list->count - 1].seq >= end)
		list->count--;
}

/* --- the pair --- */

static struct message as_stored(const struct opening *o, const struct message *message, int64_t seq,
				const char *parent_id)
{
	struct message stored = *message;

	stored.thread_id = o->open->thread_id;
	stored.seq = seq;
	stored.parent_id = parent_id;
	stored.usage = USAGE_UNKNOWN;
	return stored;
}

static struct message new_answer(const struct opening *o, int64_t seq)
{
	struct message answer = as_stored(o, &o->open->answer, seq, o->out->question.id);

	answer.status = STATUS_STREAMING;
	answer.run_id = o->open->run.id;
	answer.content = SLICE("");
	return answer;
}

/* What is not stored yet of the two, behind the last number that is known. ERROR_CONFLICT: an id
 * exists or the number was taken. */
static enum error_code put_pair(struct opening *o)
{
	struct message *question = &o->out->question, *answer = &o->out->answer;
	bson_t documents[2] = { BSON_INITIALIZER, BSON_INITIALIZER };
	const bson_t *list[2] = { &documents[0], &documents[1] };
	size_t count = 0, done, questions = o->has_question ? 0 : 1;
	int64_t seq = o->last_seq;
	enum error_code code;

	if (!o->has_question) {
		*question = as_stored(o, &o->open->question, ++seq,
				      *o->last ? arena_text(o->arena, o->last) : NULL);
		mongo_put_message(&documents[count++], question);
	}
	*answer = new_answer(o, ++seq);
	mongo_put_message(&documents[count++], answer);
	code = mongo_insert(o->call, MESSAGES, list, count, &done);
	if (code == ERROR_CONFLICT && questions == 1 && done == 1)
		o->has_question = o->is_ours = true;
	bson_destroy(&documents[0]);
	bson_destroy(&documents[1]);
	return code;
}

/* --- refused: which of them exists? --- */

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

/* --- opening --- */

/* By the key alone: its ids may be others. */
static enum error_code meet_key(struct opening *o, bool *met)
{
	struct message answer;
	enum error_code code =
		find(o->call, NULL, NULL, NULL, o->open->answer.key, o->arena, &answer);

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
static enum error_code meet_twin(struct opening *o, bool *met, bool *again)
{
	enum error_code code = o->open->answer.key ? meet_key(o, met) : ERROR_NONE;

	if (code == ERROR_NONE && o->open->answer.key && !*met)
		code = free_key(o);
	return code == ERROR_NONE && !*met ? find_out(o, again) : code;
}

static enum error_code open_claimed(struct opening *o)
{
	bool met = false, again = true;
	enum error_code code = o->is_new ? ERROR_NONE : read_history(o);

	if (code == ERROR_NONE && o->open->answer.key)
		code = meet_key(o, &met);
	while (code == ERROR_NONE && !met && again) {
		again = false;
		code = put_pair(o);
		if (code == ERROR_CONFLICT)
			code = meet_twin(o, &met, &again);
		if (code == ERROR_NONE && again && mongo_is_late(o->call))
			code = ERROR_STORE_TIMEOUT;
	}
	return code == ERROR_NONE ? store_fits(o->arena) : code;
}

enum error_code mongo_turn_open(void *self, const struct turn_open *open, struct arena *arena,
				struct turn_opened *out)
{
	struct turn_opened opened = { .kind = TURN_OPENED };
	struct opening o = { .open = open, .arena = arena, .out = &opened };
	struct mongo_call call;
	bool held;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	o.call = &call;
	code = claim_or_tell(&o, &held);
	if (code == ERROR_NONE && !held)
		code = open_claimed(&o);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = opened;
	return code;
}
