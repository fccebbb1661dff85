/* mongo_take: threads of one user become another's, so many at a time. */
#include "mongo_room.h"

/* Of those that were found, in case one was deleted or taken meanwhile. */
static enum error_code take(struct mongo_call *call, const char *from, const char *to,
			    const bson_t *ids, size_t *taken)
{
	return mongo_update_many(call, THREADS,
				 BCON_NEW("_id", BCON_DOCUMENT(ids), "user_id", BCON_UTF8(from),
					  "deleted_at", BCON_NULL),
				 BCON_NEW("$set", "{", "user_id", BCON_UTF8(to), "}", "$inc", "{",
					  "rev", BCON_INT64(1), "}"),
				 taken);
}

enum error_code mongo_threads_take(void *self, const char *from, const char *to, size_t limit,
				   size_t *taken, bool *more)
{
	bson_t ids = BSON_INITIALIZER;
	struct mongo_call call;
	size_t found = 0, changed = 0;
	enum error_code code = mongo_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	code = mongo_some(&call, THREADS,
			  BCON_NEW("user_id", BCON_UTF8(from), "deleted_at", BCON_NULL), limit,
			  &ids, &found);
	if (code == ERROR_NONE && found > 0)
		code = take(&call, from, to, &ids, &changed);
	mongo_end(&call);
	bson_destroy(&ids);
	if (code == ERROR_NONE) {
		*taken = changed;
		*more = found == limit;
	}
	return code;
}
