/* firestore_node: who is alive. All ages are by Firestore's clock: each reply tells its time, and
 * it sets all times that they are compared with. */
#include "firestore_room.h"

#define NODES_MAX 1000

struct beat {
	const char *node;
	int64_t now_ms;
};

static enum error_code beat(struct firestore_op *op, void *arg)
{
	struct beat *b = arg;
	const struct firestore_json *results, *stamp;
	enum error_code code;

	firestore_body(op);
	firestore_write(op, FS_NODES, firestore_id(op, b->node));
	firestore_written(op, &(struct firestore_end){ .when = FS_ANY, .now = "seen_at" });
	code = firestore_commit_again(op, &results);
	if (code != ERROR_NONE)
		return code;
	stamp = firestore_member(results ? results->first : NULL, "transformResults");
	return firestore_time_read(
		       firestore_member_text(stamp ? stamp->first : NULL, "timestampValue"),
		       &b->now_ms)
		       ? ERROR_NONE
		       : ERROR_CORRUPT;
}

enum error_code firestore_node_beat(void *self, const char *node, int64_t *now_ms)
{
	struct beat b = { .node = node };
	enum error_code code = firestore_do(self, beat, &b);

	if (code == ERROR_NONE && now_ms)
		*now_ms = b.now_ms;
	return code;
}

/* The longest silent first; names lie in the op's arena. */
enum error_code firestore_nodes_silent(struct firestore_op *op, int64_t silent_ms,
				       const char ***names, size_t *count)
{
	const struct firestore_find find = { FQ_NODES_BY_AGE, { { 0 } }, NODES_MAX, NULL, NULL };
	struct firestore_found found;
	int64_t now_ms, seen_ms;
	enum error_code code = firestore_find(op, &find, &found);

	*count = 0;
	if (code != ERROR_NONE)
		return code;
	if (!firestore_time_read(found.read_time, &now_ms))
		return ERROR_CORRUPT;
	*names = arena_alloc(&op->arena, (found.count + 1) * sizeof **names);
	for (size_t i = 0; *names && i < found.count; i++) {
		struct slice seen = firestore_timestamp(found.items[i].fields, "seen_at");

		if (firestore_time_read(seen, &seen_ms) && seen_ms < now_ms - silent_ms)
			(*names)[(*count)++] =
				arena_copy(&op->arena, firestore_id_of(found.items[i].id, NULL));
	}
	return store_fits(&op->arena);
}
