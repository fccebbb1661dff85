/* mongo_claim: how a run lets go of its thread: its end, the wish that it stop, what the dead left.
 */
#include "mongo_room.h"

#include "base/clock.h"

#define NODES_MAX 1000

/* --- the end of a run --- */

static enum error_code clear(struct mongo_call *call, const char *thread_id, const char *run_id,
			     bool *was_held)
{
	return mongo_update(
		call, THREADS, BCON_NEW("_id", BCON_UTF8(thread_id), "run.id", BCON_UTF8(run_id)),
		BCON_NEW("$set", "{", "run", BCON_NULL, "ended_at", BCON_DATE_TIME(clock_wall_ms()),
			 "}", "$inc", "{", "rev", BCON_INT64(1), "}"),
		was_held);
}

enum error_code mongo_claim_clear(struct mongo_call *call, const char *thread_id,
				  const char *run_id)
{
	return clear(call, thread_id, run_id, NULL);
}

/* One whose claim another took from it has ended, too: who deletes the thread has to know. */
static enum error_code note_end(struct mongo_call *call, const char *thread_id)
{
	return mongo_update(call, THREADS, BCON_NEW("_id", BCON_UTF8(thread_id)),
			    BCON_NEW("$set", "{", "ended_at", BCON_DATE_TIME(clock_wall_ms()), "}"),
			    NULL);
}

static bson_t *end_of(const struct finish *finish)
{
	bson_t *update = bson_new();
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	mongo_put_content(&set, finish->content);
	BSON_APPEND_UTF8(&set, "status", message_status_text(finish->status));
	mongo_put_text(&set, "finish_reason", finish->finish_reason);
	mongo_put_text(&set, "model", finish->model);
	mongo_put_usage(&set, &finish->usage);
	BSON_APPEND_BOOL(&set, "unasked", finish->unasked);
	BSON_APPEND_DATE_TIME(&set, "updated_at", clock_wall_ms());
	bson_append_document_end(update, &set);
	return update;
}

enum error_code mongo_finish(void *self, const struct finish *finish, bool *applied)
{
	const char *other = finish->if_streaming ? "streaming" : "interrupted";
	char key[MONGO_KEY_SIZE];
	struct mongo_call call;
	bool matched = false, was_held = false;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	mongo_message_key(finish->thread_id, finish->message_id, key);
	code = mongo_update(&call, MESSAGES,
			    BCON_NEW("_id", BCON_UTF8(key), "run_id", BCON_UTF8(finish->run_id),
				     "status", "{", "$in", "[", BCON_UTF8("streaming"),
				     BCON_UTF8(other), "]", "}"),
			    end_of(finish), &matched);
	if (code == ERROR_NONE)
		code = clear(&call, finish->thread_id, finish->run_id, &was_held);
	if (code == ERROR_NONE && matched && !was_held)
		code = note_end(&call, finish->thread_id);
	mongo_end(&call);
	if (code == ERROR_NONE && applied)
		*applied = matched;
	return code;
}

/* --- lists of claims --- */

/* Adds the claims that the filter finds, up to limit of them. */
static enum error_code add_claims(struct mongo_call *call, bson_t *filter, size_t limit,
				  struct arena *arena, struct claim_list *list)
{
	mongoc_cursor_t *cursor = mongo_find(call, THREADS, filter, mongo_options(call, limit));
	enum error_code code = ERROR_NONE, end;
	const bson_t *document;
	struct thread thread;

	while (code == ERROR_NONE && list->count < limit && mongoc_cursor_next(cursor, &document)) {
		list->items = store_grow(arena, list->items, list->count, sizeof *list->items);
		code = list->items ? mongo_take_thread(document, arena, &thread) : ERROR_OVERLOADED;
		if (code == ERROR_NONE)
			list->items[list->count++] = (struct held_claim){ thread.id, thread.run };
	}
	end = mongo_found_all(call, cursor);
	return code == ERROR_NONE ? end : code;
}

static enum error_code claims_of_dead(struct mongo_call *call, int64_t silent_ms, size_t limit,
				      struct arena *arena, struct claim_list *list)
{
	const char **names;
	size_t count;
	enum error_code code =
		mongo_nodes_silent(call, silent_ms, NODES_MAX, arena, &names, &count);

	for (size_t i = 0; code == ERROR_NONE && i < count && list->count < limit; i++)
		code = add_claims(call, BCON_NEW("run.node", BCON_UTF8(names[i])), limit, arena,
				  list);
	return code;
}

enum error_code mongo_claims_of_dead(void *self, int64_t silent_ms, size_t limit,
				     struct arena *arena, struct claim_list *out)
{
	struct claim_list list = { 0 };
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = claims_of_dead(&call, silent_ms, limit, arena, &list);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = list;
	return code;
}

/* --- wishes --- */

/* No match: there is no such claim, or it is another's. */
static enum error_code why_not(struct mongo_call *call, const char *owner, const char *run_id)
{
	bson_t *options = mongo_options(call, 1);
	mongoc_cursor_t *cursor;
	const bson_t *found;
	enum error_code code;

	BCON_APPEND(options, "projection", "{", "user_id", BCON_INT32(1), "}");
	code = mongo_find_one(call, THREADS, BCON_NEW("run.id", BCON_UTF8(run_id)), options,
			      &cursor, &found);
	if (code == ERROR_NONE &&
	    (code = store_may(owner, mongo_text(found, "user_id"))) == ERROR_NONE)
		code = ERROR_NOT_FOUND; /* it came in between */
	mongoc_cursor_destroy(cursor);
	return code;
}

enum error_code mongo_stop_ask(void *self, const char *owner, const char *run_id)
{
	bson_t *filter;
	struct mongo_call call;
	bool matched = false;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	filter = BCON_NEW("run.id", BCON_UTF8(run_id));
	if (owner)
		BSON_APPEND_UTF8(filter, "user_id", owner);
	code = mongo_update(&call, THREADS, filter,
			    BCON_NEW("$set", "{", "run.stop", BCON_BOOL(true), "}"), &matched);
	if (code == ERROR_NONE && !matched)
		code = why_not(&call, owner, run_id);
	mongo_end(&call);
	return code;
}

enum error_code mongo_stops_of(void *self, const char *node, struct arena *arena,
			       struct claim_list *out)
{
	struct claim_list list = { 0 };
	struct mongo_call call;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = add_claims(&call, BCON_NEW("run.node", BCON_UTF8(node), "run.stop", BCON_BOOL(true)),
			  CLAIMS_MAX, arena, &list);
	mongo_end(&call);
	if (code == ERROR_NONE)
		*out = list;
	return code;
}
