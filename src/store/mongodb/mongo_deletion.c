/* mongo_deletion: a thread is marked, which hides it at once; its messages go in steps. */
#include "mongo_room.h"

#include "base/clock.h"

/* Of a time before all times that a list asks for: none walks past it in its index. */
static bson_t *mark_of_deletion(void)
{
	return BCON_NEW("$set", "{", "title", BCON_UTF8(""), "metadata", BCON_NULL, "updated_at",
			BCON_DATE_TIME(MONGO_TIME_MIN - 1), "purge", BCON_BOOL(true), "}",
			"$currentDate", "{", "deleted_at", BCON_BOOL(true), "}", "$inc", "{", "rev",
			BCON_INT64(1), "}");
}

enum error_code mongo_wish_stops(struct mongo_call *call, bson_t *filter)
{
	size_t changed;

	BCON_APPEND(filter, "run", "{", "$ne", BCON_NULL, "}");
	return mongo_update_many(call, THREADS, filter,
				 BCON_NEW("$set", "{", "run.stop", BCON_BOOL(true), "}"), &changed);
}

/* The run that wrote it, when that has ended since; else NULL. */
static const char *ended_since(const bson_t *document, int64_t since_ms)
{
	const char *status = mongo_text(document, "status");
	bson_iter_t at;
	bool is_late = bson_iter_init_find(&at, document, "updated_at") &&
		       BSON_ITER_HOLDS_DATE_TIME(&at) && bson_iter_date_time(&at) >= since_ms;

	return is_late && status && strcmp(status, "streaming") != 0
		       ? mongo_text(document, "run_id")
		       : NULL;
}

/* May runs have ended here since? Where rev is 0 there never was one. A turn that begins changes
 * updated_at, one that ends ended_at; a thread of an older c1d, or of others, lacks that, and may.
 */
static bool may_name_runs(const bson_t *document, const struct thread *before, int64_t since_ms)
{
	bson_iter_t at;

	if (before->rev == 0)
		return false;
	if (before->run.id || before->updated_ms >= since_ms ||
	    !bson_iter_init_find(&at, document, "ended_at"))
		return true;
	return BSON_ITER_HOLDS_DATE_TIME(&at) && bson_iter_date_time(&at) >= since_ms;
}

/* Looked for here, and not by the filter: a server would look through the whole thread. */
static enum error_code ended_runs(struct mongo_call *call, const char *id, int64_t since_ms,
				  struct arena *arena, struct thread_deleted *out)
{
	bson_t *options = mongo_options(call, RUNS_LOOKED_AT);
	mongoc_cursor_t *cursor;
	const bson_t *document;
	const char *run_id;

	BCON_APPEND(options, "sort", "{", "seq", BCON_INT32(-1), "}", "projection", "{", "run_id",
		    BCON_INT32(1), "status", BCON_INT32(1), "updated_at", BCON_INT32(1), "}");
	cursor = mongo_find(call, MESSAGES, BCON_NEW("thread_id", BCON_UTF8(id)), options);
	while (!arena->failed && out->run_count < RUNS_NAMED_MAX &&
	       mongoc_cursor_next(cursor, &document)) {
		if (!(run_id = ended_since(document, since_ms)))
			continue;
		out->run_ids =
			store_grow(arena, out->run_ids, out->run_count, sizeof *out->run_ids);
		if (out->run_ids)
			out->run_ids[out->run_count++] = arena_text(arena, run_id);
	}
	return mongo_found_all(call, cursor);
}

/* Marked first, so that it is gone for everybody at once; what comes late is found by the mark. The
 * runs are only asked for then, since no new one can begin, and not where nothing ended for long:
 * that is one trip in all. What fails from there on changes nothing about the deletion. */
enum error_code mongo_thread_delete(void *self, const char *owner, const char *id,
				    struct arena *arena, struct thread_deleted *out)
{
	int64_t since_ms = clock_wall_ms() - RUNS_KEPT_MS;
	struct thread_deleted deleted = { 0 };
	bool is_asked = false;
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
	if (code == ERROR_NONE)
		is_asked = may_name_runs(&document, &before, since_ms);
	bson_destroy(&reply);
	/* Where the wish fails, messages are left to the sweep, with it. */
	if (is_asked && before.run.id &&
	    mongo_wish_stops(&call, BCON_NEW("_id", BCON_UTF8(id))) == ERROR_NONE)
		deleted.run = before.run;
	if (is_asked && (!before.run.id || deleted.run.id))
		ended_runs(&call, id, since_ms, arena, &deleted);
	mongo_end(&call);
	if (code == ERROR_NONE && (code = store_fits(arena)) == ERROR_NONE)
		*out = deleted;
	return code;
}

/* Removes up to limit messages of a marked thread; *removed: how many. */
static enum error_code empty(struct mongo_call *call, const char *id, size_t limit, size_t *removed)
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
		code = empty(&call, id, limit, &removed);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*more = removed == limit;
	return code;
}
