/*
 * store_fold: see store_fold.h. The simple case folding of Unicode, so that letters which differ by
 * case alone become the same, whichever of their forms stands there (sigma has two small ones). The
 * small letter of the capital is just that for every letter but the Turkish two below, which fold
 * to themselves.
 */
#include "store_fold.h"

#include <locale.h>
#include <pthread.h>
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

bool store_fold_wake(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load_letters);
	return letters != (locale_t)0;
}

/* A lower-case letter takes at most one byte more than its capital of two. */
size_t store_fold_into(struct slice text, char *out)
{
	mbstate_t reading = { 0 }, writing = { 0 };
	size_t at = 0, written = 0, used, made;
	locale_t before;
	wchar_t letter;

	if (!store_fold_wake())
		return 0;
	before = uselocale(letters);
	while (at < text.len) {
		used = mbrtowc(&letter, text.ptr + at, text.len - at, &reading);
		if (used == 0 || used > text.len - at)
			break;
		made = wcrtomb(out + written, fold_letter(letter), &writing);
		if (made == (size_t)-1)
			break;
		at += used;
		written += made;
	}
	uselocale(before);
	return written;
}

struct slice store_fold(struct slice text, struct arena *arena)
{
	char *out = arena_alloc(arena, STORE_FOLD_SIZE(text.len));

	return (struct slice){ out, out ? store_fold_into(text, out) : 0 };
}
