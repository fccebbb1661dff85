/* secret_file: see secret_file.h. */
#include "secret_file.h"

#include "base/clock.h"
#include "base/digits.h"
#include "state_file.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME      "secret"
#define NEW_NAME  "secret.new"
#define HEX_LEN   ((size_t)2 * SECRET_SIZE)
#define LINE_MIN  (HEX_LEN + 2) /* bytes of a line without its end: a key and when it was made */
#define LINE_SIZE 96            /* with it, at most */
#define FILE_MAX  ((size_t)SECRETS_MAX * LINE_SIZE)
#define KEPT_S    (400 * 86400) /* behind its successor: a cookie's life */

/* --- reading --- */

static bool cannot(struct error *err, int reason, const char *what)
{
	return error_set(err, error_of_errno(reason),
			 "The %sstate folder (C1D_STATE_DIR) cannot be used: %s.", what,
			 strerror(reason));
}

static bool damaged(struct error *err, size_t line)
{
	return error_set(err, ERROR_CONFIG,
			 "The file `" NAME
			 "` of the state folder (C1D_STATE_DIR) is damaged in line %zu. Put back a "
			 "copy; if there is none, remove it: a new one is made, and every visitor "
			 "is a new one.",
			 line);
}

bool secret_key_read(const char *hex, size_t len, unsigned char key[SECRET_SIZE])
{
	return hex_read((struct slice){ hex, len }, key, SECRET_SIZE);
}

static bool read_line(const char *line, size_t len, struct secret *out)
{
	const struct slice made = { line + HEX_LEN + 1, len - HEX_LEN - 1 };

	return made.ptr[-1] == ' ' && digits_read(made, 12, &out->made_s) &&
	       secret_key_read(line, HEX_LEN, out->key);
}

static bool read_lines(const char *text, size_t len, struct secret_set *out, struct error *err)
{
	const char *end = text + len;

	for (out->count = 0; text < end; out->count++) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));

		if (!line_end || out->count == SECRETS_MAX ||
		    line_end - text < (ptrdiff_t)LINE_MIN ||
		    !read_line(text, (size_t)(line_end - text), &out->items[out->count]))
			return damaged(err, out->count + 1);
		text = line_end + 1;
	}
	return out->count > 0 || damaged(err, 1);
}

/* Who can read it can be any visitor; who can write it, too. */
static bool is_private(const struct stat *is, struct error *err)
{
	if (!S_ISREG(is->st_mode))
		return error_set(err, ERROR_CONFIG,
				 "`" NAME "` of the state folder (C1D_STATE_DIR) is no file.");
	if (is->st_mode & 077)
		return error_set(
			err, ERROR_CONFIG,
			"The file `" NAME
			"` of the state folder (C1D_STATE_DIR) has mode %04o: others may "
			"read or write it. chmod 0600; if somebody may have read it remove "
			"it: then every visitor is a new one.",
			(unsigned)is->st_mode & 07777);
	if (is->st_uid != geteuid() && geteuid() != 0)
		return error_set(err, ERROR_CONFIG,
				 "The file `" NAME
				 "` of the state folder (C1D_STATE_DIR) is another user's.");
	return true;
}

/* Not its last access, which a backup changes; its mode, too. */
static struct secret_stamp stamp_of(const struct stat *is)
{
	return (struct secret_stamp){ is->st_dev, is->st_ino, is->st_size, is->st_ctim };
}

static bool read_open(int fd, struct secret_set *out, struct error *err)
{
	char text[FILE_MAX];
	struct stat is;
	ssize_t n;
	bool ok;

	if (fstat(fd, &is) != 0)
		return cannot(err, errno, "file `" NAME "` of the ");
	if (!is_private(&is, err))
		return false;
	out->stamp = stamp_of(&is);
	n = read(fd, text, FILE_MAX);
	if (n < 0)
		return cannot(err, errno, "file `" NAME "` of the ");
	ok = read_lines(text, (size_t)n, out, err);
	OPENSSL_cleanse(text, sizeof text);
	return ok;
}

static bool read_in(int folder, struct secret_set *out, struct error *err)
{
	int fd = openat(folder, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool ok;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERROR_NOT_FOUND,
				 "There is no file `" NAME
				 "` in the state folder (C1D_STATE_DIR); the service makes it at "
				 "its first start.");
	if (fd < 0)
		return cannot(err, errno, "file `" NAME "` of the ");
	ok = read_open(fd, out, err);
	close(fd);
	return ok;
}

static int open_folder(const char *state_dir, struct error *err)
{
	int folder = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		cannot(err, errno, "");
	return folder;
}

bool secret_file_read(const char *state_dir, struct secret_set *out, struct error *err)
{
	int folder = open_folder(state_dir, err);
	bool ok;

	if (folder < 0)
		return false;
	ok = read_in(folder, out, err);
	close(folder);
	return ok;
}

struct secret_stamp secret_file_stamp(const char *state_dir)
{
	int folder = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok;
	struct stat is;

	ok = folder >= 0 && fstatat(folder, NAME, &is, AT_SYMLINK_NOFOLLOW) == 0;
	if (folder >= 0)
		close(folder);
	return ok ? stamp_of(&is) : (struct secret_stamp){ .size = 0 };
}

bool secret_stamps_equal(const struct secret_stamp *a, const struct secret_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* --- writing, under the lock --- */

static bool lock(int folder, struct error *err)
{
	int reason = state_file_lock(folder);

	if (reason == EWOULDBLOCK)
		return error_set(err, ERROR_INTERNAL,
				 "Another process holds the lock of the state folder.");
	return reason == 0 || cannot(err, reason, "lock of the ");
}

static size_t write_lines(const struct secret_set *set, char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++) {
		for (int k = 0; k < SECRET_SIZE; k++)
			n += (size_t)sprintf(text + n, "%02x", set->items[i].key[k]);
		n += (size_t)sprintf(text + n, " %lld\n", (long long)set->items[i].made_s);
	}
	return n;
}

static bool write_in(int folder, const struct secret_set *set, struct error *err)
{
	char text[FILE_MAX + 1]; /* and sprintf's NUL */
	int reason = state_file_replace(folder, NAME, NEW_NAME,
					(struct slice){ text, write_lines(set, text) });

	OPENSSL_cleanse(text, sizeof text);
	return !reason || cannot(err, reason, "file `" NAME "` of the ");
}

/* --- changing --- */

static bool put_in_front(struct secret_set *set, struct error *err)
{
	struct secret fresh = { .made_s = clock_wall_ms() / 1000 };

	if (getrandom(fresh.key, SECRET_SIZE, 0) != SECRET_SIZE)
		return error_set(err, ERROR_INTERNAL, "The system gives no random bytes.");
	memmove(set->items + 1, set->items, set->count * sizeof set->items[0]);
	set->items[0] = fresh;
	set->count++;
	OPENSSL_cleanse(&fresh, sizeof fresh);
	return true;
}

/* One that has had a successor for so long. */
static void drop_old(struct secret_set *set)
{
	int64_t now_s = clock_wall_ms() / 1000;

	while (set->count > 1 && now_s - set->items[set->count - 2].made_s > KEPT_S)
		set->count--;
}

static bool rotate_in(int folder, int64_t older_s, bool *rotated, struct error *err)
{
	struct secret_set set = { .count = 0 };
	bool ok = read_in(folder, &set, err);

	*rotated = ok && clock_wall_ms() / 1000 - set.items[0].made_s >= older_s;
	if (*rotated) {
		drop_old(&set);
		ok = (set.count < SECRETS_MAX ||
		      error_set(err, ERROR_CONFLICT,
				"There are %d secrets already, each of them made or still in use "
				"within 400 days; a further one would sign visitors out.",
				SECRETS_MAX)) &&
		     put_in_front(&set, err) && write_in(folder, &set, err);
	}
	OPENSSL_cleanse(&set, sizeof set);
	return ok;
}

bool secret_file_rotate(const char *state_dir, int64_t older_s, bool *rotated, struct error *err)
{
	int folder = open_folder(state_dir, err);
	bool ok;

	if (folder < 0)
		return false;
	ok = lock(folder, err) && rotate_in(folder, older_s, rotated, err);
	close(folder);
	return ok;
}

/* Many workers start at once: one of them makes it. */
static bool make_in(int folder, struct secret_set *out, struct error *err)
{
	struct error mine = { 0 };

	if (!lock(folder, err))
		return false;
	if (read_in(folder, out, &mine))
		return true;
	if (mine.code == ERROR_NOT_FOUND) {
		out->count = 0;
		return put_in_front(out, err) && write_in(folder, out, err) &&
		       read_in(folder, out, err);
	}
	*err = mine;
	return false;
}

bool secret_file_open(const char *state_dir, struct secret_set *out, struct error *err)
{
	struct error mine = { 0 };
	int folder;
	bool ok;

	if (mkdir(state_dir, 0750) != 0 && errno != EEXIST)
		return cannot(err, errno, "");
	if ((folder = open_folder(state_dir, err)) < 0)
		return false;
	ok = read_in(folder, out, &mine) ||
	     (mine.code == ERROR_NOT_FOUND && make_in(folder, out, &mine));
	if (!ok && err)
		*err = mine;
	close(folder);
	return ok;
}
