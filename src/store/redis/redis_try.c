/* redis_try: for `c1d check`: can keys be written, by this user of Redis, and will they be kept?
 * One is written and taken back. */
#include "redis_room.h"

#include "base/id.h"

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

/* One operation on a store of its own. */
static enum error_code once(const char *uri, const struct config *config, struct error *err,
			    enum error_code (*ask)(struct redis_call *call, char *out), char *out)
{
	const struct store_options options = {
		.uri = uri, .config = config, .callers = 1, .limit_ms = LIMIT_MS
	};
	struct redis_store *store = redis_store_open(&options, err);
	struct redis_call call;
	enum error_code code;

	if (!store)
		return ERROR_CONFIG;
	code = redis_begin_told(store, &call, err);
	if (code == ERROR_NONE) {
		code = ask(&call, out);
		redis_end(&call);
	}
	redis_store_free(store);
	return code;
}

static enum error_code write_once(struct redis_call *call, char *out)
{
	(void)out;
	return put_and_take_back(call);
}

bool redis_try_write(const char *uri, const struct config *config, const char **how,
		     struct error *err)
{
	struct error mine = { 0 };
	enum error_code code = once(uri, config, &mine, write_once, NULL);

	*how = "a key was written and taken back";
	/* An administrator reads it. */
	return code == ERROR_NONE ||
	       error_set(err, code, "%s", mine.detail[0] ? mine.detail : "Redis does not answer.");
}

const char *redis_may_lose(const char *uri, const struct config *config)
{
	static char said[REDIS_PROMISE_SIZE];

	return once(uri, config, NULL, redis_promise, said) == ERROR_NONE && *said ? said : NULL;
}
