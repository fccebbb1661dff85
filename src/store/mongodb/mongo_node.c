/* mongo_node: who is alive, and what was deleted long ago. All ages are by the clock of the server,
 * which sets all times that they are compared with. */
#include "mongo_room.h"

/* --- the server's clock --- */

static enum error_code stamp(struct mongo_call *call, enum mongo_collection in, const char *id,
			     const char *field, int64_t *now_ms)
{
	bson_t reply, document;
	bson_iter_t it;
	enum error_code code;

	code = mongo_modify(call, in, BCON_NEW("_id", BCON_UTF8(id)),
			    BCON_NEW("$currentDate", "{", field, BCON_BOOL(true), "}"),
			    MONGO_NEW | MONGO_UPSERT, &reply, &document);
	if (code == ERROR_NONE && bson_iter_init_find(&it, &document, field) &&
	    BSON_ITER_HOLDS_DATE_TIME(&it))
		*now_ms = bson_iter_date_time(&it);
	else if (code == ERROR_NONE)
		code = ERROR_CORRUPT;
	bson_destroy(&reply);
	return code;
}

/* Two that make the same document at once meet; the second time it is there. */
static enum error_code stamp_twice(struct mongo_call *call, enum mongo_collection in,
				   const char *id, const char *field, int64_t *now_ms)
{
	enum error_code code = stamp(call, in, id, field, now_ms);

	return code == ERROR_CONFLICT ? stamp(call, in, id, field, now_ms) : code;
}

static enum error_code read_clock(struct mongo_call *call, int64_t *now_ms)
{
	return stamp_twice(call, META, "clock", "now", now_ms);
}

/* --- nodes --- */

enum error_code mongo_node_beat(void *self, const char *node, int64_t *now_ms)
{
	struct mongo_call call;
	int64_t now = 0;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = stamp_twice(&call, NODES, node, "seen_at", &now);
	mongo_end(&call);
	if (code == ERROR_NONE && now_ms)
		*now_ms = now;
	return code;
}

enum error_code mongo_nodes_silent(struct mongo_call *call, int64_t silent_ms, size_t limit,
				   struct arena *arena, const char ***names, size_t *count)
{
	mongoc_cursor_t *cursor;
	const bson_t *document;
	int64_t now_ms;
	enum error_code code = read_clock(call, &now_ms);

	*names = NULL;
	*count = 0;
	if (code != ERROR_NONE)
		return code;
	cursor =
		mongo_find(call, NODES,
			   BCON_NEW("seen_at", "{", "$lt", BCON_DATE_TIME(now_ms - silent_ms), "}"),
			   mongo_options(call, limit));
	while (!arena->failed && mongoc_cursor_next(cursor, &document)) {
		const char *name = mongo_text(document, "_id");

		if (!name)
			continue; /* none of ours */
		*names = store_grow(arena, *names, *count, sizeof **names);
		if (*names)
			(*names)[(*count)++] = arena_text(arena, name);
	}
	code = mongo_found_all(call, cursor);
	return code == ERROR_NONE ? store_fits(arena) : code;
}

/* ERROR_NOT_FOUND: it holds none. */
static enum error_code holds_a_claim(struct mongo_call *call, const char *node)
{
	mongoc_cursor_t *cursor;
	const bson_t *found;
	enum error_code code = mongo_find_one(call, THREADS, BCON_NEW("run.node", BCON_UTF8(node)),
					      NULL, &cursor, &found);

	mongoc_cursor_destroy(cursor);
	return code;
}

/* One that lives after all beats again. */
static enum error_code sweep_nodes(struct mongo_call *call, int64_t silent_ms, size_t limit,
				   bool *more)
{
	const char **names;
	struct arena arena;
	size_t count, forgotten = 0;
	enum error_code code;

	arena_init(&arena, 1u << 20);
	code = mongo_nodes_silent(call, silent_ms, limit, &arena, &names, &count);
	for (size_t i = 0; code == ERROR_NONE && i < count; i++) {
		code = holds_a_claim(call, names[i]);
		if (code != ERROR_NOT_FOUND)
			continue;
		code = mongo_delete(call, NODES, BCON_NEW("_id", BCON_UTF8(names[i])));
		forgotten++;
	}
	*more = *more || forgotten == limit;
	arena_done(&arena);
	return code;
}

/* --- marks --- */

/* Of many threads in one go: a round trip for each would never catch up with who deletes. Whoever
 * set a mark may not have heard of it, or have died before the wish that ends the thread's run. */
static enum error_code empty_marked(struct mongo_call *call, size_t limit, bool *more)
{
	bson_t threads = BSON_INITIALIZER, messages = BSON_INITIALIZER;
	size_t marked, removed = 0, emptied;
	enum error_code code = mongo_some(call, THREADS, BCON_NEW("purge", BCON_BOOL(true)), limit,
					  &threads, &marked);

	if (code == ERROR_NONE && marked > 0)
		code = mongo_wish_stops(call, BCON_NEW("_id", BCON_DOCUMENT(&threads)));
	if (code == ERROR_NONE && marked > 0)
		code = mongo_some(call, MESSAGES, BCON_NEW("thread_id", BCON_DOCUMENT(&threads)),
				  limit, &messages, &removed);
	if (code == ERROR_NONE && removed > 0)
		code = mongo_delete(call, MESSAGES, BCON_NEW("_id", BCON_DOCUMENT(&messages)));
	if (code == ERROR_NONE && marked > 0 && removed < limit)
		code = mongo_update_many(
			call, THREADS,
			BCON_NEW("_id", BCON_DOCUMENT(&threads), "purge", BCON_BOOL(true)),
			BCON_NEW("$set", "{", "purge", BCON_BOOL(false), "}"), &emptied);
	*more = *more || removed == limit || marked == limit;
	bson_destroy(&threads);
	bson_destroy(&messages);
	return code;
}

/* With the few messages that came when it was empty already. */
static enum error_code forget_marks(struct mongo_call *call, int64_t before_ms, size_t limit,
				    bool *more)
{
	mongoc_cursor_t *cursor = mongo_find(call, THREADS,
					     BCON_NEW("purge", BCON_BOOL(false), "deleted_at", "{",
						      "$lt", BCON_DATE_TIME(before_ms), "}"),
					     mongo_options(call, limit));
	enum error_code code = ERROR_NONE, end;
	const bson_t *mark;
	size_t count = 0;

	for (; code == ERROR_NONE && mongoc_cursor_next(cursor, &mark); count++) {
		const char *id = mongo_text(mark, "_id");

		if (!id)
			continue; /* none of ours */
		code = mongo_delete(call, MESSAGES, BCON_NEW("thread_id", BCON_UTF8(id)));
		if (code == ERROR_NONE)
			code = mongo_delete(call, THREADS, BCON_NEW("_id", BCON_UTF8(id)));
	}
	end = mongo_found_all(call, cursor);
	*more = *more || count == limit;
	return code == ERROR_NONE ? end : code;
}

enum error_code mongo_sweep(void *self, int64_t silent_ms, int64_t deleted_ms, size_t limit,
			    bool *more)
{
	struct mongo_call call;
	bool is_more = false;
	int64_t now_ms;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = read_clock(&call, &now_ms);
	if (code == ERROR_NONE)
		code = empty_marked(&call, limit, &is_more);
	if (code == ERROR_NONE)
		code = forget_marks(&call, now_ms - deleted_ms, limit, &is_more);
	if (code == ERROR_NONE)
		code = sweep_nodes(&call, silent_ms, limit, &is_more);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*more = is_more;
	return code;
}
