/* redis_try: can keys be written, by this user of Redis? For `c1d check`: one is written and taken
 * back, and what Redis may lose is told. */
#include "redis_room.h"

#include "base/id.h"
#include <stdio.h>

#define LIMIT_MS 4000

static enum error_code put_and_take_back(struct redis_call *call)
{
	char id[ID_UUID_SIZE];
	const redisReply *reply;
	struct redis_command command;
	enum error_code code;

	id_uuid7(id);
	command = redis_of_key(call, "SET", "check:", id);
	redis_add_text(&command, "taken back");
	redis_add_text(&command, "PX");
	redis_add_number(&command, 10000); /* whatever happens to us */
	code = redis_ask(&command, &reply);
	if (code != ERROR_NONE)
		return code;
	command = redis_of_key(call, "DEL", "check:", id);
	return redis_ask(&command, &reply);
}

static enum error_code try(struct redis_store *store, const char **how, struct error *err)
{
	static char said[REDIS_PROMISE_SIZE + 64];
	char promise[REDIS_PROMISE_SIZE];
	struct redis_call call;
	enum error_code code = redis_begin_told(store, &call, err);

	if (code != ERROR_NONE)
		return code;
	code = put_and_take_back(&call);
	if (code == ERROR_NONE)
		code = redis_promise(&call, promise);
	redis_end(&call);
	if (code == ERROR_NONE) {
		snprintf(said, sizeof said, "a key was written and taken back%s%s",
			 *promise ? "; BUT " : "", promise);
		*how = said;
	}
	return code;
}

bool redis_try_write(const char *uri, const struct config *config, const char **how,
		     struct error *err)
{
	const struct store_options options = {
		.uri = uri, .config = config, .callers = 1, .limit_ms = LIMIT_MS
	};
	struct error mine = { 0 };
	struct redis_store *store = redis_store_open(&options, err);
	enum error_code code;

	if (!store)
		return false;
	code = try(store, how, &mine);
	redis_store_free(store);
	/* An administrator reads it. */
	return code == ERROR_NONE ||
	       error_set(err, code, "%s", mine.detail[0] ? mine.detail : "Redis does not answer.");
}
