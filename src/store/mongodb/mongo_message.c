/* mongo_message: messages put in, read and changed. */
#include "mongo_room.h"

#include "base/clock.h"
#include "base/id.h"
#include <stdio.h>
#include <stdlib.h>

/* --- adding --- */

enum error_code mongo_message_last(struct mongo_call *call, const char *thread_id, int64_t *seq,
				   char *id)
{
	bson_t *options = mongo_options(call, 1);
	mongoc_cursor_t *cursor;
	const bson_t *last;
	const char *found;
	enum error_code code;

	BCON_APPEND(options, "sort", "{", "seq", BCON_INT32(-1), "}", "projection", "{", "seq",
		    BCON_INT32(1), "id", BCON_INT32(1), "}");
	code = mongo_find_one(call, MESSAGES, BCON_NEW("thread_id", BCON_UTF8(thread_id)), options,
			      &cursor, &last);
	*seq = code == ERROR_NONE ? mongo_int(last, "seq") : 0;
	if (code == ERROR_NONE && !(found = mongo_text(last, "id")))
		code = ERROR_CORRUPT;
	snprintf(id, ID_MAX + 1, "%s", code == ERROR_NONE ? found : "");
	mongoc_cursor_destroy(cursor);
	return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

/* *rev: what it was before. */
static enum error_code bump(struct mongo_call *call, const char *owner, const char *thread_id,
			    int64_t *rev)
{
	bson_t reply, document;
	enum error_code code =
		mongo_modify(call, THREADS, mongo_thread_alive(owner, thread_id),
			     BCON_NEW("$set", "{", "updated_at", BCON_DATE_TIME(clock_wall_ms()),
				      "}", "$inc", "{", "rev", BCON_INT64(1), "}"),
			     MONGO_OLD, &reply, &document);

	if (code == ERROR_NONE)
		*rev = mongo_int(&document, "rev");
	else if (code == ERROR_NOT_FOUND)
		code = mongo_thread_why_not(call, owner, thread_id, true);
	bson_destroy(&reply);
	return code;
}

static enum error_code exists(struct mongo_call *call, const struct message *message)
{
	bson_t *options = mongo_options(call, 1);
	char key[MONGO_KEY_SIZE];
	mongoc_cursor_t *cursor;
	const bson_t *found;
	enum error_code code;

	mongo_message_key(message->thread_id, message->id, key);
	BCON_APPEND(options, "projection", "{", "_id", BCON_INT32(1), "}");
	code = mongo_find_one(call, MESSAGES, BCON_NEW("_id", BCON_UTF8(key)), options, &cursor,
			      &found);
	mongoc_cursor_destroy(cursor);
	return code == ERROR_NONE ? ERROR_CONFLICT : code;
}

/* Behind that one; *done: how many got in. ERROR_CONFLICT: the next number, or the id. */
static enum error_code add_behind(struct mongo_call *call, int64_t seq, const char *last,
				  struct message *messages, size_t count, size_t *done)
{
	bson_t **documents = calloc(count, sizeof(void *));
	enum error_code code = documents ? ERROR_NONE : ERROR_OVERLOADED;

	*done = 0;
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		struct message message = messages[i];

		messages[i].seq = message.seq = ++seq;
		if (!message.parent_id)
			message.parent_id = i > 0 ? messages[i - 1].id : *last ? last : NULL;
		documents[i] = bson_new();
		mongo_put_message(documents[i], &message);
	}
	if (code == ERROR_NONE)
		code = mongo_insert(call, MESSAGES, (const bson_t **)documents, count, done);
	for (size_t i = 0; documents && i < count; i++)
		if (documents[i])
			bson_destroy(documents[i]);
	free(documents);
	return code;
}

/* Number and message appear in one step: the insert. Who finds his number taken was overtaken and
 * takes the next, so none ever appears below one that a reader has seen. */
static enum error_code add_all(struct mongo_call *call, int64_t rev, struct message *messages,
			       size_t count)
{
	enum error_code code = ERROR_NONE;
	char last[ID_MAX + 1];
	int64_t seq;
	bool is_known =
		count > 0 && mongo_last_known(call->mongo, messages->thread_id, rev, &seq, last);
	size_t done = 0;

	while (count > 0) {
		if (!is_known)
			code = mongo_message_last(call, messages->thread_id, &seq, last);
		if (code == ERROR_NONE)
			code = add_behind(call, seq, last, messages, count, &done);
		if (code != ERROR_NONE && code != ERROR_CONFLICT)
			break;
		is_known = false;
		messages += done;
		count -= done;
		if (code != ERROR_CONFLICT)
			break;
		code = exists(call, messages);
		if (code != ERROR_NOT_FOUND)
			break;
		if (mongo_is_late(call))
			return ERROR_STORE_TIMEOUT;
		code = ERROR_NONE;
	}
	return code;
}

/* The thread is touched first: what is another's or gone gets nothing. A deletion between the two
 * leaves messages that nobody sees; they go with the mark. */
enum error_code mongo_messages_add(void *self, const char *owner, const char *thread_id,
				   struct message *messages, size_t count)
{
	struct mongo_call call;
	int64_t rev = 0;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	for (size_t i = 0; i < count; i++)
		messages[i].thread_id = thread_id;
	code = bump(&call, owner, thread_id, &rev);
	if (code == ERROR_NONE)
		code = add_all(&call, rev, messages, count);
	if (code == ERROR_NONE && count > 0)
		mongo_last_note(self, rev + 1, &messages[count - 1]);
	mongo_end(&call);
	return code;
}

/* --- one --- */

enum error_code mongo_message_find(struct mongo_call *call, bson_t *filter, bson_t *options,
				   struct arena *arena, struct message *out)
{
	mongoc_cursor_t *cursor;
	const bson_t *found;
	enum error_code code = mongo_find_one(call, MESSAGES, filter, options, &cursor, &found);

	if (code == ERROR_NONE)
		code = mongo_take_message(found, true, arena, out);
	mongoc_cursor_destroy(cursor);
	return code;
}

enum error_code mongo_message_get(void *self, const char *owner, const char *thread_id,
				  const char *id, struct arena *arena, struct message *out)
{
	char key[MONGO_KEY_SIZE];
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	mongo_message_key(thread_id, id, key);
	code = mongo_thread_check(&call, owner, thread_id);
	if (code == ERROR_NONE)
		code = mongo_message_find(&call, BCON_NEW("_id", BCON_UTF8(key)), NULL, arena, out);
	mongo_end(&call);
	return code;
}

enum error_code mongo_message_by_run(void *self, const char *owner, const char *run_id,
				     struct arena *arena, struct message *out)
{
	struct message message;
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_message_find(&call, BCON_NEW("run_id", BCON_UTF8(run_id)), NULL, arena,
				  &message);
	if (code == ERROR_NONE)
		code = mongo_thread_check(&call, owner, message.thread_id);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = message;
	return code;
}

/* --- change --- */

static bson_t *patch_of(const struct message_patch *patch)
{
	bson_t *update = bson_new();
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	BSON_APPEND_DATE_TIME(&set, "updated_at", patch->now_ms);
	if (patch->has_content) {
		mongo_put_content(&set, patch->content);
		BSON_APPEND_NULL(&set, "run_id"); /* a late save of its run finds it no more */
	}
	if (patch->metadata)
		BSON_APPEND_UTF8(&set, "metadata", patch->metadata);
	bson_append_document_end(update, &set);
	return update;
}

static enum error_code update(struct mongo_call *call, const char *thread_id, const char *id,
			      const struct message_patch *patch, struct arena *arena,
			      struct message *out)
{
	const struct message message = { .thread_id = thread_id, .id = id };
	char key[MONGO_KEY_SIZE];
	bson_t reply, document;
	enum error_code code;

	mongo_message_key(thread_id, id, key);
	code = mongo_modify(
		call, MESSAGES,
		BCON_NEW("_id", BCON_UTF8(key), "status", "{", "$ne", BCON_UTF8("streaming"), "}"),
		patch_of(patch), MONGO_NEW, &reply, &document);
	if (code == ERROR_NONE)
		code = mongo_take_message(&document, true, arena, out);
	else if (code == ERROR_NOT_FOUND && (code = exists(call, &message)) == ERROR_CONFLICT)
		code = ERROR_NOT_SAVED;
	bson_destroy(&reply);
	return code;
}

enum error_code mongo_message_update(void *self, const char *owner, const char *thread_id,
				     const char *id, const struct message_patch *patch,
				     struct arena *arena, struct message *out)
{
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_thread_check(&call, owner, thread_id);
	if (code == ERROR_NONE)
		code = update(&call, thread_id, id, patch, arena, out);
	mongo_end(&call);
	return code;
}
