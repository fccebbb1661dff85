/* redis_line: see net/redis_line.h. */
#include "net/redis_line.h"

#include "base/clock.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LATE_READS 64 /* of what is there when the time is over: a mebibyte */

/* Looks once also when it is too late. */
static bool wait_for(int fd, short events, int64_t until_ms)
{
	struct pollfd what = { .fd = fd, .events = events };

	for (;;) {
		int64_t left_ms = until_ms - clock_mono_ms();
		int found = poll(&what, 1, left_ms > 0 ? (int)left_ms : 0);

		if (found >= 0 || errno != EINTR)
			return found > 0;
	}
}

/* --- asking --- */

static bool send_all(redisContext *line, int64_t until_ms)
{
	int done = 0;

	while (redisBufferWrite(line, &done) == REDIS_OK) {
		if (done)
			return true;
		if (!wait_for(line->fd, POLLOUT, until_ms))
			return false;
	}
	return false;
}

bool redis_line_put(redisContext *line, const char *const *words, const size_t *sizes, size_t count)
{
	/* hiredis 0.14 wants its words without const and does not touch them. */
	const char **list = (const char **)(uintptr_t)words;

	return redisAppendCommandArgv(line, (int)count, list, sizes) == REDIS_OK;
}

static bool put_words(redisContext *line, const struct redis_words *words)
{
	size_t sizes[REDIS_WORDS_MAX];

	for (int i = 0; i < words->count; i++)
		sizes[i] = words->sizes[i] > 0 ? words->sizes[i] : strlen(words->list[i]);
	return redis_line_put(line, words->list, sizes, (size_t)words->count);
}

redisReply *redis_line_read(redisContext *line, int64_t until_ms)
{
	void *reply = NULL;
	int late = 0;

	if (!send_all(line, until_ms))
		return NULL;
	while (redisGetReplyFromReader(line, &reply) == REDIS_OK) {
		if (reply)
			return reply;
		late += clock_mono_ms() >= until_ms;
		if (late > LATE_READS || !wait_for(line->fd, POLLIN, until_ms) ||
		    redisBufferRead(line) != REDIS_OK)
			return NULL;
	}
	return NULL;
}

redisReply *redis_line_ask(redisContext *line, const struct redis_words *words, int64_t until_ms)
{
	return put_words(line, words) ? redis_line_read(line, until_ms) : NULL;
}

bool redis_line_is_quiet(redisContext *line)
{
	struct pollfd what = { .fd = line->fd, .events = POLLIN };

	return poll(&what, 1, 0) == 0;
}

/* --- opening --- */

static bool is_connected(redisContext *line, int64_t until_ms)
{
	socklen_t size = sizeof(int);
	int reason = 0;

	return wait_for(line->fd, POLLOUT, until_ms) &&
	       getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &reason, &size) == 0 && reason == 0;
}

/* Of an error of Redis the first word alone is told: what follows may name what we sent. */
static bool is_agreed(redisContext *line, const struct redis_words *words, int64_t until_ms,
		      struct error *err)
{
	redisReply *reply = redis_line_ask(line, words, until_ms);
	bool ok = reply && reply->type != REDIS_REPLY_ERROR;

	if (!reply)
		error_set(err, ERROR_OVERLOADED, "Redis does not answer.");
	else if (!ok)
		error_set(err, ERROR_CONFIG, "Redis refuses %s: %.*s.", words->list[0],
			  (int)strcspn(reply->str, " "), reply->str);
	freeReplyObject(reply);
	return ok;
}

static bool sign_in(redisContext *line, const struct redis_url *url, int64_t until_ms,
		    struct error *err)
{
	struct redis_words words = { .list = { "AUTH" }, .count = 1 };

	if (!url->password)
		return true;
	if (url->user)
		words.list[words.count++] = url->user;
	words.list[words.count++] = url->password;
	return is_agreed(line, &words, until_ms, err);
}

static bool choose_database(redisContext *line, const struct redis_url *url, int64_t until_ms,
			    struct error *err)
{
	char number[16];

	snprintf(number, sizeof number, "%d", url->database);
	return url->database == 0 ||
	       is_agreed(line, &(struct redis_words){ .list = { "SELECT", number }, .count = 2 },
			 until_ms, err);
}

redisContext *redis_line_open(const struct redis_url *url, int64_t until_ms, struct error *err)
{
	redisContext *line = url->path ? redisConnectUnixNonBlock(url->path)
				       : redisConnectNonBlock(url->host, url->port);

	if (!line || line->err || !is_connected(line, until_ms))
		error_set(err, ERROR_OVERLOADED, "Redis cannot be reached.");
	else if (sign_in(line, url, until_ms, err) && choose_database(line, url, until_ms, err))
		return line;
	redis_line_close(line);
	return NULL;
}

void redis_line_close(redisContext *line)
{
	if (line)
		redisFree(line);
}
