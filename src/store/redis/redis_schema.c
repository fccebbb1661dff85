/* redis_schema: the version of what lies in Redis. The first has no step to take. */
#include "redis_room.h"

#include "base/digits.h"

enum error_code redis_schema_read(struct redis_call *call, int64_t *there)
{
	struct redis_command get = redis_of_key(call, "HGET", "meta", "");
	const redisReply *reply = NULL;
	enum error_code code;

	redis_add_text(&get, "version");
	code = redis_ask(&get, &reply);
	*there = 0;
	if (code == ERROR_NONE && reply->type != REDIS_REPLY_NIL &&
	    (!digits_read(redis_slice(reply), DIGITS_MAX, there) || *there == 0))
		code = ERROR_CORRUPT;
	return code;
}

enum error_code redis_schema_put(struct redis_call *call)
{
	struct redis_command put = redis_of_key(call, "HSETNX", "meta", "");
	const redisReply *reply;

	redis_add_text(&put, "version");
	redis_add_number(&put, REDIS_VERSION);
	return redis_ask(&put, &reply);
}

/* A real write: the mark of a store that is down or full may only go when answers can be saved
 * again, and a replica is of no use. */
enum error_code redis_schema(struct redis_call *call, struct error *err)
{
	int64_t there;
	enum error_code code = redis_schema_put(call);

	if (code == ERROR_NONE)
		code = redis_schema_read(call, &there);
	if (code == ERROR_NONE && there > REDIS_VERSION) {
		error_set(err, ERROR_CONFIG,
			  "What is in Redis there was made by a newer c1d (version %lld, ours is "
			  "%lld).",
			  (long long)there, REDIS_VERSION);
		return ERROR_CONFIG;
	}
	return code;
}
