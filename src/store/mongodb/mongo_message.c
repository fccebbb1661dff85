/* mongo_message: the entries of conversations, and how a run ends. */
#include "mongo_room.h"

/* --- insert --- */

static bool insert_all(struct mongo_call *call, const struct message *messages, size_t count,
		       struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		bson_t document = BSON_INITIALIZER;
		bool ok;

		mongo_put_message(&document, &messages[i]);
		ok = mongoc_collection_insert_one(call->messages, &document, NULL, NULL,
						  &call->error) ||
		     mongo_failed(call, err);
		bson_destroy(&document);
		if (!ok)
			return false;
	}
	return true;
}

static void take_back(struct mongo_call *call, const struct message *messages, size_t count)
{
	char key[MONGO_KEY_SIZE];

	for (size_t i = 0; i < count; i++) {
		bson_t *filter;

		mongo_message_key(messages[i].thread_id, messages[i].id, key);
		filter = BCON_NEW("_id", BCON_UTF8(key));
		mongoc_collection_delete_one(call->messages, filter, NULL, NULL, NULL);
		bson_destroy(filter);
	}
}

/* A thread that was deleted meanwhile keeps no message: the mark is set before messages are
 * removed, so one of the two sees the other. */
static bool check_alive(struct mongo_call *call, const struct message *messages, size_t count,
			struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(messages[0].thread_id), "deleted_at", BCON_NULL);
	mongoc_cursor_t *cursor;
	struct error mine = { 0 };
	bool ok = mongo_find_one(call, call->threads, filter, &cursor, &mine) != NULL;

	mongoc_cursor_destroy(cursor);
	bson_destroy(filter);
	if (ok)
		return true;
	if (mine.code == ERROR_NOT_FOUND) {
		take_back(call, messages, count);
		return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	}
	if (err)
		*err = mine;
	return false;
}

bool mongo_message_insert(void *self, const struct message *messages, size_t count,
			  struct error *err)
{
	struct mongo_call call;
	bool ok;

	if (count == 0)
		return true;
	mongo_begin(self, &call);
	ok = insert_all(&call, messages, count, err) && check_alive(&call, messages, count, err);
	mongo_end(&call);
	return ok;
}

/* --- read --- */

/* Destroys the filter. */
static bool get_by(void *self, bson_t *filter, struct arena *arena, struct message *out,
		   struct error *err)
{
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	const bson_t *found;
	bool ok;

	mongo_begin(self, &call);
	found = mongo_find_one(&call, call.messages, filter, &cursor, err);
	ok = found && mongo_take_message(found, arena, out, err);
	mongoc_cursor_destroy(cursor);
	mongo_end(&call);
	bson_destroy(filter);
	return ok;
}

bool mongo_message_get(void *self, const char *thread_id, const char *id, struct arena *arena,
		       struct message *out, struct error *err)
{
	char key[MONGO_KEY_SIZE];

	mongo_message_key(thread_id, id, key);
	return get_by(self, BCON_NEW("_id", BCON_UTF8(key)), arena, out, err);
}

bool mongo_message_by_run(void *self, const char *run_id, struct arena *arena, struct message *out,
			  struct error *err)
{
	return get_by(self, BCON_NEW("run_id", BCON_UTF8(run_id)), arena, out, err);
}

bool mongo_message_by_key(void *self, const char *thread_id, const char *key, struct arena *arena,
			  struct message *out, struct error *err)
{
	return get_by(self, BCON_NEW("thread_id", BCON_UTF8(thread_id), "key", BCON_UTF8(key)),
		      arena, out, err);
}

static bool take_list(struct mongo_call *call, mongoc_cursor_t *cursor, size_t limit,
		      struct arena *arena, struct message_list *out, struct error *err)
{
	struct message_list list = { .items = arena_alloc(arena, limit * sizeof *list.items) };
	const bson_t *document;

	while (list.items && mongoc_cursor_next(cursor, &document)) {
		if (list.count == limit)
			list.more = true;
		else if (!mongo_take_message(document, arena, &list.items[list.count++], err))
			return false;
	}
	if (mongoc_cursor_error(cursor, &call->error))
		return mongo_failed(call, err);
	if (!list.items)
		return error_set(err, ERROR_OVERLOADED, "No memory for this page.");
	*out = list;
	return true;
}

static void reverse(struct message_list *list)
{
	for (size_t i = 0, n = list->count; i < n / 2; i++) {
		struct message swapped = list->items[i];

		list->items[i] = list->items[n - 1 - i];
		list->items[n - 1 - i] = swapped;
	}
}

bool mongo_message_list(void *self, const struct message_filter *wanted, struct arena *arena,
			struct message_list *out, struct error *err)
{
	bool onwards = wanted->after_seq > 0;
	bson_t *opts = BCON_NEW("sort", "{", "seq", BCON_INT32(onwards ? 1 : -1), "}", "limit",
				BCON_INT64((int64_t)wanted->limit + 1));
	bson_t *filter = BCON_NEW("thread_id", BCON_UTF8(wanted->thread_id));
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	bool ok;

	if (onwards && wanted->before_seq > 0)
		BCON_APPEND(filter, "seq", "{", "$gt", BCON_INT64(wanted->after_seq), "$lt",
			    BCON_INT64(wanted->before_seq), "}");
	else if (onwards)
		BCON_APPEND(filter, "seq", "{", "$gt", BCON_INT64(wanted->after_seq), "}");
	else if (wanted->before_seq > 0)
		BCON_APPEND(filter, "seq", "{", "$lt", BCON_INT64(wanted->before_seq), "}");
	mongo_begin(self, &call);
	cursor = mongoc_collection_find_with_opts(call.messages, filter, opts, NULL);
	ok = take_list(&call, cursor, wanted->limit, arena, out, err);
	if (ok && !onwards)
		reverse(out);
	mongoc_cursor_destroy(cursor);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(opts);
	return ok;
}

/* --- change --- */

static bson_t *patch_of(const struct message_patch *patch)
{
	bson_t *update = bson_new();
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	BSON_APPEND_DATE_TIME(&set, "updated_at", patch->now_ms);
	if (patch->has_content) {
		bson_append_utf8(&set, "content", -1, patch->content.ptr ? patch->content.ptr : "",
				 (int)patch->content.len);
		BSON_APPEND_NULL(&set, "run_id"); /* a late save of its run finds it no more */
	}
	if (patch->metadata)
		BSON_APPEND_UTF8(&set, "metadata", patch->metadata);
	if (patch->feedback)
		BSON_APPEND_UTF8(&set, "feedback", patch->feedback);
	bson_append_document_end(update, &set);
	return update;
}

static bool say_why_not(void *self, const char *thread_id, const char *id, struct arena *arena,
			struct error *err)
{
	struct message message;

	if (!mongo_message_get(self, thread_id, id, arena, &message, err))
		return false;
	return error_set(err, ERROR_NOT_SAVED,
			 "The answer is not saved yet; try again in a moment.");
}

bool mongo_message_update(void *self, const char *thread_id, const char *id,
			  const struct message_patch *patch, struct arena *arena,
			  struct message *out, struct error *err)
{
	bson_t *update = patch_of(patch), *filter;
	char key[MONGO_KEY_SIZE];
	struct mongo_call call;
	bson_t reply, document;
	bool found = false, ok;

	mongo_message_key(thread_id, id, key);
	filter = BCON_NEW("_id", BCON_UTF8(key), "status", "{", "$ne", BCON_UTF8("streaming"), "}");
	mongo_begin(self, &call);
	ok = mongo_modify(&call, call.messages, filter, update, &reply, &document, &found, err);
	if (ok && found)
		ok = mongo_take_message(&document, arena, out, err);
	bson_destroy(&reply);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	return ok && (found || say_why_not(self, thread_id, id, arena, err));
}

static bson_t *end_of(const struct finish *finish)
{
	bson_t *update = bson_new();
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	bson_append_utf8(&set, "content", -1, finish->content.ptr ? finish->content.ptr : "",
			 (int)finish->content.len);
	BSON_APPEND_UTF8(&set, "status", message_status_text(finish->status));
	mongo_put_text(&set, "finish_reason", finish->finish_reason);
	mongo_put_text(&set, "usage", finish->usage);
	BSON_APPEND_DATE_TIME(&set, "updated_at", finish->now_ms);
	bson_append_document_end(update, &set);
	return update;
}

bool mongo_finish(void *self, const struct finish *finish, bool *applied, struct error *err)
{
	bson_t *update = end_of(finish), *filter;
	char key[MONGO_KEY_SIZE];
	struct mongo_call call;
	bool ok;

	mongo_message_key(finish->thread_id, finish->message_id, key);
	filter = BCON_NEW("_id", BCON_UTF8(key), "run_id", BCON_UTF8(finish->run_id), "status", "{",
			  "$in", "[", BCON_UTF8("streaming"),
			  BCON_UTF8(finish->if_streaming ? "streaming" : "interrupted"), "]", "}");
	mongo_begin(self, &call);
	ok = mongo_update(&call, call.messages, filter, update, applied, err);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	return ok && mongo_claim_release(self, finish->thread_id, finish->run_id, err);
}
