/* lines: see lines.h. */
#include "lines.h"

#include "admin/record.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)256 << 10)
#define LOOK_MS   500

void lines_init(struct lines *lines, int fd, const struct watch *watch)
{
	*lines = (struct lines){ .fd = fd, .watch = watch };
	buffer_init(&lines->in, RECORD_MAX + READ_SIZE);
}

void lines_done(struct lines *lines)
{
	buffer_done(&lines->in);
}

/* A pipe that says nothing must not keep who wants to stop. */
static bool wait_for_more(const struct lines *lines, struct error *err)
{
	struct pollfd in = { .fd = lines->fd, .events = POLLIN };

	if (!lines->watch)
		return true;
	do
		if (!watch_goes_on(lines->watch, err))
			return false;
	while (poll(&in, 1, LOOK_MS) == 0 || (in.revents == 0 && errno == EINTR));
	return true;
}

/* More bytes behind those that are there; what was given out is dropped. */
static bool more(struct lines *lines, struct error *err)
{
	char *room;
	ssize_t n;

	buffer_consume(&lines->in, lines->at);
	lines->at = 0;
	if (!(room = buffer_reserve(&lines->in, READ_SIZE)))
		return error_set(err, ERROR_OVERLOADED, "No memory for a line.");
	if (!wait_for_more(lines, err))
		return false;
	while ((n = read(lines->fd, room, READ_SIZE)) < 0)
		if (errno != EINTR)
			return error_set(err, ERROR_INTERNAL, "It cannot be read: %s.",
					 strerror(errno));
	buffer_commit(&lines->in, (size_t)n);
	lines->bytes += n;
	lines->ended = n == 0;
	return true;
}

/* The line from `at` up to len bytes, and its end when it has one. */
static enum lines_got give(struct lines *lines, size_t len, bool has_end, struct slice *out)
{
	bool over_long = lines->over_long;

	*out = (struct slice){ buffer_slice(&lines->in).ptr + lines->at, len };
	lines->at += len + has_end;
	lines->looked = 0;
	lines->over_long = false;
	lines->number++;
	return over_long ? LINES_TOO_LONG : has_end ? LINES_LINE : LINES_CUT;
}

enum lines_got lines_next(struct lines *lines, struct slice *out, struct error *err)
{
	for (;;) {
		size_t have = lines->in.len - lines->at;
		const char *from = buffer_slice(&lines->in).ptr + lines->at;
		const char *end = have > lines->looked
					  ? memchr(from + lines->looked, '\n', have - lines->looked)
					  : NULL;

		if (end)
			return give(lines, (size_t)(end - from), true, out);
		if (lines->ended)
			return have == 0 && !lines->over_long ? LINES_END
							      : give(lines, have, false, out);
		if (have > RECORD_MAX) { /* its rest is read to be thrown away */
			lines->over_long = true;
			lines->at += have;
			have = 0;
		}
		lines->looked = have;
		if (!more(lines, err))
			return LINES_FAILED;
	}
}
