/* mongo_thread: conversations and their claims. Each step is one change of one document. */
#include "mongo_room.h"

/* --- make and read --- */

bool mongo_thread_insert(void *self, const struct thread *thread, struct error *err)
{
	bson_t document = BSON_INITIALIZER;
	struct mongo_call call;
	bool ok;

	mongo_put_thread(&document, thread);
	mongo_begin(self, &call);
	ok = mongoc_collection_insert_one(call.threads, &document, NULL, NULL, &call.error) ||
	     mongo_failed(&call, err);
	mongo_end(&call);
	bson_destroy(&document);
	return ok;
}

bool mongo_thread_get(void *self, const char *id, struct arena *arena, struct thread *out,
		      struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	const bson_t *found;
	bool ok;

	mongo_begin(self, &call);
	found = mongo_find_one(&call, call.threads, filter, &cursor, err);
	ok = found && mongo_take_thread(found, arena, out, err);
	mongoc_cursor_destroy(cursor);
	mongo_end(&call);
	bson_destroy(filter);
	return ok;
}

/* --- lists --- */

/* The text as a regular expression that finds just it. */
static void put_search(bson_t *filter, const char *text)
{
	struct buffer escaped;

	buffer_init(&escaped, strlen(text) * 2 + 1);
	for (; *text; text++) {
		if (strchr("\\^$.|?*+()[]{}", *text))
			buffer_append_char(&escaped, '\\');
		buffer_append_char(&escaped, *text);
	}
	BSON_APPEND_REGEX(filter, "title", escaped.data ? escaped.data : "", "i");
	buffer_done(&escaped);
}

/* Behind (updated_ms, id) in the order of the list. */
static void put_behind(bson_t *filter, const struct thread_filter *wanted)
{
	BCON_APPEND(filter, "$or", "[", "{", "updated_at", "{", "$lt",
		    BCON_DATE_TIME(wanted->after_updated_ms), "}", "}", "{", "updated_at",
		    BCON_DATE_TIME(wanted->after_updated_ms), "_id", "{", "$lt",
		    BCON_UTF8(wanted->after_id), "}", "}", "]");
}

static void put_filter(bson_t *filter, const struct thread_filter *wanted)
{
	BSON_APPEND_NULL(filter, "deleted_at");
	if (wanted->user_id)
		BSON_APPEND_UTF8(filter, "user_id", wanted->user_id);
	if (wanted->archived >= 0)
		BSON_APPEND_BOOL(filter, "archived", wanted->archived);
	if (wanted->q)
		put_search(filter, wanted->q);
	if (wanted->after_id)
		put_behind(filter, wanted);
}

static bool take_list(struct mongo_call *call, mongoc_cursor_t *cursor, size_t limit,
		      struct arena *arena, struct thread_list *out, struct error *err)
{
	struct thread_list list = { .items = arena_alloc(arena, limit * sizeof *list.items) };
	const bson_t *document;

	while (list.items && mongoc_cursor_next(cursor, &document)) {
		if (list.count == limit)
			list.more = true;
		else if (!mongo_take_thread(document, arena, &list.items[list.count++], err))
			return false;
	}
	if (mongoc_cursor_error(cursor, &call->error))
		return mongo_failed(call, err);
	if (!list.items)
		return error_set(err, ERROR_OVERLOADED, "No memory for this page.");
	*out = list;
	return true;
}

bool mongo_thread_list(void *self, const struct thread_filter *wanted, struct arena *arena,
		       struct thread_list *out, struct error *err)
{
	bson_t *opts = BCON_NEW("sort", "{", "updated_at", BCON_INT32(-1), "_id", BCON_INT32(-1),
				"}", "limit", BCON_INT64((int64_t)wanted->limit + 1));
	bson_t filter = BSON_INITIALIZER;
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	bool ok;

	put_filter(&filter, wanted);
	mongo_begin(self, &call);
	cursor = mongoc_collection_find_with_opts(call.threads, &filter, opts, NULL);
	ok = take_list(&call, cursor, wanted->limit, arena, out, err);
	mongoc_cursor_destroy(cursor);
	mongo_end(&call);
	bson_destroy(&filter);
	bson_destroy(opts);
	return ok;
}

/* --- change --- */

static bson_t *patch_of(const struct thread_patch *patch)
{
	bson_t *update = bson_new();
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	BSON_APPEND_DATE_TIME(&set, "updated_at", patch->now_ms);
	if (patch->title)
		BSON_APPEND_UTF8(&set, "title", patch->title);
	if (patch->archived >= 0)
		BSON_APPEND_BOOL(&set, "archived", patch->archived);
	if (patch->metadata)
		BSON_APPEND_UTF8(&set, "metadata", patch->metadata);
	bson_append_document_end(update, &set);
	BCON_APPEND(update, "$inc", "{", "rev", BCON_INT64(1), "}");
	return update;
}

/* The filter did not match: no such thread, or another version of it? */
static bool say_why_not(void *self, const char *id, struct arena *arena, struct error *err)
{
	struct thread thread;

	if (!mongo_thread_get(self, id, arena, &thread, err))
		return false;
	if (thread.deleted)
		return error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	return error_set(err, ERROR_PRECONDITION, "The conversation has changed meanwhile.");
}

bool mongo_thread_update(void *self, const char *id, const struct thread_patch *patch,
			 struct arena *arena, struct thread *out, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(id), "deleted_at", BCON_NULL),
	       *update = patch_of(patch);
	struct mongo_call call;
	bson_t reply, document;
	bool found = false, ok;

	if (patch->if_rev >= 0)
		BSON_APPEND_INT64(filter, "rev", patch->if_rev);
	mongo_begin(self, &call);
	ok = mongo_modify(&call, call.threads, filter, update, &reply, &document, &found, err);
	if (ok && found)
		ok = mongo_take_thread(&document, arena, out, err);
	bson_destroy(&reply);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	return ok && (found || say_why_not(self, id, arena, err));
}

static bool delete_messages(struct mongo_call *call, const char *thread_id, struct error *err)
{
	bson_t *of_thread = BCON_NEW("thread_id", BCON_UTF8(thread_id));
	bool ok = mongoc_collection_delete_many(call->messages, of_thread, NULL, NULL,
						&call->error) ||
		  mongo_failed(call, err);

	bson_destroy(of_thread);
	return ok;
}

/* Marked first, so that it is gone for everybody at once; what comes late is found by the mark. */
bool mongo_thread_delete(void *self, const char *id, int64_t now_ms, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(id), "deleted_at", BCON_NULL);
	bson_t *update =
		BCON_NEW("$set", "{", "deleted_at", BCON_DATE_TIME(now_ms), "updated_at",
			 BCON_DATE_TIME(now_ms), "title", BCON_UTF8(""), "metadata", BCON_NULL,
			 "run", BCON_NULL, "}", "$inc", "{", "rev", BCON_INT64(1), "}");
	struct mongo_call call;
	bool matched = false, ok;

	mongo_begin(self, &call);
	ok = mongo_update(&call, call.threads, filter, update, &matched, err);
	if (ok && !matched)
		ok = error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	ok = ok && delete_messages(&call, id, err);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	return ok;
}

/* --- claims --- */

static bool take_claimed(const bson_t *document, struct arena *arena, struct claim_result *out,
			 struct error *err)
{
	struct thread thread;

	if (!mongo_take_thread(document, arena, &thread, err))
		return false;
	*out = (struct claim_result){ .won = true, .first_seq = thread.seq - 1 };
	return true;
}

static bool who_holds_it(void *self, const char *id, struct arena *arena, struct claim_result *out,
			 struct error *err)
{
	struct claim_result result = { .found = true };
	struct error mine = { 0 };

	if (!mongo_thread_get(self, id, arena, &result.thread, &mine)) {
		if (mine.code != ERROR_NOT_FOUND) {
			if (err)
				*err = mine;
			return false;
		}
		result.found = false;
	}
	*out = result;
	return true;
}

bool mongo_claim(void *self, const struct claim *claim, struct arena *arena,
		 struct claim_result *out, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(claim->thread_id), "deleted_at", BCON_NULL,
				  "run", BCON_NULL);
	bson_t *update =
		BCON_NEW("$set", "{", "run", "{", "id", BCON_UTF8(claim->run.id), "message_id",
			 BCON_UTF8(claim->run.message_id), "node", BCON_UTF8(claim->run.node), "}",
			 "updated_at", BCON_DATE_TIME(claim->now_ms), "}", "$inc", "{", "seq",
			 BCON_INT64(2), "rev", BCON_INT64(1), "}");
	struct mongo_call call;
	bson_t reply, document;
	bool found = false, ok;

	if (claim->user_id)
		BSON_APPEND_UTF8(filter, "user_id", claim->user_id);
	mongo_begin(self, &call);
	ok = mongo_modify(&call, call.threads, filter, update, &reply, &document, &found, err);
	if (ok && found)
		ok = take_claimed(&document, arena, out, err);
	bson_destroy(&reply);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	return ok && (found || who_holds_it(self, claim->thread_id, arena, out, err));
}

bool mongo_claim_release(void *self, const char *thread_id, const char *run_id, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(thread_id), "run.id", BCON_UTF8(run_id));
	bson_t *update = BCON_NEW("$set", "{", "run", BCON_NULL, "}", "$inc", "{", "rev",
				  BCON_INT64(1), "}");
	struct mongo_call call;
	bool ok;

	mongo_begin(self, &call);
	ok = mongo_update(&call, call.threads, filter, update, NULL, err);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	return ok;
}

bool mongo_next_seq(void *self, const char *thread_id, int64_t now_ms, int64_t *out,
		    struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(thread_id), "deleted_at", BCON_NULL);
	bson_t *update = BCON_NEW("$set", "{", "updated_at", BCON_DATE_TIME(now_ms), "}", "$inc",
				  "{", "seq", BCON_INT64(1), "rev", BCON_INT64(1), "}");
	struct mongo_call call;
	bson_t reply, document;
	bool found = false, ok;
	bson_iter_t it;

	mongo_begin(self, &call);
	ok = mongo_modify(&call, call.threads, filter, update, &reply, &document, &found, err);
	if (ok && !found)
		ok = error_set(err, ERROR_NOT_FOUND, "There is no such thread.");
	if (ok && bson_iter_init_find(&it, &document, "seq"))
		*out = bson_iter_as_int64(&it);
	bson_destroy(&reply);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	return ok;
}
