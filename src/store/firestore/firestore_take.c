/* firestore_take: threads of one user become another's, so many at a time. */
#include "firestore_room.h"

#define STEP 400 /* documents in a commit */

struct taking {
	const char *from, *to;
	size_t limit, taken;
	bool more;
};

static enum error_code take(struct firestore_op *op, void *arg)
{
	struct taking *t = arg;
	const struct firestore_find find = { FQ_THREADS_TO_TAKE,
					     { FS_TEXT(t->from) },
					     t->limit < STEP ? t->limit : STEP,
					     NULL,
					     NULL };
	struct firestore_found found;
	enum error_code code = firestore_find(op, &find, &found);

	if (code != ERROR_NONE)
		return code;
	firestore_body(op);
	for (size_t i = 0; i < found.count; i++) {
		firestore_write(op, FS_THREADS, arena_copy(&op->arena, found.items[i].id));
		firestore_put_text(op, "user_id", t->to);
		firestore_put_int(op, "rev", firestore_int(found.items[i].fields, "rev") + 1);
		firestore_written_over(op, &found.items[i], "");
	}
	if (found.count > 0)
		code = firestore_commit(op, NULL);
	t->taken = found.count;
	t->more = found.count == find.limit;
	return code;
}

enum error_code firestore_threads_take(void *self, const char *from, const char *to, size_t limit,
				       size_t *taken, bool *more)
{
	struct taking t = { .from = from, .to = to, .limit = limit };
	enum error_code code = firestore_do(self, take, &t);

	if (code == ERROR_NONE) {
		*taken = t.taken;
		*more = t.more;
	}
	return code;
}
