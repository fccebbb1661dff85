/* redis_reply: what Redis says when it refuses, as errors of ours; and what its replies hold. */
#include "redis_room.h"

#include "base/log.h"

/* --- refusals --- */

/* By the first word of an error; in what older servers say of a script it stands within. What is
 * not here is ERROR_STORE. */
static const struct meaning {
	const char *word;
	enum error_code code;
	const char *says; /* to an administrator */
} meanings[] = {
	{ "OOM", ERROR_STORE_FULL, "it is full (maxmemory)" },
	{ "MISCONF", ERROR_STORE_FULL, "it cannot write to its disk" },
	{ "LOADING", ERROR_STORE_DOWN, "it is still reading what it has on disk" },
	{ "MASTERDOWN", ERROR_STORE_DOWN, "it is a replica that has lost its primary" },
	{ "READONLY", ERROR_STORE_DOWN, "it is a replica, which takes no writes" },
	{ "NOREPLICAS", ERROR_STORE_DOWN, "it wants more replicas before it takes writes" },
	{ "CLUSTERDOWN", ERROR_STORE_DOWN, "its cluster is down" },
	{ "BUSY", ERROR_STORE_DOWN, "a script of somebody's keeps it busy" },
	{ "UNBLOCKED", ERROR_STORE_DOWN, "it became a replica" },
	{ "MOVED", ERROR_CONFIG, "it is one of a cluster; name the one that has our keys" },
	{ "NOAUTH", ERROR_CONFIG, "it wants a password" },
	{ "WRONGPASS", ERROR_CONFIG, "the user or the password is wrong" },
	{ "NOPERM", ERROR_CONFIG,
	  "this user may not do what c1d does; docs/how-to/store-redis.md names it" },
	{ "WRONGTYPE", ERROR_CORRUPT, "a key of ours holds something else" },
};

static const struct meaning *meaning_of(const char *text)
{
	bool is_script = strncmp(text, "ERR Error running script", 24) == 0;

	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		size_t len = strlen(meanings[i].word);

		if ((strncmp(text, meanings[i].word, len) == 0 && text[len] == ' ') ||
		    (is_script && strstr(text, meanings[i].word)))
			return &meanings[i];
	}
	return NULL;
}

/* An outage is met again and again and said once. */
static _Atomic(const struct meaning *) said;

void redis_is_back(void)
{
	atomic_store(&said, NULL);
}

/* Up to where Redis begins to quote: behind that may stand what somebody wrote. */
static struct slice reason_of(const char *text)
{
	return (struct slice){ text, strcspn(text, "'\"`,") };
}

/* What is refused in a call for what only an administrator mends is no fault of the call: the next
 * ping tells it as it is, and keeps others away until then. */
enum error_code redis_refused(const redisReply *reply, struct error *err)
{
	const struct meaning *meaning = meaning_of(reply->str);
	enum error_code code = meaning ? meaning->code : ERROR_STORE;
	bool lasts = code == ERROR_STORE_DOWN || code == ERROR_STORE_FULL || code == ERROR_CONFIG;

	if (!lasts || atomic_exchange(&said, meaning) != meaning)
		log_error("Redis refuses", LOG_S("reason", reason_of(reply->str)));
	if (meaning)
		error_set(err, code, "Redis refuses: %s.", meaning->says);
	else
		error_set(err, code, "Redis refuses: %.*s.", (int)strcspn(reply->str, " "),
			  reply->str);
	return code;
}

/* --- replies --- */

struct slice redis_slice(const redisReply *reply)
{
	return reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS)
		       ? (struct slice){ reply->str, (size_t)reply->len }
		       : SLICE("");
}

int64_t redis_number(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
}

size_t redis_count(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const redisReply *redis_element(const redisReply *reply, size_t at)
{
	return at < redis_count(reply) ? reply->element[at] : NULL;
}

bool redis_says(const redisReply *reply, const char *word)
{
	const redisReply *first = redis_element(reply, 0);

	return slice_is(redis_slice(first ? first : reply), word);
}

enum error_code redis_verdict(const redisReply *reply)
{
	static const struct {
		const char *word;
		enum error_code code;
	} verdicts[] = {
		{ "GONE", ERROR_NOT_FOUND },     { "DENIED", ERROR_ACCESS_DENIED },
		{ "CONFLICT", ERROR_CONFLICT },  { "CHANGED", ERROR_PRECONDITION },
		{ "NOTSAVED", ERROR_NOT_SAVED }, { "LOST", ERROR_CORRUPT },
	};

	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
		if (redis_says(reply, verdicts[i].word)) {
			if (verdicts[i].code == ERROR_CORRUPT)
				log_error("Redis has lost a part of what it was told, or somebody "
					  "else writes there");
			return verdicts[i].code;
		}
	return ERROR_NONE;
}
