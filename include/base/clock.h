/*
 * clock: wall time for what people read, monotonic time for deadlines; never mixed.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

int64_t clock_wall_ms(void); /* since 1970-01-01T00:00:00Z */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* RFC 3339, UTC, milliseconds: 2026-11-23T10:00:00.000Z. Returns out. */
const char *clock_format(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);
/* The same without a NUL, into CLOCK_TEXT_SIZE bytes; gives its end. */
char *clock_write(char *at, int64_t wall_ms);

#endif
