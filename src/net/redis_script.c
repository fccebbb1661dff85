/* redis_script: see net/redis_script.h. */
#include "net/redis_script.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

bool redis_script_make(const char *text, struct redis_script *out, struct error *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (!EVP_Digest(text, strlen(text), sum, &size, EVP_sha1(), NULL) || size != 20)
		return error_set(err, ERROR_INTERNAL, "No memory for a script of Redis.");
	out->text = text;
	for (unsigned i = 0; i < size; i++)
		snprintf(out->name + 2 * i, 3, "%02x", sum[i]);
	return true;
}

bool redis_script_load(const struct redis_script *script, redisContext *line, int64_t until_ms,
		       struct error *err)
{
	const struct redis_words load = { .list = { "SCRIPT", "LOAD", script->text }, .count = 3 };
	redisReply *reply = redis_line_ask(line, &load, until_ms);
	bool ok =
		reply && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, script->name) == 0;

	if (!reply)
		error_set(err, ERROR_OVERLOADED, "Redis does not answer.");
	else if (!ok)
		error_set(err, ERROR_OVERLOADED, "Redis takes no script: %.*s.",
			  reply->str ? (int)strcspn(reply->str, " ") : 0,
			  reply->str ? reply->str : "");
	freeReplyObject(reply);
	return ok;
}

redisReply *redis_script_run(const struct redis_script *script, redisContext *line,
			     struct redis_words *words, int64_t until_ms)
{
	redisReply *reply;

	words->list[0] = "EVALSHA";
	words->list[1] = script->name;
	reply = redis_line_ask(line, words, until_ms);
	if (!reply || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOSCRIPT", 8) != 0)
		return reply;
	freeReplyObject(reply);
	words->list[0] = "EVAL";
	words->list[1] = script->text;
	return redis_line_ask(line, words, until_ms);
}
