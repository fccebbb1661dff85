/*
 * redis_promise: may this Redis lose what it was told? It does by its defaults: so that is said at
 * each start and by `c1d check`, in words that name the setting.
 */
#include "redis_room.h"

#include <stdio.h>

/* The value of a line `name:value` in INFO's text. */
static struct slice value_of(struct slice info, const char *name)
{
	size_t len = strlen(name);

	while (info.len > 0) {
		const char *end = memchr(info.ptr, '\n', info.len);
		size_t line = end ? (size_t)(end - info.ptr) : info.len;

		if (line > len && memcmp(info.ptr, name, len) == 0 && info.ptr[len] == ':') {
			struct slice value = { info.ptr + len + 1, line - len - 1 };

			value.len -= value.len > 0 && value.ptr[value.len - 1] == '\r';
			return value;
		}
		info = slice_skip(info, end ? line + 1 : line);
	}
	return SLICE("");
}

/* Hosted servers do not tell it; then nothing is said of it. */
static bool syncs_never(struct redis_call *call)
{
	struct redis_command config = redis_command(call, "CONFIG");
	const redisReply *reply = NULL;

	redis_add_text(&config, "GET");
	redis_add_text(&config, "appendfsync");
	return redis_ask_quietly(&config, &reply) == ERROR_NONE &&
	       slice_is(redis_slice(redis_element(reply, 1)), "no");
}

static void add(char *out, const char *words)
{
	size_t len = strlen(out);

	snprintf(out + len, REDIS_PROMISE_SIZE - len, "%s%s", len > 0 ? "; and " : "", words);
}

enum error_code redis_promise(struct redis_call *call, char *out)
{
	struct redis_command command = redis_command(call, "INFO");
	const redisReply *reply = NULL;
	enum error_code code = redis_ask_quietly(&command, &reply);
	struct slice info = redis_slice(reply);
	bool logs = slice_is(value_of(info, "aof_enabled"), "1");

	*out = '\0';
	if (code == ERROR_STORE_DOWN || code == ERROR_STORE_TIMEOUT)
		return code;
	if (info.len == 0) {
		add(out, "this user may not ask how it keeps things (INFO)");
		return ERROR_NONE;
	}
	if (slice_starts(value_of(info, "maxmemory_policy"), SLICE("allkeys")))
		add(out, "its maxmemory-policy throws conversations away when memory is short; set "
			 "noeviction");
	if (!logs)
		add(out, "appendonly is no, so all that was said since its last snapshot is gone "
			 "when it ends; set yes");
	else if (syncs_never(call))
		add(out, "appendfsync is no, so the last half a minute is gone with the machine; "
			 "set everysec or always");
	return ERROR_NONE;
}
