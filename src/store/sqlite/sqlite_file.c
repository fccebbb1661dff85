/*
 * sqlite_file: one connection to the file. Several workers start at once on a machine that
 * has no database yet: each finds the file, the log and the tables there or makes them, and waits
 * for whoever is at it.
 */
#include "sqlite_room.h"

#include "base/clock.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SCHEMA_VERSION  1
#define RETRY_MS        10
#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

/* A thread that was deleted stays as a mark (deleted_ms), so that its id is not made anew by a late
 * request. */
static const char schema[] =
	"CREATE TABLE threads ("
	" id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, title TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, rev INTEGER NOT NULL, archived INTEGER NOT NULL, deleted_ms "
	"INTEGER,"
	" run_id TEXT, run_message_id TEXT, run_node TEXT, metadata TEXT) STRICT;"
	"CREATE INDEX threads_by_user ON threads (user_id, updated_ms, id) WHERE deleted_ms IS "
	"NULL;"
	"CREATE INDEX threads_by_time ON threads (updated_ms, id) WHERE deleted_ms IS NULL;"
	"CREATE INDEX threads_deleted ON threads (deleted_ms) WHERE deleted_ms IS NOT NULL;"
	"CREATE TABLE messages ("
	" thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE, id TEXT NOT NULL,"
	" seq INTEGER NOT NULL, role TEXT NOT NULL, status TEXT NOT NULL, content TEXT NOT NULL,"
	" run_id TEXT, parent_id TEXT, key TEXT, finish_reason TEXT, usage TEXT, feedback TEXT,"
	" metadata TEXT, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
	" PRIMARY KEY (thread_id, id)) STRICT;"
	"CREATE INDEX messages_by_seq ON messages (thread_id, seq, id);"
	"CREATE INDEX messages_by_run ON messages (run_id) WHERE run_id IS NOT NULL;"
	"CREATE INDEX messages_by_key ON messages (thread_id, key) WHERE key IS NOT NULL;"
	"CREATE INDEX threads_by_node ON threads (run_node) WHERE run_node IS NOT NULL;"
	"CREATE TABLE nodes (node TEXT NOT NULL PRIMARY KEY, seen_ms INTEGER NOT NULL) STRICT;"
	"PRAGMA user_version = " TEXT(SCHEMA_VERSION) ";";

static bool exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
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

/* --- its tables --- */

/* -1: it cannot be read. */
static int version_of(sqlite3 *db)
{
	sqlite3_stmt *query = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &query, NULL) == SQLITE_OK &&
	    sqlite3_step(query) == SQLITE_ROW)
		version = sqlite3_column_int(query, 0);
	sqlite3_finalize(query);
	return version;
}

/* A transaction that failed stays open, so that the driver still knows why; closing undoes it. */
static bool make_tables(sqlite3 *db)
{
	if (version_of(db) != 0)
		return true;
	return exec(db, "BEGIN IMMEDIATE") && (version_of(db) != 0 || exec(db, schema)) &&
	       exec(db, "COMMIT");
}

static bool prepare(sqlite3 *db)
{
	return exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			"PRAGMA foreign_keys = ON;") &&
	       make_tables(db);
}

/* The change to a write-ahead log does not wait for others by itself, whatever the timeout says. */
static bool prepare_in_time(sqlite3 *db, struct error *err)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	int64_t until_ms = clock_mono_ms() + SQLITE_WAIT_MS;

	while (!prepare(db)) {
		if (sqlite3_errcode(db) != SQLITE_BUSY || clock_mono_ms() >= until_ms)
			return sqlite_fail(db, err);
		nanosleep(&pause, NULL);
	}
	return true;
}

sqlite3 *sqlite_file_open(const char *path, struct error *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	sqlite3 *db = NULL;
	int version;

	make_folder_of(path);
	make_file(path);
	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
		sqlite_fail(db, err);
		goto fail;
	}
	sqlite3_busy_timeout(db, SQLITE_WAIT_MS);
	if (!sqlite_fold_add(db, err) || !prepare_in_time(db, err))
		goto fail;
	version = version_of(db);
	if (version == SCHEMA_VERSION)
		return db;
	if (version < 0)
		sqlite_fail(db, err);
	else
		error_set(err, ERROR_CONFIG,
			  "The store's file is of version %d, made by a newer c1d; this one knows "
			  "%d.",
			  version, SCHEMA_VERSION);
fail:
	sqlite3_close(db);
	return NULL;
}

bool sqlite_file_touch(sqlite3 *db, struct error *err)
{
	return exec(db, "PRAGMA user_version = " TEXT(SCHEMA_VERSION)) || sqlite_fail(db, err);
}
