/* net_retry_after: see net_retry_after.h. */
#include "net_retry_after.h"

#include "base/clock.h"
#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

#define RETRY_AFTER_MAX_S 86400

static int clamped_wait(int64_t seconds)
{
	return seconds < 0 ? 0 : seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (int)seconds;
}

/* Seconds, or a date. -1 when it is neither. */
static int read_value(const char *value)
{
	char *rest;
	long long seconds = strtoll(value, &rest, 10);
	time_t at;

	if (rest > value && *value != '-' && *rest == '\0')
		return clamped_wait(seconds);
	at = curl_getdate(value, NULL);
	return at < 0 ? -1 : clamped_wait((int64_t)at - clock_wall_ms() / 1000);
}

void net_retry_after_value(struct slice value, int *seconds)
{
	char text[64];
	size_t len = value.len < sizeof text ? value.len : sizeof text - 1;

	memcpy(text, value.ptr, len);
	text[len] = '\0';
	*seconds = read_value(text);
}

void net_retry_after(struct slice line, int *seconds)
{
	static const char name[] = "retry-after:";

	if (line.len <= sizeof name - 1 || strncasecmp(line.ptr, name, sizeof name - 1) != 0)
		return;
	line = slice_skip(line, sizeof name - 1);
	while (line.len && (*line.ptr == ' ' || *line.ptr == '\t'))
		line = slice_skip(line, 1);
	while (line.len && strchr(" \t\r\n", line.ptr[line.len - 1]))
		line.len--;
	net_retry_after_value(line, seconds);
}
