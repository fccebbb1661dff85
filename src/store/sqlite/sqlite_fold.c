/* sqlite_fold: fold(text) for SQL, where SQLite's own lower() knows ASCII only. */
#include "sqlite_room.h"

#include "../store_fold.h"
#include <pthread.h>

static void fold(sqlite3_context *context, int count, sqlite3_value **values)
{
	const char *text = (const char *)sqlite3_value_text(values[0]);
	size_t len = (size_t)sqlite3_value_bytes(values[0]);
	char *out;

	(void)count;
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

int sqlite_fold_add(sqlite3 *db)
{
	sqlite_wake();
	return store_fold_wake() ? sqlite3_create_function_v2(db, "fold", 1,
							      SQLITE_UTF8 | SQLITE_DETERMINISTIC,
							      NULL, fold, NULL, NULL, NULL)
				 : SQLITE_ERROR;
}
