/* redis_take: threads of one user become another's, so many at a time. */
#include "redis_room.h"

static enum error_code read_members(struct redis_call *call, const char *user_id, size_t limit,
				    struct slice *members, size_t *count)
{
	enum error_code code = ERROR_NONE;

	for (int i = 0; code == ERROR_NONE && i < 2; i++) {
		struct redis_command range =
			redis_of_key(call, "ZRANGE", i == 0 ? "u0:" : "u1:", user_id);

		redis_add_number(&range, 0);
		redis_add_number(&range, (int64_t)limit - 1);
		code = redis_put(&range);
	}
	*count = 0;
	for (int i = 0; code == ERROR_NONE && i < 2; i++) {
		const redisReply *found = NULL;

		code = redis_get(call, &found);
		for (size_t j = 0; j < redis_count(found) && *count < limit; j++)
			members[(*count)++] = redis_slice(found->element[j]);
	}
	return code;
}

/* The thread that a member is of; one of nobody's has no thread, and goes. */
static const char *thread_of(struct slice member)
{
	return member.len >= REDIS_TIME_SIZE ? member.ptr + REDIS_TIME_SIZE - 1 : "";
}

static enum error_code take(struct redis_call *call, const char *from, const char *to,
			    const struct slice *members, size_t count, size_t *taken)
{
	struct redis_command script = redis_step(call, STEP_TAKE, count + 4);
	const redisReply *reply = NULL;
	enum error_code code;

	redis_add_key(&script, "u0:", from);
	redis_add_key(&script, "u1:", from);
	redis_add_key(&script, "u0:", to);
	redis_add_key(&script, "u1:", to);
	for (size_t i = 0; i < count; i++)
		redis_add_key(&script, "t:", thread_of(members[i]));
	redis_add_text(&script, from);
	redis_add_text(&script, to);
	for (size_t i = 0; i < count; i++)
		redis_add(&script, members[i]);
	code = redis_run(&script, STEP_TAKE, &reply);
	*taken = code == ERROR_NONE ? (size_t)redis_number(reply) : 0;
	return code;
}

/* So many at most in one script; limit may be more. */
enum error_code redis_threads_take(void *self, const char *from, const char *to, size_t limit,
				   size_t *taken, bool *more)
{
	size_t step = limit < REDIS_BATCH ? limit : REDIS_BATCH, found = step, left = limit, some;
	struct slice members[REDIS_BATCH];
	struct redis_call call;
	size_t all = 0;
	enum error_code code = redis_begin(self, &call);

	if (code != ERROR_NONE)
		return code;
	while (code == ERROR_NONE && left > 0 && found == step) {
		step = left < REDIS_BATCH ? left : REDIS_BATCH;
		redis_forget(&call);
		code = read_members(&call, from, step, members, &found);
		if (code == ERROR_NONE && found > 0) {
			code = take(&call, from, to, members, found, &some);
			all += some;
		}
		left -= found;
	}
	redis_end(&call);
	if (code == ERROR_NONE) {
		*taken = all;
		*more = left == 0;
	}
	return code;
}
