/* copy_journal: see copy_journal.h. */
#include "copy_journal.h"

#include "lines.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define MAGIC    "c1d-copy 1 "
#define TEXT_MAX ((size_t)1 << 20)

/* --- the ids --- */

static bool remember(struct journal *journal, const char *thread_id, struct error *err)
{
	if (journal->count == journal->room) {
		size_t room = journal->room ? 2 * journal->room : 1024;
		struct siphash *put = realloc(journal->put, room * sizeof *put);

		if (!put)
			return error_set(err, ERROR_OVERLOADED, "No memory for the journal.");
		journal->put = put;
		journal->room = room;
	}
	journal->put[journal->count++] = siphash(journal->key, slice_of(thread_id));
	return true;
}

static int by_value(const void *a, const void *b)
{
	const struct siphash *x = a, *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b < y->b ? -1 : x->b > y->b;
}

bool journal_has(struct journal *journal, const char *thread_id)
{
	struct siphash hash = siphash(journal->key, slice_of(thread_id));

	if (journal->sorted < journal->count) {
		qsort(journal->put, journal->count, sizeof *journal->put, by_value);
		journal->sorted = journal->count;
	}
	return journal->count > 0 &&
	       bsearch(&hash, journal->put, journal->count, sizeof *journal->put, by_value) != NULL;
}

/* --- reading --- */

static bool not_ours(const char *path, struct error *err)
{
	return error_set(err, ERROR_CONFIG,
			 "%.150s is no journal of this copy: name another file with --state, or "
			 "remove it.",
			 path);
}

static bool read_entry(struct journal *journal, struct slice line, struct error *err)
{
	char id[ID_MAX + 1];
	struct slice name = line.len > 2 ? slice_skip(line, 2) : SLICE("");

	if (!id_valid(name) || line.ptr[1] != ' ')
		return false;
	memcpy(id, name.ptr, name.len);
	id[name.len] = '\0';
	if (line.ptr[0] == '+')
		return remember(journal, id, err);
	memcpy(journal->through, id, sizeof id);
	return line.ptr[0] == '=';
}

/* The first line, or the beginning of it that a crash left: nobody's other file is cut off. */
static bool is_head(struct slice line, const char *id, bool cut)
{
	char head[sizeof MAGIC + ID_MAX];
	int len = snprintf(head, sizeof head, MAGIC "%s", id);
	struct slice whole = { head, (size_t)len };

	return cut ? slice_starts(whole, line) : slice_equal(whole, line);
}

/* *good: how many bytes of it are whole lines. */
static bool read_entries(struct journal *journal, const char *path, const char *id, int64_t *good,
			 struct error *err)
{
	struct slice line = { 0 };
	struct lines lines;
	enum lines_got got;
	bool ok = true;

	*good = 0;
	lines_init(&lines, journal->fd, NULL);
	while (ok && (got = lines_next(&lines, &line, err)) == LINES_LINE) {
		ok = lines.number == 1 ? is_head(line, id, false) : read_entry(journal, line, err);
		*good += (int64_t)line.len + 1;
	}
	if (ok && got == LINES_CUT && lines.number == 1)
		ok = is_head(line, id, true);
	lines_done(&lines);
	if (ok && (got == LINES_END || got == LINES_CUT))
		return true;
	return (err && err->code == ERROR_OVERLOADED) ? false : not_ours(path, err);
}

static bool lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool add(struct journal *journal, const struct buffer *text, struct error *err)
{
	size_t at = 0;

	if (text->failed)
		return error_set(err, ERROR_OVERLOADED, "No memory for the journal.");
	while (at < text->len) {
		ssize_t n = write(journal->fd, text->data + at, text->len - at);

		if (n < 0 && errno != EINTR)
			return error_set(err, ERROR_CONFIG, "The journal cannot be written: %s.",
					 strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	return fdatasync(journal->fd) == 0 ||
	       error_set(err, ERROR_CONFIG, "The journal cannot be written: %s.", strerror(errno));
}

static bool begin(struct journal *journal, const char *id, struct error *err)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, TEXT_MAX);
	buffer_appendf(&text, MAGIC "%s\n", id);
	ok = add(journal, &text, err);
	buffer_done(&text);
	return ok;
}

bool journal_open(struct journal *journal, const char *path, const char *id, struct error *err)
{
	int64_t good = 0;
	bool ok;

	*journal = (struct journal){ .fd = -1 };
	if (getrandom(journal->key, sizeof journal->key, 0) != (ssize_t)sizeof journal->key)
		return error_set(err, ERROR_INTERNAL, "No random numbers.");
	journal->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (journal->fd < 0)
		return error_set(err, ERROR_CONFIG,
				 "The journal %.120s cannot be made: %s; name a file with --state.",
				 path, strerror(errno));
	if (!lock(journal->fd))
		ok = error_set(err, ERROR_CONFIG, "This copy runs already (%.150s is locked).",
			       path);
	else
		ok = read_entries(journal, path, id, &good, err) &&
		     (ftruncate(journal->fd, good) == 0 ||
		      error_set(err, ERROR_CONFIG, "The journal cannot be written: %s.",
				strerror(errno))) &&
		     (good > 0 || begin(journal, id, err));
	if (!ok)
		journal_close(journal);
	return ok;
}

void journal_close(struct journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal->put);
	*journal = (struct journal){ .fd = -1 };
}

/* --- writing --- */

bool journal_putting(struct journal *journal, const struct thread *threads, size_t count,
		     struct error *err)
{
	struct buffer text;
	bool ok = true;

	buffer_init(&text, TEXT_MAX);
	for (size_t i = 0; ok && i < count; i++) {
		ok = remember(journal, threads[i].id, err);
		buffer_appendf(&text, "+ %s\n", threads[i].id);
	}
	ok = ok && add(journal, &text, err);
	buffer_done(&text);
	return ok;
}

bool journal_through(struct journal *journal, const char *thread_id, struct error *err)
{
	struct buffer text;
	bool ok;

	buffer_init(&text, TEXT_MAX);
	buffer_appendf(&text, "= %s\n", thread_id);
	ok = add(journal, &text, err);
	buffer_done(&text);
	if (ok)
		snprintf(journal->through, sizeof journal->through, "%s", thread_id);
	return ok;
}
