/*
 * redis_lines: lines to Redis. Idle ones lie on a stack; who finds none there waits for one to come
 * back, or for the keeper, a thread of its own, to open another: asking the name server may take
 * long, and a caller waits no longer than he may.
 *
 * Who waits fails as soon as a line could not be opened that was begun behind his coming.
 */
#include "redis_room.h"

#include "base/clock.h"
#include "base/cond.h"
#include <pthread.h>
#include <stdlib.h>

#define CONNECT_MS 2000

struct redis_lines {
	const struct redis_url *url;
	pthread_t keeper;
	bool has_keeper;
	pthread_mutex_t lock;  /* of all below */
	pthread_cond_t came;   /* one is idle, or could not be opened */
	pthread_cond_t wanted; /* the keeper has something to do */
	redisContext *idle[REDIS_LINES_MAX];
	size_t size, idle_count, open_count, waiting;
	unsigned long begun, failed; /* numbers of tries; failed: the last that did */
	struct error why;            /* it failed */
	bool ends;
};

/* --- the keeper --- */

/* One that somebody is at the other end of: for a Redis that stands still the kernel takes
 * connections, too. */
static redisContext *open_line(const struct redis_url *url, struct error *err)
{
	const struct redis_words ping = { .list = { "PING" }, .count = 1 };
	int64_t until_ms = clock_mono_ms() + CONNECT_MS;
	redisContext *line = redis_line_open(url, until_ms, err);
	redisReply *reply = line ? redis_line_ask(line, &ping, until_ms) : NULL;

	if (line && !reply) {
		error_set(err, ERROR_OVERLOADED, "Redis does not answer.");
		redis_line_close(line);
		line = NULL;
	}
	freeReplyObject(reply);
	return line;
}

static bool is_wanted(const struct redis_lines *lines)
{
	return lines->waiting > lines->idle_count && lines->open_count < lines->size;
}

static void open_another(struct redis_lines *lines)
{
	unsigned long number = ++lines->begun;
	struct error err = { 0 };
	redisContext *line;

	pthread_mutex_unlock(&lines->lock);
	line = open_line(lines->url, &err);
	pthread_mutex_lock(&lines->lock);
	if (line) {
		lines->idle[lines->idle_count++] = line;
		lines->open_count++;
	} else {
		lines->failed = number;
		lines->why = err;
	}
	pthread_cond_broadcast(&lines->came);
}

static void *keep(void *arg)
{
	struct redis_lines *lines = arg;

	pthread_mutex_lock(&lines->lock);
	while (!lines->ends) {
		if (is_wanted(lines))
			open_another(lines);
		else
			pthread_cond_wait(&lines->wanted, &lines->lock);
	}
	pthread_mutex_unlock(&lines->lock);
	return NULL;
}

/* --- life --- */

struct redis_lines *redis_lines_open(const struct redis_url *url, size_t most)
{
	struct redis_lines *lines = calloc(1, sizeof *lines);

	if (!lines)
		return NULL;
	lines->url = url;
	lines->size = most;
	pthread_mutex_init(&lines->lock, NULL);
	cond_init(&lines->came);
	cond_init(&lines->wanted);
	lines->has_keeper = pthread_create(&lines->keeper, NULL, keep, lines) == 0;
	if (lines->has_keeper)
		return lines;
	redis_lines_free(lines);
	return NULL;
}

void redis_lines_free(struct redis_lines *lines)
{
	if (!lines)
		return;
	if (lines->has_keeper) {
		pthread_mutex_lock(&lines->lock);
		lines->ends = true;
		pthread_cond_signal(&lines->wanted);
		pthread_mutex_unlock(&lines->lock);
		pthread_join(lines->keeper, NULL);
	}
	while (lines->idle_count > 0)
		redis_line_close(lines->idle[--lines->idle_count]);
	pthread_cond_destroy(&lines->came);
	pthread_cond_destroy(&lines->wanted);
	pthread_mutex_destroy(&lines->lock);
	free(lines);
}

/* --- lines --- */

/* One that Redis has closed meanwhile, as when it was started anew, is of no use. */
static redisContext *take_idle(struct redis_lines *lines)
{
	while (lines->idle_count > 0) {
		redisContext *line = lines->idle[--lines->idle_count];

		if (redis_line_is_quiet(line))
			return line;
		redis_line_close(line);
		lines->open_count--;
	}
	return NULL;
}

enum error_code redis_lines_take(struct redis_lines *lines, int64_t until_ms, redisContext **line,
				 struct error *err)
{
	enum error_code code = ERROR_NONE;
	unsigned long before;
	bool waits = true;

	pthread_mutex_lock(&lines->lock);
	before = lines->begun;
	lines->waiting++;
	while (!(*line = take_idle(lines)) && waits && lines->failed <= before) {
		pthread_cond_signal(&lines->wanted);
		waits = cond_wait_until(&lines->came, &lines->lock, until_ms);
	}
	lines->waiting--;
	if (!*line && lines->failed > before) {
		code = lines->why.code == ERROR_CONFIG ? ERROR_CONFIG : ERROR_STORE_DOWN;
		if (err)
			*err = lines->why;
	} else if (!*line) {
		code = lines->open_count < lines->size ? ERROR_STORE_DOWN : ERROR_OVERLOADED;
	}
	pthread_mutex_unlock(&lines->lock);
	return code;
}

/* Those that are idle are as good as one that failed. */
static void close_all(struct redis_lines *lines, redisContext *failed)
{
	redis_line_close(failed);
	lines->open_count -= lines->idle_count + 1;
	while (lines->idle_count > 0)
		redis_line_close(lines->idle[--lines->idle_count]);
}

void redis_lines_give(struct redis_lines *lines, redisContext *line, bool is_good)
{
	pthread_mutex_lock(&lines->lock);
	if (is_good)
		lines->idle[lines->idle_count++] = line;
	else
		close_all(lines, line);
	pthread_cond_signal(&lines->came);
	pthread_mutex_unlock(&lines->lock);
}
