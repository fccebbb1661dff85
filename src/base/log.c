/*
 * log: a line is built in a buffer on the stack and written with one write(2), so that lines of
 * many threads and processes never mix. Three forms from one list of fields.
 */
#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define VALUE_MAX      512
#define SECRETS_MAX    8
#define SECRET_MIN     8

static struct {
	enum log_level level;
	enum log_format format;
	char process[32];
	char *secrets[SECRETS_MAX];
	size_t secret_count;
} settings = { .level = LOG_INFO, .format = LOG_TEXT };

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn",   [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

void log_setup(enum log_level level, enum log_format format, bool under_journal)
{
	if (format == LOG_AUTO)
		format = under_journal ? LOG_JOURNAL : isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON;
	settings.level = level;
	settings.format = format;
}

void log_identity(const char *process)
{
	snprintf(settings.process, sizeof settings.process, "%s", process);
}

void log_redact(const char *secret)
{
	if (!secret || strlen(secret) < SECRET_MIN || settings.secret_count == SECRETS_MAX)
		return;
	for (size_t i = 0; i < settings.secret_count; i++)
		if (strcmp(settings.secrets[i], secret) == 0)
			return;
	if ((settings.secrets[settings.secret_count] = strdup(secret)))
		settings.secret_count++;
}

/* --- a line under construction: what does not fit is dropped --- */

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void put(struct line *line, const char *bytes, size_t n)
{
	size_t room = sizeof line->text - 2 - line->len; /* two for what closes it, "}\n" */

	if (n > room)
		n = room;
	memcpy(line->text + line->len, bytes, n);
	line->len += n;
}

static void putf(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void putf(struct line *line, const char *format, ...)
{
	char piece[256];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(piece, sizeof piece, format, ap);
	va_end(ap);
	put(line, piece, n < (int)sizeof piece ? (size_t)n : sizeof piece - 1);
}

/* Inside quotes: no byte of it can end the string or the line. Bytes beyond ASCII stay when the
 * text is UTF-8. */
static void put_escaped(struct line *line, struct slice text)
{
	bool cut = text.len > VALUE_MAX;

	if (cut)
		text.len = VALUE_MAX;
	while (cut && text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80)
		text.len--;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (line->len + 8 > sizeof line->text - 2)
			return;
		if (c == '"' || c == '\\')
			putf(line, "\\%c", c);
		else if (c < 0x20 || c == 0x7F)
			putf(line, "\\u%04x", c);
		else
			put(line, text.ptr + i, 1);
	}
	if (cut)
		put(line, "...", 3);
}

static bool is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ' || strchr("\"\\=", text.ptr[i]) ||
		    text.ptr[i] == 0x7F)
			return false;
	return text.len > 0 && text.len <= VALUE_MAX;
}

/* --- the forms --- */

static void put_json(struct line *line, enum log_level level, const char *event,
		     const struct log_field *fields, size_t count)
{
	char now[CLOCK_TEXT_SIZE];

	putf(line,
	     "{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"%s\",\"pid\":%d,\"event\":\"%s\"",
	     clock_format(clock_wall_ms(), now), level_names[level], settings.process,
	     (int)getpid(), event);
	for (size_t i = 0; i < count; i++) {
		if (!fields[i].key || line->len + 128 > sizeof line->text - 2)
			continue;
		if (fields[i].kind == LOG_FIELD_INT) {
			putf(line, ",\"%s\":%lld", fields[i].key, (long long)fields[i].number);
			continue;
		}
		putf(line, ",\"%s\":\"", fields[i].key);
		put_escaped(line, fields[i].text);
		if (line->len == sizeof line->text - 2)
			line->len--;
		put(line, "\"", 1);
	}
	line->text[line->len++] = '}';
}

static void put_words(struct line *line, const char *event, const struct log_field *fields,
		      size_t count)
{
	if (settings.process[0])
		putf(line, "%s: ", settings.process);
	putf(line, "%s", event);
	for (size_t i = 0; i < count; i++) {
		if (!fields[i].key)
			continue;
		putf(line, " %s=", fields[i].key);
		if (fields[i].kind == LOG_FIELD_INT) {
			putf(line, "%lld", (long long)fields[i].number);
		} else if (is_plain(fields[i].text)) {
			put(line, fields[i].text.ptr, fields[i].text.len);
		} else {
			put(line, "\"", 1);
			put_escaped(line, fields[i].text);
			put(line, "\"", 1);
		}
	}
}

static void redact(struct line *line)
{
	for (size_t i = 0; i < settings.secret_count; i++) {
		size_t len = strlen(settings.secrets[i]);
		char *found;

		while ((found = memmem(line->text, line->len, settings.secrets[i], len)))
			memset(found, '*', len);
	}
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count)
{
	struct line line = { .len = 0 };
	char now[CLOCK_TEXT_SIZE];
	int saved = errno;
	ssize_t n;

	if (level > settings.level)
		return;
	if (settings.format == LOG_JSON) {
		put_json(&line, level, event, fields, count);
	} else {
		if (settings.format == LOG_JOURNAL)
			putf(&line, "<%d>", (int)level);
		else
			putf(&line, "%.8s %-6s ", clock_format(clock_wall_ms(), now) + 11,
			     level_names[level]);
		put_words(&line, event, fields, count);
	}
	redact(&line);
	line.text[line.len++] = '\n';
	n = write(STDERR_FILENO, line.text, line.len);
	(void)n; /* nobody is left to be told */
	errno = saved;
}
