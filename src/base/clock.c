/* clock: both clocks, and the one format of times. */
#include "base/clock.h"

#include "base/digits.h"
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

#define DAY_MS   86400000
#define ERA_DAYS 146097          /* of four hundred years */
#define LAST_MS  253402300799999 /* of the year 9999 */

/* The calendar's day, counted in years that begin with March, so that leap days come last (after
 * Howard Hinnant, "chrono-compatible low-level date algorithms"). From 1970 on. */
static char *write_day(char *at, uint32_t days)
{
	uint32_t shifted = days + 719468, era = shifted / ERA_DAYS, of_era = shifted % ERA_DAYS;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;

	month = month < 10 ? month + 3 : month - 9;
	at = digits_write_fixed(at, year + era * 400 + (month <= 2), 4);
	*at++ = '-';
	at = digits_write_fixed(at, month, 2);
	*at++ = '-';
	return digits_write_fixed(at, day, 2);
}

/* What others put into a store may lie anywhere. */
static char *write_far_day(char *at, int64_t days)
{
	time_t seconds = (time_t)(days * (DAY_MS / 1000));
	struct tm utc;
	size_t len =
		gmtime_r(&seconds, &utc) ? strftime(at, CLOCK_TEXT_SIZE - 14, "%Y-%m-%d", &utc) : 0;

	return at + len; /* nothing: a year that no calendar holds */
}

char *clock_write(char *at, int64_t wall_ms)
{
	bool is_before = wall_ms % DAY_MS < 0;
	int64_t days = wall_ms / DAY_MS - is_before;
	uint32_t ms = (uint32_t)(wall_ms % DAY_MS + (is_before ? DAY_MS : 0)), s = ms / 1000;

	at = wall_ms >= 0 && wall_ms <= LAST_MS ? write_day(at, (uint32_t)days)
						: write_far_day(at, days);
	*at++ = 'T';
	at = digits_write_fixed(at, s / 3600, 2);
	*at++ = ':';
	at = digits_write_fixed(at, s / 60 % 60, 2);
	*at++ = ':';
	at = digits_write_fixed(at, s % 60, 2);
	*at++ = '.';
	at = digits_write_fixed(at, ms % 1000, 3);
	*at++ = 'Z';
	return at;
}

const char *clock_format(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
	*clock_write(out, wall_ms) = '\0';
	return out;
}
