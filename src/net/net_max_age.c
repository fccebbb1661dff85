/* net_max_age: see net_max_age.h. */
#include "net_max_age.h"

#include <stdlib.h>
#include <strings.h>

#define LINE_MAX  512
#define AGE_MAX_S (INT64_C(366) * 86400)

static int64_t age_of(const char *digits)
{
	char *end;
	long long seconds = *digits >= '0' && *digits <= '9' ? strtoll(digits, &end, 10) : -1;

	return seconds < AGE_MAX_S ? seconds : AGE_MAX_S;
}

void net_max_age(struct slice line, int64_t *seconds)
{
	static const char name[] = "cache-control:", age[] = "max-age=";
	char value[LINE_MAX], *rest = value, *word;
	int64_t found = -1;
	bool is_forbidden = false;

	if (line.len < sizeof name - 1 || line.len - (sizeof name - 1) >= sizeof value ||
	    strncasecmp(line.ptr, name, sizeof name - 1) != 0)
		return;
	line = slice_skip(line, sizeof name - 1);
	memcpy(value, line.ptr, line.len);
	value[line.len] = '\0';
	while ((word = strsep(&rest, ", \t\r\n"))) {
		if (strncasecmp(word, age, sizeof age - 1) == 0)
			found = age_of(word + sizeof age - 1);
		is_forbidden |=
			strcasecmp(word, "no-store") == 0 || strcasecmp(word, "no-cache") == 0;
	}
	*seconds = is_forbidden ? -1 : found;
}
