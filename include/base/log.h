/*
 * log: one line an event on stderr. JSON when piped, readable on a terminal, with <N> priority
 * prefixes when the journal reads (JOURNAL_STREAM is ours). Any thread; nothing waits for a reader:
 * what stderr does not take at once is kept (256 KiB a process) and tried again, and beyond that
 * lines are dropped, counted (c1d_log_lines_dropped_total) and told of when there is room again.
 *
 * Values are escaped (controls, bytes that are no UTF-8) and cut at 512 bytes, so no client byte
 * can forge a line. Keys are literals of ours. Secrets given to log_redact never leave.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"
#include <stdint.h>

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT, LOG_JOURNAL };

struct log_field {
	const char *key;
	enum { LOG_FIELD_TEXT, LOG_FIELD_INT } kind;
	struct slice text;
	int64_t number;
};

#define LOG_T(k, s) ((struct log_field){ .key = (k), .kind = LOG_FIELD_TEXT, .text = slice_of(s) })
#define LOG_S(k, s) ((struct log_field){ .key = (k), .kind = LOG_FIELD_TEXT, .text = (s) })
#define LOG_I(k, n) ((struct log_field){ .key = (k), .kind = LOG_FIELD_INT, .number = (n) })

void log_setup(enum log_level level, enum log_format format, bool under_journal);
void log_identity(const char *process); /* "supervisor", "worker 2": shown in each line */
/* At most 24, each of 6 characters or more; copied. The password in a URI counts by itself, too.
 * Before threads. */
void log_redact(const char *secret);
/* Opens what lines go to, so that nothing has to be opened later. In a child, too. */
void log_open(void);
/* What stderr did not take yet is offered again; now and then, from whoever goes round anyway. At a
 * normal exit it happens by itself. */
void log_flush(void);

/* event is a short stable phrase of ours; fields follow. log_info("worker started", LOG_I("pid",
 * pid)). */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count);

#define LOG_AT(level, event, ...)                                                                  \
	log_write((level), (event), (const struct log_field[]){ { .key = NULL }, ##__VA_ARGS__ },  \
		  sizeof((const struct log_field[]){ { .key = NULL }, ##__VA_ARGS__ }) /           \
			  sizeof(struct log_field))
#define log_error(event, ...)  LOG_AT(LOG_ERROR, event, ##__VA_ARGS__)
#define log_warn(event, ...)   LOG_AT(LOG_WARN, event, ##__VA_ARGS__)
#define log_notice(event, ...) LOG_AT(LOG_NOTICE, event, ##__VA_ARGS__)
#define log_info(event, ...)   LOG_AT(LOG_INFO, event, ##__VA_ARGS__)
#define log_debug(event, ...)  LOG_AT(LOG_DEBUG, event, ##__VA_ARGS__)

#endif
