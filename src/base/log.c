/*
 * log: levels and forms: one list of fields, three ways to write it as a line.
 *
 *   log_line.c  a line under construction: escapes, secrets
 *   log_ring.c  lines on their way out: nothing waits for stderr
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/digits.h"
#include "log_line.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIELD_ROOM 128 /* a field that would not fit whole is left out */

static struct {
	enum log_level level;
	enum log_format format;
	char process[32];
	int pid;
} settings = { .level = LOG_INFO, .format = LOG_TEXT };

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn",   [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

void log_setup(enum log_level level, enum log_format format, bool under_journal)
{
	static bool at_exit;

	if (format == LOG_AUTO)
		format = under_journal ? LOG_JOURNAL : isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON;
	settings.level = level;
	settings.format = format;
	settings.pid = (int)getpid();
	log_ring_open();
	if (!at_exit)
		at_exit = atexit(log_flush) == 0;
}

void log_identity(const char *process)
{
	snprintf(settings.process, sizeof settings.process, "%s", process);
	settings.pid = (int)getpid();
}

void log_open(void)
{
	log_ring_reach();
}

void log_redact(const char *secret)
{
	log_line_redact(secret);
}

/* --- the forms --- */

static void put_text(struct log_line *line, const char *text)
{
	log_line_put(line, slice_of(text));
}

static void put_number(struct log_line *line, int64_t number)
{
	char digits[DIGITS_SIZE];

	log_line_put(line,
		     (struct slice){ digits, (size_t)(digits_write(digits, number) - digits) });
}

static void put_value(struct log_line *line, const struct log_field *field, bool quoted)
{
	if (field->kind == LOG_FIELD_INT)
		put_number(line, field->number);
	else
		log_line_value(line, field->text, quoted);
}

/* A request's line is a good part of what a short request costs: no printf here. */
static void put_json(struct log_line *line, enum log_level level, const char *event,
		     const struct log_field *fields, size_t count)
{
	char now[CLOCK_TEXT_SIZE];

	put_text(line, "{\"time\":\"");
	put_text(line, clock_format(clock_wall_ms(), now));
	put_text(line, "\",\"level\":\"");
	put_text(line, level_names[level]);
	put_text(line, "\",\"process\":\"");
	put_text(line, settings.process);
	put_text(line, "\",\"pid\":");
	put_number(line, settings.pid);
	put_text(line, ",\"event\":\"");
	put_text(line, event);
	put_text(line, "\"");
	for (size_t i = 0; i < count; i++) {
		if (!fields[i].key || log_line_room(line) < FIELD_ROOM)
			continue;
		put_text(line, ",\"");
		put_text(line, fields[i].key);
		put_text(line, "\":");
		put_value(line, &fields[i], true);
	}
	line->text[line->len++] = '}';
}

static void put_words(struct log_line *line, const char *event, const struct log_field *fields,
		      size_t count)
{
	if (settings.process[0])
		log_line_putf(line, "%s: ", settings.process);
	put_text(line, event);
	for (size_t i = 0; i < count; i++) {
		if (!fields[i].key || log_line_room(line) < FIELD_ROOM)
			continue;
		put_text(line, " ");
		put_text(line, fields[i].key);
		put_text(line, "=");
		put_value(line, &fields[i], false);
	}
}

static void put_line(enum log_level level, const char *event, const struct log_field *fields,
		     size_t count)
{
	struct log_line line = { .len = 0 };
	char now[CLOCK_TEXT_SIZE];

	if (settings.format == LOG_JSON) {
		put_json(&line, level, event, fields, count);
	} else {
		if (settings.format == LOG_JOURNAL)
			log_line_putf(&line, "<%d>", (int)level);
		else
			log_line_putf(&line, "%s %-6s ", clock_format(clock_wall_ms(), now),
				      level_names[level]);
		put_words(&line, event, fields, count);
	}
	line.text[line.len++] = '\n';
	log_ring_put((struct slice){ line.text, line.len });
}

/* --- the door --- */

static void tell_dropped(void)
{
	unsigned long lines = log_ring_take_dropped();

	if (lines)
		put_line(LOG_WARN, "log lines dropped: nobody read them in time",
			 (const struct log_field[]){ LOG_I("lines", (int64_t)lines) }, 1);
}

void log_flush(void)
{
	int saved = errno;

	log_ring_flush();
	tell_dropped();
	log_ring_flush();
	errno = saved;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count)
{
	int saved = errno;

	if (level > settings.level)
		return;
	tell_dropped();
	put_line(level, event, fields, count);
	log_ring_flush();
	errno = saved;
}
