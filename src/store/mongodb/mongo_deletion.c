/* mongo_deletion: a thread is marked, which hides it at once; its messages go in steps. */
#include "mongo_room.h"

#include "base/clock.h"

static bson_t *mark_of_deletion(void)
{
	return BCON_NEW("$set", "{", "title", BCON_UTF8(""), "metadata", BCON_NULL, "purge",
			BCON_BOOL(true), "}", "$currentDate", "{", "deleted_at", BCON_BOOL(true),
			"}", "$inc", "{", "rev", BCON_INT64(1), "}");
}

static enum error_code wish_stop(struct mongo_call *call, const char *id, const char *run_id)
{
	return mongo_update(call, THREADS,
			    BCON_NEW("_id", BCON_UTF8(id), "run.id", BCON_UTF8(run_id)),
			    BCON_NEW("$set", "{", "run.stop", BCON_BOOL(true), "}"), NULL);
}

static enum error_code ended_runs(struct mongo_call *call, const char *id, struct arena *arena,
				  struct thread_deleted *out)
{
	bson_t *options = mongo_options(call, RUNS_NAMED_MAX);
	bson_t *filter =
		BCON_NEW("thread_id", BCON_UTF8(id), "run_id", "{", "$ne", BCON_NULL, "}",
			 "updated_at", "{", "$gte", BCON_DATE_TIME(clock_wall_ms() - RUNS_KEPT_MS),
			 "}", "status", "{", "$ne", BCON_UTF8("streaming"), "}");
	mongoc_cursor_t *cursor;
	const bson_t *document;

	BCON_APPEND(options, "sort", "{", "seq", BCON_INT32(-1), "}", "projection", "{", "run_id",
		    BCON_INT32(1), "}");
	cursor = mongo_find(call, MESSAGES, filter, options);
	while (!arena->failed && mongoc_cursor_next(cursor, &document)) {
		out->run_ids =
			store_grow(arena, out->run_ids, out->run_count, sizeof *out->run_ids);
		if (out->run_ids)
			out->run_ids[out->run_count++] =
				arena_text(arena, mongo_text(document, "run_id"));
	}
	return mongo_found_all(call, cursor);
}

/* Marked first, so that it is gone for everybody at once; what comes late is found by the mark. The
 * runs are only asked for then: no new one can begin, and where rev is 0 there never was one. What
 * fails from there on changes nothing about the deletion. */
enum error_code mongo_thread_delete(void *self, const char *owner, const char *id,
				    struct arena *arena, struct thread_deleted *out)
{
	struct thread_deleted deleted = { 0 };
	struct mongo_call call;
	struct thread before = { 0 };
	bson_t reply, document;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_modify(&call, THREADS, mongo_thread_alive(owner, id), mark_of_deletion(),
			    MONGO_OLD, &reply, &document);
	if (code == ERROR_NONE)
		code = mongo_take_thread(&document, arena, &before);
	else if (code == ERROR_NOT_FOUND)
		code = mongo_thread_why_not(&call, owner, id, true);
	bson_destroy(&reply);
	if (code == ERROR_NONE && before.rev > 0) {
		deleted.run = before.run;
		if (!before.run.id || wish_stop(&call, id, before.run.id) == ERROR_NONE)
			ended_runs(&call, id, arena, &deleted);
	}
	mongo_end(&call);
	if (code == ERROR_NONE && (code = store_fits(arena)) == ERROR_NONE)
		*out = deleted;
	return code;
}

enum error_code mongo_thread_empty(struct mongo_call *call, const char *id, size_t limit,
				   size_t *removed)
{
	bson_t ids = BSON_INITIALIZER;
	enum error_code code = mongo_some(call, MESSAGES, BCON_NEW("thread_id", BCON_UTF8(id)),
					  limit, &ids, removed);

	if (code == ERROR_NONE && *removed > 0)
		code = mongo_delete(call, MESSAGES, BCON_NEW("_id", BCON_DOCUMENT(&ids)));
	if (code == ERROR_NONE && *removed < limit)
		code = mongo_update(call, THREADS, BCON_NEW("_id", BCON_UTF8(id)),
				    BCON_NEW("$set", "{", "purge", BCON_BOOL(false), "}"), NULL);
	bson_destroy(&ids);
	return code;
}

enum error_code mongo_thread_purge(void *self, const char *id, size_t limit, bool *more)
{
	mongoc_cursor_t *cursor;
	struct mongo_call call;
	const bson_t *mark;
	size_t removed = 0;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_find_one(&call, THREADS,
			      BCON_NEW("_id", BCON_UTF8(id), "purge", "{", "$ne", BCON_NULL, "}"),
			      NULL, &cursor, &mark);
	mongoc_cursor_destroy(cursor);
	if (code == ERROR_NONE)
		code = mongo_thread_empty(&call, id, limit, &removed);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*more = removed == limit;
	return code;
}
