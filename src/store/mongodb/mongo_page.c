/* mongo_page: messages listed: a page of a thread, and its runs. */
#include "mongo_room.h"

static enum error_code take_list(mongoc_cursor_t *cursor, bool content, struct message_fill *fill)
{
	enum error_code code = ERROR_NONE;
	const bson_t *document;
	bool is_over = false;

	while (code == ERROR_NONE && !is_over && mongoc_cursor_next(cursor, &document))
		code = mongo_list_message(document, content, fill, &is_over);
	return code;
}

/* The number of a page's border. ERROR_VALIDATION: there is no such message. */
static enum error_code border(struct mongo_call *call, const char *thread_id, const char *id,
			      int64_t *seq)
{
	bson_t *options;
	char key[MONGO_KEY_SIZE];
	mongoc_cursor_t *cursor;
	const bson_t *found;
	enum error_code code;

	if (!id)
		return ERROR_NONE;
	mongo_message_key(thread_id, id, key);
	options = mongo_options(call, 1);
	BCON_APPEND(options, "projection", "{", "seq", BCON_INT32(1), "}");
	code = mongo_find_one(call, MESSAGES, BCON_NEW("_id", BCON_UTF8(key)), options, &cursor,
			      &found);
	if (code == ERROR_NONE)
		*seq = mongo_int(found, "seq");
	mongoc_cursor_destroy(cursor);
	return code == ERROR_NOT_FOUND ? ERROR_VALIDATION : code;
}

static enum error_code read_page(struct mongo_call *call, const struct message_filter *filter,
				 int64_t after, int64_t before, struct message_fill *fill)
{
	bson_t *options = mongo_options(call, filter->limit + 1);
	mongoc_cursor_t *cursor;
	enum error_code code, end;

	BCON_APPEND(options, "sort", "{", "seq", BCON_INT32(store_goes_on(filter) ? 1 : -1), "}");
	cursor = mongo_find(call, MESSAGES,
			    BCON_NEW("thread_id", BCON_UTF8(filter->thread_id), "seq", "{", "$gt",
				     BCON_INT64(after), "$lt", BCON_INT64(before), "}"),
			    options);
	code = take_list(cursor, true, fill);
	end = mongo_found_all(call, cursor);
	return code == ERROR_NONE ? end : code;
}

enum error_code mongo_message_list(void *self, const struct message_filter *filter,
				   struct arena *arena, struct message_list *out)
{
	int64_t after = 0, before = INT64_MAX;
	struct message_fill fill = { .arena = arena,
				     .limit = filter->limit,
				     .bytes_max = filter->bytes_max ? filter->bytes_max : SIZE_MAX,
				     .taker = filter->taker };
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_thread_check(&call, filter->owner, filter->thread_id);
	if (code == ERROR_NONE)
		code = border(&call, filter->thread_id, filter->after, &after);
	if (code == ERROR_NONE)
		code = border(&call, filter->thread_id, filter->before, &before);
	if (code == ERROR_NONE)
		code = read_page(&call, filter, after, before, &fill);
	mongo_end(&call);
	if (code != ERROR_NONE)
		return code;
	if (!store_goes_on(filter) && fill.list.items)
		store_reverse(&fill.list);
	*out = fill.list;
	return ERROR_NONE;
}

enum error_code mongo_runs_of(void *self, const char *owner, const char *thread_id, size_t limit,
			      struct arena *arena, struct message_list *out)
{
	struct message_fill fill = { .arena = arena, .limit = limit, .bytes_max = SIZE_MAX };
	struct mongo_call call;
	mongoc_cursor_t *cursor;
	bson_t *options;
	enum error_code code = mongo_begin(self, &call), end = ERROR_NONE;

	if (code != ERROR_NONE)
		return code;
	code = mongo_thread_check(&call, owner, thread_id);
	if (code == ERROR_NONE) {
		options = mongo_options(&call, limit + 1);
		BCON_APPEND(options, "sort", "{", "seq", BCON_INT32(-1), "}", "projection", "{",
			    "content", BCON_INT32(0), "}");
		cursor = mongo_find(&call, MESSAGES,
				    BCON_NEW("thread_id", BCON_UTF8(thread_id), "role",
					     BCON_UTF8("assistant"), "run_id", "{", "$ne",
					     BCON_NULL, "}"),
				    options);
		code = take_list(cursor, false, &fill);
		end = mongo_found_all(&call, cursor);
	}
	mongo_end(&call);
	if (code == ERROR_NONE)
		code = end;
	if (code == ERROR_NONE)
		*out = fill.list;
	return code;
}
