/* redis_page: messages listed: a page of a thread, and its runs. The ids are read first, then so
 * many messages of them as there is budget for. */
#include "redis_room.h"

/* --- messages of ids --- */

static enum error_code take_rows(const redisReply *rows, struct redis_pages *how,
				 const struct slice *ids, size_t count, struct arena *arena,
				 struct message_list *list)
{
	bool content = strcmp(how->mode, "lengths") != 0;
	struct message *message;
	enum error_code code = ERROR_NONE;

	for (size_t i = 1; code == ERROR_NONE && i + 1 < redis_count(rows); i += 2) {
		size_t which = (size_t)redis_number(rows->element[i]);

		list->items = store_grow(arena, list->items, list->count, sizeof *list->items);
		if (!list->items || which >= count)
			return list->items ? ERROR_CORRUPT : ERROR_OVERLOADED;
		message = &list->items[list->count];
		code = redis_take_message(rows->element[i + 1], how->thread_id, ids[which], content,
					  arena, message);
		if (code != ERROR_NONE)
			break;
		list->count++;
		how->most -= how->most > 0;
		how->bytes -= message->content.len < how->bytes ? message->content.len : how->bytes;
	}
	return code;
}

static enum error_code read_page(struct redis_call *call, struct redis_pages *how,
				 const struct slice *ids, size_t count, struct arena *arena,
				 struct message_list *list)
{
	struct redis_command script = redis_step(call, STEP_PAGE, count + 1);
	const redisReply *rows = NULL;
	enum error_code code;

	redis_add_key(&script, "s:", how->thread_id);
	for (size_t i = 0; i < count; i++)
		redis_add_message(&script, how->thread_id, ids[i].ptr);
	redis_add_text(&script, how->mode);
	redis_add_number(&script, (int64_t)(how->bytes < INT32_MAX ? how->bytes : INT32_MAX));
	redis_add_number(&script, (int64_t)how->most);
	redis_add_number(&script, (int64_t)(how->largest < INT32_MAX ? how->largest : INT32_MAX));
	for (size_t i = 0; i < count; i++)
		redis_add(&script, ids[i]);
	code = redis_run(&script, STEP_PAGE, &rows);
	if (code == ERROR_NONE)
		code = redis_verdict(rows);
	if (code == ERROR_NONE)
		code = take_rows(rows, how, ids, count, arena, list);
	list->more = code == ERROR_NONE && redis_says(rows, "1");
	return code;
}

enum error_code redis_read_pages(struct redis_call *call, struct redis_pages *how,
				 const redisReply *ids, struct arena *arena,
				 struct message_list *list)
{
	struct slice some[REDIS_BATCH];
	enum error_code code = ERROR_NONE;
	size_t count = redis_count(ids), at = 0;

	while (code == ERROR_NONE && at < count && !list->more) {
		size_t n = 0;

		for (; n < REDIS_BATCH && at < count; n++, at++)
			some[n] = redis_slice(ids->element[at]);
		code = read_page(call, how, some, n, arena, list);
		if (list->count > 0 && strcmp(how->mode, "page") == 0)
			how->mode = "rest";
	}
	return code;
}

/* --- a page --- */

/* The numbers between which it lies; ptr NULL: there is no such border. */
struct borders {
	struct slice after, before;
};

static enum error_code put_border(struct redis_call *call, const char *thread_id, const char *id)
{
	struct redis_command score;

	if (!id)
		return ERROR_NONE;
	score = redis_of_key(call, "ZSCORE", "s:", thread_id);
	redis_add_text(&score, id);
	return redis_put(&score);
}

/* ERROR_VALIDATION: there is no such message. */
static enum error_code get_border(struct redis_call *call, const char *id, struct slice *number)
{
	const redisReply *score = NULL;
	enum error_code code = id ? redis_get(call, &score) : ERROR_NONE;

	if (code == ERROR_NONE && id && score->type != REDIS_REPLY_STRING)
		return ERROR_VALIDATION;
	if (code == ERROR_NONE && id)
		*number = redis_slice(score);
	return code;
}

/* With the thread's owner, in one go. */
static enum error_code find_borders(struct redis_call *call, const struct message_filter *filter,
				    struct borders *out)
{
	enum error_code code = redis_put_check(call, filter->thread_id);

	if (code == ERROR_NONE)
		code = put_border(call, filter->thread_id, filter->after);
	if (code == ERROR_NONE)
		code = put_border(call, filter->thread_id, filter->before);
	if (code == ERROR_NONE)
		code = redis_get_check(call, filter->owner);
	if (code == ERROR_NONE)
		code = get_border(call, filter->after, &out->after);
	return code == ERROR_NONE ? get_border(call, filter->before, &out->before) : code;
}

static void add_border(struct redis_command *range, struct slice number, const char *none)
{
	redis_add_text(range,
		       number.ptr ? arena_printf(&range->call->scratch, "(%s", number.ptr) : none);
}

static enum error_code read_ids(struct redis_call *call, const struct message_filter *filter,
				bool goes_on, const struct borders *borders, const redisReply **ids)
{
	struct redis_command range = redis_of_key(
		call, goes_on ? "ZRANGEBYSCORE" : "ZREVRANGEBYSCORE", "s:", filter->thread_id);

	if (goes_on)
		add_border(&range, borders->after, "-inf");
	add_border(&range, borders->before, "+inf");
	if (!goes_on)
		redis_add_text(&range, "-inf");
	redis_add_text(&range, "LIMIT");
	redis_add_number(&range, 0);
	redis_add_number(&range, (int64_t)filter->limit + 1);
	return redis_ask(&range, ids);
}

static enum error_code list(struct redis_call *call, const struct message_filter *filter,
			    struct arena *arena, struct message_list *out)
{
	bool goes_on = store_goes_on(filter);
	size_t bytes = filter->bytes_max ? filter->bytes_max : SIZE_MAX;
	struct redis_pages how = { "page", filter->thread_id, bytes, filter->limit, SIZE_MAX };
	struct borders borders = { 0 };
	const redisReply *ids = NULL;
	enum error_code code = find_borders(call, filter, &borders);

	if (code == ERROR_NONE)
		code = read_ids(call, filter, goes_on, &borders, &ids);
	if (code == ERROR_NONE)
		code = redis_read_pages(call, &how, ids, arena, out);
	if (code == ERROR_NONE && !goes_on)
		store_reverse(out);
	return code;
}

enum error_code redis_message_list(void *self, const struct message_filter *filter,
				   struct arena *arena, struct message_list *out)
{
	struct message_list found = { 0 };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = list(&call, filter, arena, &found);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = found;
	return code;
}

static enum error_code runs(struct redis_call *call, const char *owner, const char *thread_id,
			    size_t limit, struct arena *arena, struct message_list *out)
{
	struct redis_pages how = { "lengths", thread_id, SIZE_MAX, limit, SIZE_MAX };
	struct redis_command range = redis_of_key(call, "ZREVRANGE", "r:", thread_id);
	const redisReply *ids = NULL;
	enum error_code code = redis_put_check(call, thread_id);

	redis_add_number(&range, 0);
	redis_add_number(&range, (int64_t)limit);
	if (code == ERROR_NONE)
		code = redis_put(&range);
	if (code == ERROR_NONE)
		code = redis_get_check(call, owner);
	if (code == ERROR_NONE)
		code = redis_get(call, &ids);
	return code == ERROR_NONE ? redis_read_pages(call, &how, ids, arena, out) : code;
}

enum error_code redis_runs_of(void *self, const char *owner, const char *thread_id, size_t limit,
			      struct arena *arena, struct message_list *out)
{
	struct message_list found = { 0 };
	struct redis_call call;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = runs(&call, owner, thread_id, limit, arena, &found);
	redis_end(&call);
	if (code == ERROR_NONE)
		*out = found;
	return code;
}
