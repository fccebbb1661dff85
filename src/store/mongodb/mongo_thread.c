/* mongo_thread: threads put in, read, listed and changed. */
#include "mongo_room.h"

/* --- what others need of a thread --- */

bson_t *mongo_thread_alive(const char *owner, const char *id)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(id), "deleted_at", BCON_NULL);

	if (owner)
		BSON_APPEND_UTF8(filter, "user_id", owner);
	return filter;
}

/* Without owner in the filter, so that another's is told from none. */
static enum error_code find(struct mongo_call *call, const char *id, bson_t *options,
			    mongoc_cursor_t **cursor, const bson_t **out)
{
	return mongo_find_one(call, THREADS, mongo_thread_alive(NULL, id), options, cursor, out);
}

enum error_code mongo_thread_check(struct mongo_call *call, const char *owner, const char *id)
{
	bson_t *options = mongo_options(call, 1);
	const char *user_id;
	mongoc_cursor_t *cursor;
	const bson_t *found;
	enum error_code code;

	BCON_APPEND(options, "projection", "{", "user_id", BCON_INT32(1), "}");
	code = find(call, id, options, &cursor, &found);
	if (code == ERROR_NONE) {
		user_id = mongo_text(found, "user_id");
		code = user_id ? store_may(owner, user_id) : ERROR_CORRUPT;
	}
	mongoc_cursor_destroy(cursor);
	return code;
}

enum error_code mongo_thread_read(struct mongo_call *call, const char *owner, const char *id,
				  struct arena *arena, struct thread *out)
{
	struct thread thread;
	mongoc_cursor_t *cursor;
	const bson_t *found;
	enum error_code code = find(call, id, NULL, &cursor, &found);

	if (code == ERROR_NONE)
		code = mongo_take_thread(found, arena, &thread);
	if (code == ERROR_NONE)
		code = store_may(owner, thread.user_id);
	if (code == ERROR_NONE)
		*out = thread;
	mongoc_cursor_destroy(cursor);
	return code;
}

/* --- make and read --- */

enum error_code mongo_thread_insert(void *self, const struct thread *thread)
{
	bson_t document = BSON_INITIALIZER;
	const bson_t *documents[] = { &document };
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);
	size_t done;

	if (code != ERROR_NONE)
		return code;
	mongo_put_thread(&document, thread);
	code = mongo_insert(&call, THREADS, documents, 1, &done);
	mongo_end(&call);
	bson_destroy(&document);
	return code;
}

enum error_code mongo_thread_get(void *self, const char *owner, const char *id, struct arena *arena,
				 struct thread *out)
{
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_thread_read(&call, owner, id, arena, out);
	mongo_end(&call);
	return code;
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

static bson_t *page_filter(const struct thread_page *page)
{
	bson_t *filter = BCON_NEW("deleted_at", BCON_NULL);
	bson_t range;

	if (page->user_id)
		BSON_APPEND_UTF8(filter, "user_id", page->user_id);
	if (page->archived >= 0)
		BSON_APPEND_BOOL(filter, "archived", page->archived);
	if (page->q)
		put_search(filter, page->q);
	BSON_APPEND_DOCUMENT_BEGIN(filter, "updated_at", &range); /* where the marks are not */
	BSON_APPEND_DATE_TIME(&range, "$gte", MONGO_TIME_MIN);
	if (page->last)
		BSON_APPEND_DATE_TIME(&range, "$lte", page->last_ms);
	bson_append_document_end(filter, &range);
	if (page->last) /* the range is for the index, this for those of one time */
		BCON_APPEND(filter, "$or", "[", "{", "updated_at", "{", "$lt",
			    BCON_DATE_TIME(page->last_ms), "}", "}", "{", "_id", "{", "$lt",
			    BCON_UTF8(page->last), "}", "}", "]");
	return filter;
}

enum error_code mongo_thread_rows(struct mongo_call *call, mongoc_cursor_t *cursor,
				  struct thread_fill *fill)
{
	enum error_code code = ERROR_NONE, end;
	const bson_t *document;
	struct thread *next;

	while (code == ERROR_NONE && mongoc_cursor_next(cursor, &document) &&
	       (next = store_next_thread(fill))) {
		code = mongo_take_thread(document, store_thread_arena(fill), next);
		if (code == ERROR_NONE)
			code = store_took_thread(fill);
	}
	end = mongo_found_all(call, cursor);
	return code == ERROR_NONE ? end : code;
}

enum error_code mongo_thread_list(void *self, const struct thread_page *page, struct arena *arena,
				  struct thread_list *out)
{
	struct thread_fill fill = { .arena = arena, .limit = page->limit, .taker = page->taker };
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	bson_t *options;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	options = mongo_options(&call, page->limit + 1);
	BCON_APPEND(options, "sort", "{", "updated_at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}");
	cursor = mongo_find(&call, THREADS, page_filter(page), options);
	code = mongo_thread_rows(&call, cursor, &fill);
	mongo_end(&call);
	return code == ERROR_NONE ? store_threads_listed(&fill, out) : code;
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

enum error_code mongo_thread_why_not(struct mongo_call *call, const char *owner, const char *id,
				     bool any_version)
{
	enum error_code code = mongo_thread_check(call, owner, id);

	if (code == ERROR_NONE) /* made since: there was none when it was asked for */
		return any_version ? ERROR_NOT_FOUND : ERROR_PRECONDITION;
	return code;
}

enum error_code mongo_thread_update(void *self, const char *owner, const char *id,
				    const struct thread_patch *patch, struct arena *arena,
				    struct thread *out)
{
	struct mongo_call call;
	bson_t *filter, reply, document;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	filter = mongo_thread_alive(owner, id);
	if (patch->if_rev >= 0)
		BSON_APPEND_INT64(filter, "rev", patch->if_rev);
	code = mongo_modify(&call, THREADS, filter, patch_of(patch), MONGO_NEW, &reply, &document);
	if (code == ERROR_NONE)
		code = mongo_take_thread(&document, arena, out);
	else if (code == ERROR_NOT_FOUND)
		code = mongo_thread_why_not(&call, owner, id, patch->if_rev < 0);
	bson_destroy(&reply);
	mongo_end(&call);
	return code;
}
