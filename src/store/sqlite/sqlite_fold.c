/*
 * sqlite_fold: fold(text) for SQL, where SQLite's own lower() knows ASCII only: the simple case
 * folding of Unicode, so that letters which differ by case alone become the same, whichever of
 * their forms stands there (sigma has two small ones). The small letter of the capital is just that
 * for every letter but the Turkish two below, which fold to themselves.
 */
#include "sqlite_room.h"

#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>

#define I_WITH_DOT    0x130
#define I_WITHOUT_DOT 0x131

static locale_t letters;

static wchar_t fold_letter(wchar_t letter)
{
	return letter == I_WITH_DOT || letter == I_WITHOUT_DOT
		       ? letter
		       : (wchar_t)towlower(towupper((wint_t)letter));
}

/* Text of the store is valid UTF-8; what is not ends the text. A lower-case letter takes at most
 * one byte more than its capital of two. */
static size_t lower(const char *text, size_t len, char *out)
{
	mbstate_t reading = { 0 }, writing = { 0 };
	size_t at = 0, written = 0, used, made;
	wchar_t letter;

	while (at < len) {
		used = mbrtowc(&letter, text + at, len - at, &reading);
		if (used == 0 || used > len - at)
			break;
		made = wcrtomb(out + written, fold_letter(letter), &writing);
		if (made == (size_t)-1)
			break;
		at += used;
		written += made;
	}
	return written;
}

static void fold(sqlite3_context *context, int count, sqlite3_value **values)
{
	const char *text = (const char *)sqlite3_value_text(values[0]);
	size_t len = (size_t)sqlite3_value_bytes(values[0]);
	char *out;
	locale_t before;

	(void)count;
	if (!text) {
		sqlite3_result_null(context);
		return;
	}
	out = sqlite3_malloc64(len * 2 + MB_LEN_MAX);
	if (!out) {
		sqlite3_result_error_nomem(context);
		return;
	}
	before = uselocale(letters);
	len = lower(text, len, out);
	uselocale(before);
	sqlite3_result_text64(context, out, len, sqlite3_free, SQLITE_UTF8);
}

/* One for all connections and for good: its files are out of reach when a later one is opened. */
static void load_letters(void)
{
	mbstate_t reading = { 0 };
	locale_t before;
	wchar_t letter;

	if (!(letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL)))
		return;
	before = uselocale(letters);
	mbrtowc(&letter, "a", 1, &reading); /* the C library looks for what converts, too */
	uselocale(before);
}

/* SQLite's random numbers (its log's salts) begin with /dev/urandom, or else with the time. */
static void wake(void)
{
	unsigned char number;

	load_letters();
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
	return letters ? sqlite3_create_function_v2(db, "fold", 1,
						    SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, fold,
						    NULL, NULL, NULL)
		       : SQLITE_ERROR;
}
