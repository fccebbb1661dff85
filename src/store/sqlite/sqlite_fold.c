/*
 * sqlite_fold: fold(text) for SQL, where SQLite's own lower() knows ASCII only. A large text is one
 * step of SQLite's machine and takes as long as many, so it looks at the clock itself.
 */
#include "sqlite_room.h"

#include "../store_fold.h"
#include "base/clock.h"
#include <pthread.h>

#define LARGE 65536

static void fold(sqlite3_context *context, int count, sqlite3_value **values)
{
	const struct sqlite_conn *conn = sqlite3_user_data(context);
	const char *text = (const char *)sqlite3_value_text(values[0]);
	size_t len = (size_t)sqlite3_value_bytes(values[0]);
	char *out;

	(void)count;
	if (len >= LARGE && clock_mono_ms() >= conn->until_ms) {
		sqlite3_result_error_code(context, SQLITE_INTERRUPT);
		return;
	}
	if (!text) {
		sqlite3_result_null(context);
		return;
	}
	out = sqlite3_malloc64(STORE_FOLD_SIZE(len));
	if (!out) {
		sqlite3_result_error_nomem(context);
		return;
	}
	len = store_fold_into((struct slice){ text, len }, out);
	sqlite3_result_text64(context, out, len, sqlite3_free, SQLITE_UTF8);
}

/* SQLite's random numbers (its log's salts) begin with /dev/urandom, or else with the time. */
static void wake(void)
{
	unsigned char number;

	store_fold_wake();
	sqlite3_randomness(sizeof number, &number);
}

void sqlite_wake(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, wake);
}

int sqlite_fold_add(struct sqlite_conn *conn)
{
	sqlite_wake();
	return store_fold_wake() ? sqlite3_create_function_v2(conn->db, "fold", 1,
							      SQLITE_UTF8 | SQLITE_DETERMINISTIC,
							      conn, fold, NULL, NULL, NULL)
				 : SQLITE_ERROR;
}
