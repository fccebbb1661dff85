/*
 * sqlite_backup: the file as of one moment, in another file, while it is written: a read
 * transaction holds the moment, and writers go on in the log. Under a name of its own until it is
 * whole, checked and on the disk (https://www.sqlite.org/backup.html).
 */
#include "sqlite_room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define PAGES_A_STEP 64
#define WAIT_MS      4000 /* for whoever holds the file for himself */

struct copying {
	sqlite3 *from, *to;
	const char *path;
	char part[PATH_MAX]; /* what is not whole yet */
	int64_t page_size;
	const struct store_watch *watch;
};

static bool fail(sqlite3 *db, struct error *err)
{
	return error_set(err, sqlite_failed(db), "%.150s.", sqlite3_errmsg(db));
}

static bool fail_file(const char *path, struct error *err)
{
	enum error_code code = errno == EEXIST                      ? ERROR_CONFLICT
			       : errno == ENOSPC || errno == EDQUOT ? ERROR_STORE_FULL
								    : ERROR_STORE;

	return error_set(err, code, "%.120s: %s.", path, strerror(errno));
}

/* --- the two files --- */

/* 0: it cannot be read. */
static int64_t page_size_of(sqlite3 *db)
{
	sqlite3_stmt *query = NULL;
	int64_t size = 0;

	if (sqlite3_prepare_v2(db,
			       "SELECT page_size, (SELECT count(*) FROM sqlite_schema)"
			       " FROM pragma_page_size",
			       -1, &query, NULL) == SQLITE_OK &&
	    sqlite3_step(query) == SQLITE_ROW)
		size = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return size;
}

static bool open_from(struct copying *c, const char *path, struct error *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &c->from, flags, NULL) != SQLITE_OK)
		return fail(c->from, err);
	sqlite3_busy_timeout(c->from, WAIT_MS);
	if (sqlite3_exec(c->from, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return fail(c->from, err);
	c->page_size = page_size_of(c->from); /* which is read, and so begins the moment */
	return c->page_size > 0 || fail(c->from, err);
}

/* What an earlier one left behind is begun anew. */
static bool open_to(struct copying *c, struct error *err)
{
	int fd;

	if (access(c->path, F_OK) == 0) {
		errno = EEXIST;
		return fail_file(c->path, err);
	}
	if (snprintf(c->part, sizeof c->part, "%s.part", c->path) >= (int)sizeof c->part) {
		c->part[0] = '\0';
		return error_set(err, ERROR_CONFIG, "The path of the backup is too long.");
	}
	fd = open(c->part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		bool ok = fail_file(c->part, err);

		c->part[0] = '\0';
		return ok;
	}
	close(fd);
	/* Nobody has a half one, so its changes need no journal; at the end it is synced. */
	return (sqlite3_open_v2(c->part, &c->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				NULL) == SQLITE_OK &&
		sqlite3_exec(c->to, "PRAGMA journal_mode = OFF", NULL, NULL, NULL) == SQLITE_OK) ||
	       fail(c->to, err);
}

/* A link, unlike a rename, takes nobody's place. */
static bool put_in_place(struct copying *c, struct error *err)
{
	int fd = open(c->part, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0 && link(c->part, c->path) == 0;

	if (!ok)
		fail_file(c->path, err);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* --- what lies between --- */

static bool goes_on(const struct copying *c, sqlite3_backup *backup)
{
	int64_t all = sqlite3_backup_pagecount(backup);
	int64_t done = all - sqlite3_backup_remaining(backup);

	return !c->watch || !c->watch->tell ||
	       c->watch->tell(c->watch->self, c->page_size * done, c->page_size * all);
}

static bool copy_pages(struct copying *c, struct error *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(c->to, "main", c->from, "main");
	bool wanted = true;
	int code = backup ? SQLITE_OK : SQLITE_ERROR;

	while (code == SQLITE_OK && wanted) {
		code = sqlite3_backup_step(backup, PAGES_A_STEP);
		wanted = goes_on(c, backup);
	}
	sqlite3_backup_finish(backup);
	if (code == SQLITE_DONE)
		return true;
	return wanted ? fail(c->to, err)
		      : error_set(err, ERROR_STORE, "The backup was ended before it was whole.");
}

bool sqlite_backup(const char *uri, const char *path, const struct store_watch *watch,
		   struct error *err)
{
	struct copying c = { .path = path, .watch = watch };
	char found[SQLITE_FOUND_SIZE];
	bool ok = open_from(&c, uri + strlen(SQLITE_SCHEME), err) && open_to(&c, err) &&
		  copy_pages(&c, err);

	if (ok && sqlite_check_pages(c.to, found) != ERROR_NONE)
		ok = error_set(err, ERROR_CORRUPT, "The copy is damaged: %.150s.", found);
	sqlite3_close(c.to);
	sqlite3_close(c.from);
	ok = ok && put_in_place(&c, err);
	if (c.part[0])
		unlink(c.part);
	return ok;
}
