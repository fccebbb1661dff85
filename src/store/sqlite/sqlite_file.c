/*
 * sqlite_file: one connection to the file. Several workers start at once on a machine that has no
 * database yet: each finds the file, the log and the tables there or makes them, and waits for
 * whoever is at it. Nothing on a connection lasts longer than its time limit.
 */
#include "sqlite_room.h"

#include "base/clock.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS    10
#define LOOK_EVERY  10000 /* steps of SQLite's machine: about a millisecond */
#define BUSY_MAX_MS 10

/* --- its time limit --- */

/* A busy file is asked for again, at first soon. */
static int wait_for_other(void *self, int tries)
{
	const struct sqlite_conn *conn = self;
	long pause_ms = tries < BUSY_MAX_MS ? tries + 1 : BUSY_MAX_MS;
	const struct timespec pause = { .tv_nsec = pause_ms * 1000000 };

	if (clock_mono_ms() >= conn->until_ms)
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

static int is_late(void *self)
{
	const struct sqlite_conn *conn = self;

	return clock_mono_ms() >= conn->until_ms;
}

/* --- the file --- */

static void make_folder_of(const char *path)
{
	const char *end = strrchr(path, '/');
	char *folder = end && end > path ? strndup(path, (size_t)(end - path)) : NULL;

	if (folder)
		mkdir(folder, 0750); /* whether it is there now, the open tells */
	free(folder);
}

/* SQLite would make it readable for everybody; its log takes the mode of the file. O_EXCL, since
 * closing a descriptor of a file that is in use would drop the locks that this process holds on it.
 */
static void make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

/* The change to a write-ahead log does not wait for others by itself, whatever the busy handler
 * says. */
static enum error_code prepare(struct sqlite_conn *conn, int *version)
{
	static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				       "PRAGMA foreign_keys = ON;"
				       "PRAGMA temp_store = MEMORY;"; /* /tmp is out of reach */
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };

	while (sqlite3_exec(conn->db, settings, NULL, NULL, NULL) != SQLITE_OK ||
	       sqlite_schema(conn->db, version) != SQLITE_OK) {
		if (sqlite3_errcode(conn->db) != SQLITE_BUSY || is_late(conn))
			return sqlite_failed(conn->db);
		nanosleep(&pause, NULL);
	}
	return ERROR_NONE;
}

static enum error_code open_it(struct sqlite_conn *conn, const char *path, bool as_found,
			       struct error *err)
{
	const int flags =
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (as_found ? 0 : SQLITE_OPEN_CREATE);
	enum error_code code;
	int version = 0;

	if (sqlite3_open_v2(path, &conn->db, flags, NULL) != SQLITE_OK ||
	    sqlite_fold_add(conn) != SQLITE_OK)
		return sqlite_failed(conn->db);
	sqlite3_busy_handler(conn->db, wait_for_other, conn);
	sqlite3_progress_handler(conn->db, LOOK_EVERY, is_late, conn);
	code = as_found ? ERROR_NONE : prepare(conn, &version);
	if (code == ERROR_CONFIG)
		error_set(err, code, "The store's file is not a database of SQLite.");
	if (code != ERROR_NONE || version <= sqlite_schema_version)
		return code;
	error_set(err, ERROR_CONFIG,
		  "The store's file is of version %d, made by a newer c1d; this one knows %d.",
		  version, sqlite_schema_version);
	return ERROR_CONFIG;
}

struct sqlite_conn *sqlite_file_open(const char *path, int64_t limit_ms, bool as_found,
				     enum error_code *code, struct error *err)
{
	struct sqlite_conn *conn = calloc(1, sizeof *conn);

	if (!conn) {
		*code = ERROR_OVERLOADED;
		return NULL;
	}
	if (!as_found) {
		make_folder_of(path);
		make_file(path);
	}
	conn->until_ms = clock_mono_ms() + limit_ms;
	*code = open_it(conn, path, as_found, err);
	if (*code == ERROR_NONE)
		return conn;
	sqlite_file_close(conn);
	return NULL;
}

void sqlite_file_close(struct sqlite_conn *conn)
{
	if (!conn)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(conn->prepared[i]);
	sqlite3_close(conn->db);
	free(conn);
}

/* Where the log has no commit that is on the disk, a loss of power takes it back, whole ones only.
 */
bool sqlite_file_sync(struct sqlite_conn *conn, bool is_on)
{
	const char *sql = is_on ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";

	return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

enum error_code sqlite_file_touch(struct sqlite_conn *conn)
{
	char sql[48];

	sqlite3_snprintf(sizeof sql, sql, "PRAGMA user_version = %d", sqlite_schema_version);
	return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERROR_NONE
									  : sqlite_failed(conn->db);
}
