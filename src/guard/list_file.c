/* list_file: see list_file.h. */
#include "list_file.h"

#include "base/clock.h"
#include "base/digits.h"
#include "state_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 1000 /* between two looks whether a file has changed */

/* Reasons that no call of the system has given. */
static const char *words_of(int reason)
{
	switch (reason) {
	case EINVAL: return "it is no file";
	case EPERM: return "others may write it (chmod 0600, and look what is in it)";
	case EWOULDBLOCK: return "another process holds the lock of the folder";
	default: return strerror(reason);
	}
}

static bool fail(const struct list_place *place, int reason, struct error *err)
{
	return error_set(err, error_of_errno(reason), "%s/%s: %s.", place->folder, place->name,
			 words_of(reason));
}

/* --- reading --- */

/* 0, or the errno. */
static int read_all(int fd, struct buffer *out)
{
	char piece[4096];
	struct stat about;
	ssize_t n;

	if (fstat(fd, &about) != 0)
		return errno;
	if (!S_ISREG(about.st_mode))
		return EINVAL;
	if (about.st_mode & (S_IWGRP | S_IWOTH)) /* then anybody may have written it */
		return EPERM;
	while ((n = read(fd, piece, sizeof piece)) > 0)
		if (!buffer_append(out, (struct slice){ piece, (size_t)n }))
			return EFBIG;
	return n < 0 ? errno : 0;
}

/* 0, or the errno. The service's own user may have put anything there while root reads it: no link
 * is followed, nothing that could make it wait is opened. */
static int read_in(int folder, const char *name, struct buffer *out)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), reason;

	if (fd < 0)
		return errno == ENOENT ? 0 : errno;
	reason = read_all(fd, out);
	close(fd);
	return reason;
}

bool list_file_read(const struct list_place *place, struct buffer *out, struct error *err)
{
	int folder = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), reason;

	if (folder < 0)
		return errno == ENOENT || fail(place, errno, err);
	reason = read_in(folder, place->name, out);
	close(folder);
	return reason == 0 || fail(place, reason, err);
}

/* --- changing --- */

static bool change_in(int folder, const struct list_place *place, list_change *change, void *ctx,
		      struct error *err)
{
	struct buffer old, text;
	char beside[64];
	int reason;
	bool ok;

	buffer_init(&old, LIST_FILE_MAX);
	buffer_init(&text, LIST_FILE_MAX);
	reason = read_in(folder, place->name, &old);
	ok = reason == 0 ? change(ctx, buffer_slice(&old), &text, err) : fail(place, reason, err);
	if (ok && text.failed)
		ok = error_set(err, ERROR_INTERNAL, "No memory, or %s would be too large.",
			       place->name);
	snprintf(beside, sizeof beside, ".%s.new", place->name);
	if (ok &&
	    (reason = state_file_replace(folder, place->name, beside, buffer_slice(&text))) != 0)
		ok = fail(place, reason, err);
	buffer_done(&old);
	buffer_done(&text);
	return ok;
}

bool list_file_change(const struct list_place *place, list_change *change, void *ctx,
		      struct error *err)
{
	int folder, reason;
	bool ok;

	if (mkdir(place->folder, 0750) != 0 && errno != EEXIST)
		return fail(place, errno, err);
	folder = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return fail(place, errno, err);
	reason = state_file_lock(folder);
	ok = reason == 0 ? change_in(folder, place, change, ctx, err) : fail(place, reason, err);
	close(folder); /* and with it the lock goes */
	return ok;
}

/* --- lines --- */

bool list_line(struct slice *rest, struct slice *line, int *number)
{
	while (rest->len > 0) {
		const char *end = memchr(rest->ptr, '\n', rest->len);
		size_t len = end ? (size_t)(end - rest->ptr) : rest->len;

		*line = (struct slice){ rest->ptr, len };
		*rest = slice_skip(*rest, end ? len + 1 : len);
		++*number;
		if (line->len > 0 && line->ptr[0] != '#')
			return true;
	}
	return false;
}

size_t list_lines(struct slice text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

struct slice list_word(struct slice *line)
{
	const char *end = memchr(line->ptr, ' ', line->len);
	size_t len = end ? (size_t)(end - line->ptr) : line->len;
	struct slice word = { line->ptr, len };

	*line = slice_skip(*line, end ? len + 1 : len);
	return word;
}

bool list_number(struct slice word, int64_t *out)
{
	return digits_read(word, 15, out);
}

/* --- watching --- */

bool list_watch_changed(struct list_watch *watch, const struct list_place *place, bool at_once)
{
	struct list_watch now = { .next_ms = clock_mono_ms() + LOOK_MS, .looked = true };
	char path[4096];
	struct stat about;
	bool changed;

	if (watch->looked && !at_once && now.next_ms - LOOK_MS < watch->next_ms)
		return false;
	snprintf(path, sizeof path, "%s/%s", place->folder, place->name);
	if (lstat(path, &about) == 0) {
		now.inode = about.st_ino;
		now.size = (uint64_t)about.st_size;
		now.changed_ns = about.st_ctim.tv_sec * 1000000000LL + about.st_ctim.tv_nsec;
	}
	changed = !watch->looked || now.inode != watch->inode || now.size != watch->size ||
		  now.changed_ns != watch->changed_ns;
	*watch = now;
	return changed;
}

void list_watch_again(struct list_watch *watch)
{
	watch->changed_ns = -1;
}
