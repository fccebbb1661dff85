/*
 * jwks_file: see jwks_file.h. A first line, and the text as it came:
 *
 *   keys 1790000000 19800 https://id.example/keys
 */
#include "jwks_file.h"

#include "base/table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define HEAD_MAX 4096

bool jwks_file_init(struct jwks_file *file, const char *folder, const char *url)
{
	int n = snprintf(file->path, sizeof file->path, "%s/token-keys-%016llx", folder,
			 (unsigned long long)table_hash_text(url));

	file->url = url;
	return n > 0 && (size_t)n < sizeof file->path - sizeof ".2147483647";
}

/* --- reading --- */

static bool is_as_seen(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool read_whole(int fd, struct buffer *text)
{
	char *to;
	ssize_t n;

	while ((to = buffer_reserve(text, 4096)) && (n = read(fd, to, 4096)) > 0)
		buffer_commit(text, (size_t)n);
	return to && n == 0;
}

/* Cuts the first line off. */
static bool read_head(const struct jwks_file *file, struct jwks_kept *kept, struct buffer *text)
{
	const char *end = text->data ? memchr(text->data, '\n', text->len) : NULL;
	long long came_s, max_age_s;
	int url = 0;

	if (!end || sscanf(text->data, "keys %lld %lld %n", &came_s, &max_age_s, &url) != 2 ||
	    !slice_is((struct slice){ text->data + url, (size_t)(end - text->data) - (size_t)url },
		      file->url))
		return false;
	kept->came_s = came_s;
	kept->max_age_s = max_age_s;
	buffer_consume(text, (size_t)(end - text->data) + 1);
	return true;
}

bool jwks_file_read(struct jwks_file *file, struct jwks_kept *kept, struct buffer *text)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat is;
	bool ok = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &is) == 0 && S_ISREG(is.st_mode) && !is_as_seen(&is, &file->seen)) {
		file->seen = is;
		ok = read_whole(fd, text) && read_head(file, kept, text);
	}
	close(fd);
	return ok;
}

/* --- writing --- */

static bool write_whole(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0)
			return false;
		bytes = slice_skip(bytes, (size_t)n);
	}
	return true;
}

bool jwks_file_write(struct jwks_file *file, const struct jwks_kept *kept, struct slice text,
		     struct error *err)
{
	char path[sizeof file->path], head[HEAD_MAX];
	int n = snprintf(head, sizeof head, "keys %lld %lld %s\n", (long long)kept->came_s,
			 (long long)kept->max_age_s, file->url);
	int fd;
	bool ok;

	snprintf(path, sizeof path, "%.*s.%d", (int)(sizeof path - sizeof ".2147483647"),
		 file->path, (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ok = fd >= 0 && write_whole(fd, (struct slice){ head, (size_t)n }) &&
	     write_whole(fd, text) && fstat(fd, &file->seen) == 0 && rename(path, file->path) == 0;
	if (!ok)
		error_set(err, ERROR_INTERNAL, "The token keys could not be kept: %s.",
			  strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!ok)
		unlink(path);
	return ok;
}
