/* error: fills error values, and knows the table of codes. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_S 1 /* after a 503, unless whoever sets the error knows better */

static const struct {
	int status;
	const char *word, *title;
} codes[ERROR_CODE_COUNT] = {
#define X(code, status, word, title, help) [code] = { status, word, title },
	ERROR_CODES(X)
#undef X
};

static void fill(struct error *err, enum error_code code, const char *format, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void fill(struct error *err, enum error_code code, const char *format, va_list ap)
{
	memset(err, 0, sizeof *err);
	err->code = code;
	err->retry_after_s = codes[code].status == 503 ? RETRY_AFTER_S : 0;
	vsnprintf(err->detail, sizeof err->detail, format, ap);
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
	va_list ap;

	if (!err)
		return false;
	va_start(ap, format);
	fill(err, code, format, ap);
	va_end(ap);
	return false;
}

bool error_field(struct error *err, enum error_code code, const char *field, const char *format,
		 ...)
{
	va_list ap;

	if (!err)
		return false;
	va_start(ap, format);
	fill(err, code, format, ap);
	va_end(ap);
	snprintf(err->field, sizeof err->field, "%s", field);
	return false;
}

bool error_denied(struct error *err)
{
	return error_set(err, ERROR_ACCESS_DENIED, "This is somebody else's.");
}

enum error_code error_of_errno(int reason)
{
	static const int written_so[] = { EACCES, EPERM,        ENOENT, ENOTDIR,   EISDIR,
					  ELOOP,  ENAMETOOLONG, EROFS,  EOPNOTSUPP };

	for (size_t i = 0; i < sizeof written_so / sizeof written_so[0]; i++)
		if (reason == written_so[i])
			return ERROR_CONFIG;
	return ERROR_INTERNAL;
}

bool error_is_shortage(int reason)
{
	return reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM;
}

int error_status(enum error_code code)
{
	return codes[code].status;
}

const char *error_word(enum error_code code)
{
	return codes[code].word;
}

const char *error_title(enum error_code code)
{
	return codes[code].title;
}

enum error_code error_of_word(const char *word)
{
	for (int i = 0; i < ERROR_CODE_COUNT; i++)
		if (strcmp(codes[i].word, word) == 0)
			return (enum error_code)i;
	return ERROR_INTERNAL;
}
