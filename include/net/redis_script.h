/*
 * redis_script: a script that runs in Redis, called by its name there: the SHA-1 of its text.
 *
 * Any thread, once it is made; a line is one thread's.
 */
#ifndef NET_REDIS_SCRIPT_H
#define NET_REDIS_SCRIPT_H

#include "net/redis_line.h"

struct redis_script {
	const char *text; /* static */
	char name[41];
};

bool redis_script_make(const char *text, struct redis_script *out, struct error *err);
/* So that Redis knows it. ERROR_OVERLOADED: it takes none, or does not answer. */
bool redis_script_load(const struct redis_script *script, redisContext *line, int64_t until_ms,
		       struct error *err);
/* As redis_line_ask. The first two words are free: they are set here. Redis forgets scripts when it
 * starts anew, or is told to: then it is sent again. */
redisReply *redis_script_run(const struct redis_script *script, redisContext *line,
			     struct redis_words *words, int64_t until_ms);

#endif
