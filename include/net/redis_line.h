/*
 * redis_line: one connection to Redis, for which nobody waits longer than he says: hiredis without
 * blocking, and poll(2) around it. One thread at a time.
 *
 * hiredis 0.14 aborts where memory fails it in the middle of a reply; 1.0 and later do not.
 */
#ifndef NET_REDIS_LINE_H
#define NET_REDIS_LINE_H

#include "base/error.h"
#include "config/redis_url.h"
#include <hiredis/hiredis.h>

#define REDIS_WORDS_MAX 24

/* A command: its words. One of the size 0 ends at its NUL. */
struct redis_words {
	const char *list[REDIS_WORDS_MAX];
	int count;
	size_t sizes[REDIS_WORDS_MAX];
};

/* Connected, signed in, with its database chosen. NULL with ERROR_OVERLOADED, or ERROR_CONFIG when
 * Redis lets us not in, and why, in words for an administrator. Blocks on the name server besides:
 * no request thread calls it. until_ms: monotonic. */
redisContext *redis_line_open(const struct redis_url *url, int64_t until_ms, struct error *err);
/* The reply, which freeReplyObject frees; it may be an error. NULL: the line is of no more use. */
redisReply *redis_line_ask(redisContext *line, const struct redis_words *words, int64_t until_ms);
void redis_line_close(redisContext *line); /* NULL is fine */

/* The two halves of it, for several commands in one go, and any number of words: each is kept until
 * the first reply is waited for. What is there already is taken, however late it is. */
bool redis_line_put(redisContext *line, const char *const *words, const size_t *sizes,
		    size_t count);
redisReply *redis_line_read(redisContext *line, int64_t until_ms);

/* Nothing came in since its last reply: neither its end nor anything that nobody asked for. */
bool redis_line_is_quiet(redisContext *line);

#endif
