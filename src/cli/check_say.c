/* check_say: the line that a check prints. */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

void check_say(enum verdict verdict, const char *what, const char *format, ...)
{
	static const char *const words[] = { "OK", "WARN", "FAIL" };
	va_list ap;

	printf("%-4s %s: ", words[verdict], what);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout); /* before what a library may say on stderr */
}
