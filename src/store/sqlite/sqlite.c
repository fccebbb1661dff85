/* sqlite: threads and messages in one file of SQLite: nothing to install, one machine.
 * sqlite:PATH. */
#include "sqlite_room.h"

#include "base/log.h"

static bool check(const char *uri, const struct config *config, struct error *err)
{
	const char *path = uri + strlen(SQLITE_SCHEME);

	(void)config;
	if (*path == '\0' || path[strlen(path) - 1] == '/')
		return error_set(err, ERROR_CONFIG,
				 "The store's address names no file; write sqlite:PATH.");
	/* Each connection would have a database of its own. */
	if (*path == ':')
		return error_set(err, ERROR_CONFIG,
				 "SQLite keeps the store in a file; write sqlite:PATH.");
	return true;
}

static void reach(const char *uri, const struct config *config, struct reach *reach)
{
	(void)config;
	reach_write_beside(reach, uri + strlen(SQLITE_SCHEME), 0750); /* its logs lie there, too */
}

/* A real write, synced: the mark of a store that is down or full may only go when answers can be
 * saved again. */
static enum error_code ping(void *self, struct error *err)
{
	struct sqlite_call call;
	enum error_code code = sqlite_begin(self, true, &call);

	(void)err;
	if (code == ERROR_NONE)
		code = sqlite_end(&call, sqlite_file_touch(call.conn));
	if (code == ERROR_NONE)
		sqlite_is_back();
	return code;
}

static size_t room(void *self)
{
	(void)self;
	return SQLITE_CONNECTIONS_MAX - 1; /* one is for the ping */
}

static void close_pool(void *self)
{
	sqlite_pool_free(self);
}

static const struct store_ops sqlite_ops = { .kind = "sqlite",
					     .searches_text = true,
					     .room = room,
					     .ping = ping,
					     .free = close_pool,
#define X(name, ...) .name = sqlite_##name,
					     STORE_OPS(X)
#undef X
};

/* A file that is no store of ours is refused here; one that cannot be reached may be reached later.
 */
static void *open_pool(const struct store_options *options, const struct store_ops **ops,
		       struct error *err)
{
	const char *path = options->uri + strlen(SQLITE_SCHEME);
	struct sqlite_pool *pool;
	enum error_code code;

	if (!check(options->uri, options->config, err) ||
	    !(pool = sqlite_pool_open(path, options, err)))
		return NULL;
	*ops = &sqlite_ops;
	if (options->as_found)
		return pool;
	code = sqlite_try_open(pool, err);
	if (code != ERROR_NONE)
		log_error("store file not opened", LOG_T("file", path));
	if (code == ERROR_CONFIG) {
		sqlite_pool_free(pool);
		return NULL;
	}
	return pool;
}

static const char *const schemes[] = { "sqlite", NULL };

const struct store_maker store_sqlite = { .name = "SQLite",
					  .address = "sqlite:PATH",
					  .schemes = schemes,
					  .open = open_pool,
					  .check = check,
					  .try_write = sqlite_try_write,
					  .backup = sqlite_backup,
					  .look = sqlite_look,
					  .reach = reach,
					  .wake = sqlite_wake };
