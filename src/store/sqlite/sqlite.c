/* sqlite: threads and messages in one file of SQLite: nothing to install, one machine.
 * sqlite:PATH. */
#include "sqlite_room.h"

#include "base/log.h"

bool store_sqlite_check(const char *uri, struct error *err)
{
	const char *path = uri + strlen(SQLITE_SCHEME);

	if (*path == '\0' || path[strlen(path) - 1] == '/')
		return error_set(err, ERROR_CONFIG,
				 "The store's address names no file; write sqlite:PATH.");
	/* Each connection would have a database of its own. */
	if (*path == ':')
		return error_set(err, ERROR_CONFIG,
				 "SQLite keeps the store in a file; write sqlite:PATH.");
	return true;
}

/* A real write, synced: the mark of a store that is down may only go when answers can be saved
 * again. */
static bool ping(void *self, struct error *err)
{
	struct sqlite_call call;

	if (!sqlite_begin(self, true, &call, err) ||
	    !sqlite_end(&call, sqlite_file_touch(call.db, err), err))
		return false;
	sqlite_is_back();
	return true;
}

static void close_pool(void *self)
{
	sqlite_pool_free(self);
}

static const struct store_ops sqlite_ops = {
	.kind = "sqlite",
	.ping = ping,
	.free = close_pool,
	.thread_insert = sqlite_thread_insert,
	.thread_get = sqlite_thread_get,
	.thread_list = sqlite_thread_list,
	.thread_update = sqlite_thread_update,
	.thread_delete = sqlite_thread_delete,
	.claim = sqlite_claim,
	.claim_release = sqlite_claim_release,
	.next_seq = sqlite_next_seq,
	.message_insert = sqlite_message_insert,
	.message_get = sqlite_message_get,
	.message_by_run = sqlite_message_by_run,
	.message_by_key = sqlite_message_by_key,
	.message_list = sqlite_message_list,
	.message_update = sqlite_message_update,
	.finish = sqlite_finish,
	.node_beat = sqlite_node_beat,
	.claims_of_dead = sqlite_claims_of_dead,
	.sweep = sqlite_sweep,
};

/* A file that is no store of ours is refused here; one that cannot be reached may be reached later.
 */
void *store_sqlite_open(const char *uri, const struct store_ops **ops, struct error *err)
{
	struct error mine = { 0 };
	struct sqlite_pool *pool;
	struct sqlite_call call;

	if (!store_sqlite_check(uri, err) ||
	    !(pool = sqlite_pool_open(uri + strlen(SQLITE_SCHEME), err)))
		return NULL;
	if (sqlite_begin(pool, false, &call, &mine))
		sqlite_end(&call, true, &mine);
	else
		log_error("store file not opened", LOG_T("file", uri + strlen(SQLITE_SCHEME)));
	if (mine.code == ERROR_CONFIG) {
		sqlite_pool_free(pool);
		if (err)
			*err = mine;
		return NULL;
	}
	*ops = &sqlite_ops;
	return pool;
}
