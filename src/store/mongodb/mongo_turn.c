/*
 * mongo_turn: a turn begins in three round trips: the claim (which makes the thread where there is
 * none), the history (which also tells the last number), the insert of both messages. Only when the
 * insert is refused is there more to find out: an id exists, or the number was taken.
 *
 * A thread whose rev is 1 with the claim was never touched before: it has no history.
 */
#include "mongo_turn.h"

#include "base/clock.h"
#include "base/crashpoint.h"
#include <stdio.h>

#define HISTORY_BATCH 64

/* --- the claim --- */

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
	BSON_APPEND_NULL(&set, "ended_at");
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

/* --- history --- */

static enum error_code note_last(struct opening *o, const bson_t *document)
{
	const char *id = mongo_text(document, "id");

	o->last_seq = mongo_int(document, "seq");
	snprintf(o->last, sizeof o->last, "%s", id ? id : "");
	return id ? ERROR_NONE : ERROR_CORRUPT;
}

static bool is_streaming(const bson_t *document)
{
	const char *status = mongo_text(document, "status");

	return status && strcmp(status, message_status_text(STATUS_STREAMING)) == 0;
}

/* Newest first, for as long as the budget lasts. The first document is the last message, unless
 * that one is larger than the budget: then the insert finds its number taken. */
static enum error_code take_history(struct opening *o, mongoc_cursor_t *cursor)
{
	struct message_fill fill = { .arena = o->arena,
				     .limit = o->open->history_max,
				     .bytes_max = o->open->history_bytes };
	const bson_t *document;
	struct message *next;
	enum error_code code = ERROR_NONE;

	while (code == ERROR_NONE && mongoc_cursor_next(cursor, &document)) {
		if (o->last_seq == 0)
			code = note_last(o, document);
		if (code != ERROR_NONE || is_streaming(document))
			continue;
		next = store_next_message(&fill, (size_t)mongo_int(document, "size"));
		if (!next)
			break;
		code = mongo_take_brief(document, o->open->thread_id, o->arena, next);
	}
	o->out->history = fill.list;
	return code == ERROR_NONE ? store_fits(o->arena) : code;
}

static enum error_code read_history(struct opening *o)
{
	const struct turn_open *open = o->open;
	bson_t *options = BCON_NEW("sort", "{", "seq", BCON_INT32(-1), "}", "batchSize",
				   BCON_INT64(HISTORY_BATCH), "maxTimeMS",
				   BCON_INT64(o->call->mongo->limit_ms), "projection", "{", "_id",
				   BCON_INT32(0), "id", BCON_INT32(1), "seq", BCON_INT32(1), "role",
				   BCON_INT32(1), "status", BCON_INT32(1), "size", BCON_INT32(1),
				   "content", BCON_INT32(1), "metadata", BCON_INT32(1), "}");
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

/* --- the pair --- */

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
		*question = store_new_question(o->open, ++seq,
					       *o->last ? arena_text(o->arena, o->last) : NULL);
		mongo_put_message(&documents[count++], question);
	}
	*answer = store_new_answer(o->open, ++seq, question->id);
	mongo_put_message(&documents[count++], answer);
	code = mongo_insert(o->call, MESSAGES, list, count, &done);
	if (code == ERROR_CONFLICT && questions == 1 && done == 1)
		o->has_question = o->is_ours = true;
	bson_destroy(&documents[0]);
	bson_destroy(&documents[1]);
	return code;
}

/* --- opening --- */

static enum error_code open_claimed(struct opening *o)
{
	bool met = false, again = true;
	enum error_code code = o->is_new ? ERROR_NONE : read_history(o);

	while (code == ERROR_NONE && !met && again) {
		again = false;
		code = put_pair(o);
		if (code == ERROR_CONFLICT)
			code = mongo_meet_twin(o, &met, &again);
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
	if (code == ERROR_NONE && !held) {
		CRASHPOINT("turn_claimed");
		code = open_claimed(&o);
	}
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = opened;
	return code;
}
