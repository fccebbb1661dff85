/* mongo_node: who is alive, what the dead left, and what was deleted long ago. */
#include "mongo_room.h"

#define NODES_MAX 1000

static mongoc_collection_t *nodes_of(struct mongo_call *call)
{
	return mongoc_client_get_collection(call->client, call->mongo->database, "nodes");
}

bool mongo_node_beat(void *self, const char *node, int64_t now_ms, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(node));
	bson_t *update = BCON_NEW("$set", "{", "seen_at", BCON_DATE_TIME(now_ms), "}");
	bson_t *upsert = BCON_NEW("upsert", BCON_BOOL(true));
	struct mongo_call call;
	mongoc_collection_t *nodes;
	bool ok;

	mongo_begin(self, &call);
	nodes = nodes_of(&call);
	ok = mongoc_collection_update_one(nodes, filter, update, upsert, NULL, &call.error) ||
	     mongo_failed(&call, err);
	mongoc_collection_destroy(nodes);
	mongo_end(&call);
	bson_destroy(filter);
	bson_destroy(update);
	bson_destroy(upsert);
	return ok;
}

/* The names of nodes that are silent for so long. */
static bool dead_nodes(struct mongo_call *call, int64_t seen_before_ms, struct arena *arena,
		       const char **names, size_t *count, struct error *err)
{
	bson_t *filter = BCON_NEW("seen_at", "{", "$lt", BCON_DATE_TIME(seen_before_ms), "}");
	mongoc_collection_t *nodes = nodes_of(call);
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(nodes, filter, NULL, NULL);
	const bson_t *document;
	bson_iter_t it;
	bool failed;

	while (*count < NODES_MAX && mongoc_cursor_next(cursor, &document))
		if (bson_iter_init_find(&it, document, "_id") && BSON_ITER_HOLDS_UTF8(&it))
			names[(*count)++] = arena_text(arena, bson_iter_utf8(&it, NULL));
	failed = mongoc_cursor_error(cursor, &call->error);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(nodes);
	bson_destroy(filter);
	return !failed || mongo_failed(call, err);
}

/* Adds what one node holds. */
static bool claims_of(struct mongo_call *call, const char *node, size_t limit, struct arena *arena,
		      struct claim_list *list, struct error *err)
{
	bson_t *filter = BCON_NEW("run.node", BCON_UTF8(node));
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(call->threads, filter, NULL, NULL);
	const bson_t *document;
	struct thread thread;
	bool ok = true;

	while (ok && list->count < limit && mongoc_cursor_next(cursor, &document)) {
		ok = mongo_take_thread(document, arena, &thread, err);
		if (ok)
			list->items[list->count++] = (struct held_claim){ thread.id, thread.run };
	}
	if (ok && mongoc_cursor_error(cursor, &call->error))
		ok = mongo_failed(call, err);
	mongoc_cursor_destroy(cursor);
	bson_destroy(filter);
	return ok;
}

bool mongo_claims_of_dead(void *self, int64_t seen_before_ms, size_t limit, struct arena *arena,
			  struct claim_list *out, struct error *err)
{
	struct claim_list list = { .items = arena_alloc(arena, limit * sizeof *list.items) };
	const char **names = arena_alloc(arena, NODES_MAX * sizeof *names);
	struct mongo_call call;
	size_t count = 0;
	bool ok;

	if (!list.items || !names)
		return error_set(err, ERROR_OVERLOADED, "No memory for this list.");
	mongo_begin(self, &call);
	ok = dead_nodes(&call, seen_before_ms, arena, names, &count, err);
	for (size_t i = 0; ok && i < count; i++)
		ok = claims_of(&call, names[i], limit, arena, &list, err);
	mongo_end(&call);
	if (ok)
		*out = list;
	return ok;
}

/* --- sweeping --- */

static bool holds_a_claim(struct mongo_call *call, const char *node, struct error *err)
{
	bson_t *filter = BCON_NEW("run.node", BCON_UTF8(node));
	mongoc_cursor_t *cursor;
	bool holds = mongo_find_one(call, call->threads, filter, &cursor, err) != NULL;

	mongoc_cursor_destroy(cursor);
	bson_destroy(filter);
	return holds || err->code != ERROR_NOT_FOUND;
}

/* One that lives after all beats again. */
static bool forget_node(struct mongo_call *call, const char *node, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(node));
	mongoc_collection_t *nodes = nodes_of(call);
	bool ok = mongoc_collection_delete_one(nodes, filter, NULL, NULL, &call->error) ||
		  mongo_failed(call, err);

	mongoc_collection_destroy(nodes);
	bson_destroy(filter);
	return ok;
}

static bool sweep_nodes(struct mongo_call *call, int64_t seen_before_ms, struct error *err)
{
	const char **names;
	struct arena arena;
	size_t count = 0;
	bool ok;

	arena_init(&arena, 1u << 20);
	names = arena_alloc(&arena, NODES_MAX * sizeof *names);
	ok = dead_nodes(call, seen_before_ms, &arena, names, &count, err) && !arena.failed;
	for (size_t i = 0; ok && i < count; i++) {
		struct error mine = { 0 };

		if (!holds_a_claim(call, names[i], &mine))
			ok = forget_node(call, names[i], err);
	}
	arena_done(&arena);
	return ok;
}

static bool remove_thread(struct mongo_call *call, const char *id, struct error *err)
{
	bson_t *messages = BCON_NEW("thread_id", BCON_UTF8(id)),
	       *thread = BCON_NEW("_id", BCON_UTF8(id));
	bool ok = (mongoc_collection_delete_many(call->messages, messages, NULL, NULL,
						 &call->error) &&
		   mongoc_collection_delete_one(call->threads, thread, NULL, NULL, &call->error)) ||
		  mongo_failed(call, err);

	bson_destroy(messages);
	bson_destroy(thread);
	return ok;
}

static bool sweep_marks(struct mongo_call *call, int64_t deleted_before_ms, struct error *err)
{
	bson_t *filter = BCON_NEW("deleted_at", "{", "$lt", BCON_DATE_TIME(deleted_before_ms), "}");
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(call->threads, filter, NULL, NULL);
	const bson_t *document;
	bson_iter_t it;
	bool ok = true;

	while (ok && mongoc_cursor_next(cursor, &document))
		if (bson_iter_init_find(&it, document, "_id") && BSON_ITER_HOLDS_UTF8(&it))
			ok = remove_thread(call, bson_iter_utf8(&it, NULL), err);
	if (ok && mongoc_cursor_error(cursor, &call->error))
		ok = mongo_failed(call, err);
	mongoc_cursor_destroy(cursor);
	bson_destroy(filter);
	return ok;
}

bool mongo_sweep(void *self, int64_t seen_before_ms, int64_t deleted_before_ms, struct error *err)
{
	struct mongo_call call;
	bool ok;

	mongo_begin(self, &call);
	ok = sweep_nodes(&call, seen_before_ms, err) && sweep_marks(&call, deleted_before_ms, err);
	mongo_end(&call);
	return ok;
}
