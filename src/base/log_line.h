/*
 * log_line: a line under construction. What does not fit is left out; no byte of a value can end
 * its string or the line, or reach a terminal as a control; no secret leaves. Private to base/log.
 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include "base/slice.h"
#include "log_ring.h"

#define LOG_LINE_SPARE 2 /* for what closes it, "}\n" */

struct log_line {
	char text[LOG_LINE_MAX];
	size_t len;
};

size_t log_line_room(const struct log_line *line);
void log_line_put(struct log_line *line, struct slice bytes);
void log_line_putf(struct log_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What no value shows from now on. */
void log_line_redact(const char *secret);

/* A value, cut at 512 bytes; in quotes when it needs them, or `always`. */
void log_line_value(struct log_line *line, struct slice value, bool always);

#endif
