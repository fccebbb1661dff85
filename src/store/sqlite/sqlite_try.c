/*
 * sqlite_try: could the store be written, now and by this user, and is what is in it sound? For
 * `c1d check`: it leaves everything as it found it, so it makes no file and begins what it takes
 * back.
 */
#include "sqlite_room.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define TRY_WAIT_MS 2000
#define LOOK_MS     5000
#define LOOK_EVERY  10000 /* steps of SQLite's machine: about a millisecond */
#define LOG_ENDING  "-wal"

static bool is_there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
}

/* Cuts the last name off. false: there is none. */
static bool cut_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return false;
	*slash = '\0';
	return true;
}

/* Opening would make the file, and the folder that it lies in. */
static bool could_be_made(const char *path, struct error *err)
{
	char folder[PATH_MAX];

	if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
		return error_set(err, ERROR_CONFIG, "The path of the store's file is too long.");
	if (!cut_name(folder))
		snprintf(folder, sizeof folder, "%s", *path == '/' ? "/" : ".");
	else if (!is_there(folder))
		cut_name(folder);
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ||
	       error_set(err, ERROR_STORE_DOWN, "The store's file is not there, and in %.150s: %s.",
			 folder, strerror(errno));
}

/* A log that lies there, of a service that runs or was killed, stays as it is; closing would
 * otherwise take it into the file. */
static void keep_log(sqlite3 *db, const char *path)
{
	char log[PATH_MAX + sizeof LOG_ENDING];

	snprintf(log, sizeof log, "%s" LOG_ENDING, path);
	if (is_there(log))
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

/* An administrator reads it, so the driver's own words are the best. */
static bool fail(sqlite3 *db, struct error *err)
{
	return error_set(err, sqlite_failed(db), "%s.", sqlite3_errmsg(db));
}

static bool begin_and_take_back(sqlite3 *db, struct error *err)
{
	bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE; CREATE TABLE c1d_check (taken_back)", NULL,
			       NULL, NULL) == SQLITE_OK ||
		  fail(db, err);

	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return ok;
}

bool sqlite_try_write(const char *uri, const struct config *config, const char **how,
		      struct error *err)
{
	const char *path = uri + strlen(SQLITE_SCHEME);
	sqlite3 *db = NULL;
	bool ok;

	(void)config;
	if (!is_there(path)) {
		*how = "its file is not there yet and can be made";
		return could_be_made(path, err);
	}
	*how = "a write was begun and taken back";
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
	    SQLITE_OK) {
		sqlite3_busy_timeout(db, TRY_WAIT_MS);
		keep_log(db, path);
		ok = begin_and_take_back(db, err);
	} else {
		ok = fail(db, err);
	}
	sqlite3_close(db);
	return ok;
}

/* --- is it sound? --- */

enum error_code sqlite_check_pages(sqlite3 *db, char found[SQLITE_FOUND_SIZE])
{
	sqlite3_stmt *query = NULL;
	enum error_code code = ERROR_NONE;

	snprintf(found, SQLITE_FOUND_SIZE, "ok");
	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &query, NULL) == SQLITE_OK &&
	    sqlite3_step(query) == SQLITE_ROW) {
		snprintf(found, SQLITE_FOUND_SIZE, "%s",
			 (const char *)sqlite3_column_text(query, 0));
		for (char *end = strchr(found, '\n'); end; end = strchr(end, '\n'))
			*end = ' ';
		code = strcmp(found, "ok") == 0 ? ERROR_NONE : ERROR_CORRUPT;
	} else if (sqlite3_errcode(db) == SQLITE_INTERRUPT) {
		code = ERROR_STORE_TIMEOUT;
	} else {
		code = sqlite_failed(db);
		snprintf(found, SQLITE_FOUND_SIZE, "%s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(query);
	return code;
}

static int is_late(void *until_ms)
{
	return clock_mono_ms() >= *(const int64_t *)until_ms;
}

static bool look(sqlite3 *db, const char **how, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + LOOK_MS;
	char found[SQLITE_FOUND_SIZE];
	enum error_code code;

	sqlite3_busy_timeout(db, TRY_WAIT_MS);
	sqlite3_progress_handler(db, LOOK_EVERY, is_late, &until_ms);
	code = sqlite_check_pages(db, found);
	*how = code == ERROR_NONE ? "each page was looked at, and is sound"
				  : "no damage was found in five seconds; it is too large for more";
	return code == ERROR_NONE || code == ERROR_STORE_TIMEOUT ||
	       error_set(err, code, "%.150s.", found);
}

bool sqlite_look(const char *uri, const char **how, struct error *err)
{
	const char *path = uri + strlen(SQLITE_SCHEME);
	sqlite3 *db = NULL;
	bool ok;

	if (!is_there(path))
		return true;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
	    SQLITE_OK) {
		keep_log(db, path);
		ok = look(db, how, err);
	} else {
		ok = fail(db, err);
	}
	sqlite3_close(db);
	return ok;
}
