/* log_line: see log_line.h. Values are untrusted: clients, the C1 API and libraries wrote them. */
#include "log_line.h"

#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUE_MAX   512
#define ESCAPE_MAX  8
#define SECRETS_MAX 24
#define SECRET_MIN  6

/* --- pieces --- */

size_t log_line_room(const struct log_line *line)
{
	return sizeof line->text - LOG_LINE_SPARE - line->len;
}

void log_line_put(struct log_line *line, struct slice bytes)
{
	if (bytes.len > log_line_room(line))
		bytes.len = log_line_room(line);
	memcpy(line->text + line->len, bytes.ptr, bytes.len);
	line->len += bytes.len;
}

void log_line_putf(struct log_line *line, const char *format, ...)
{
	char piece[256];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(piece, sizeof piece, format, ap);
	va_end(ap);
	if (n > 0)
		log_line_put(line,
			     (struct slice){ piece, n < (int)sizeof piece ? (size_t)n
									  : sizeof piece - 1 });
}

/* --- secrets: each begins with one of `first` --- */

static struct {
	char *texts[SECRETS_MAX];
	size_t count;
	bool first[256];
} secrets;

static void add_secret(struct slice text)
{
	if (text.len < SECRET_MIN || secrets.count == SECRETS_MAX)
		return;
	for (size_t i = 0; i < secrets.count; i++)
		if (slice_is(text, secrets.texts[i]))
			return;
	if (!(secrets.texts[secrets.count] = strndup(text.ptr, text.len)))
		return;
	secrets.count++;
	secrets.first[(unsigned char)*text.ptr] = true;
}

/* scheme://user:PASSWORD@host/... ; "" when there is none */
static struct slice password_of(const char *uri)
{
	const char *user = strstr(uri, "://");
	size_t len = user ? strcspn(user + 3, "/?#") : 0;
	const char *at = user ? memrchr(user + 3, '@', len) : NULL;
	const char *colon = at ? memchr(user + 3, ':', (size_t)(at - user - 3)) : NULL;

	return colon ? (struct slice){ colon + 1, (size_t)(at - colon - 1) } : SLICE("");
}

/* In place: %40 as @. */
static void decode_percent(char *text)
{
	char *to = text;

	for (unsigned int code; *text; to++)
		if (sscanf(text, "%%%2x", &code) == 1 && text[2]) {
			*to = (char)code;
			text += 3;
		} else {
			*to = *text++;
		}
	*to = '\0';
}

void log_line_redact(const char *secret)
{
	struct slice password = secret ? password_of(secret) : SLICE("");
	char *decoded;

	if (!secret)
		return;
	add_secret(slice_of(secret));
	add_secret(password);
	if ((decoded = strndup(password.ptr, password.len))) {
		decode_percent(decoded);
		add_secret(slice_of(decoded));
		free(decoded);
	}
}

/* Length of the longest secret that text begins with; 0: none. */
static size_t secret_at(struct slice text)
{
	size_t longest = 0;

	if (!secrets.first[(unsigned char)*text.ptr])
		return 0;
	for (size_t i = 0; i < secrets.count; i++) {
		struct slice secret = slice_of(secrets.texts[i]);

		if (secret.len > longest && slice_starts(text, secret))
			longest = secret.len;
	}
	return longest;
}

/* --- values --- */

/* The code point of the character of n bytes at p, which is well-formed; U+FFFD when n is 0. */
static unsigned code_of(const unsigned char *p, size_t n)
{
	unsigned code = n < 2 ? *p : *p & (0xFFu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		code = code << 6 | (p[i] & 0x3F);
	return n > 0 ? code : 0xFFFD;
}

/* What a terminal or a reader would obey or not see, where it does not stand for itself: controls,
 * C1's included, ends of lines, and what turns the direction of writing or takes no room (Unicode
 * 15, 23.2; CVE-2021-42574). */
static bool is_control(unsigned code)
{
	static const unsigned ranges[][2] = {
		{ 0, 0x1F },        { 0x7F, 0x9F },     { 0xAD, 0xAD },     { 0x61C, 0x61C },
		{ 0x200B, 0x200F }, { 0x2028, 0x202E }, { 0x2060, 0x206F }, { 0xFEFF, 0xFEFF },
	};

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	return false;
}

/* May the character of n bytes at p stand as it is? n is 0 for what is no UTF-8. */
static bool is_fit(const unsigned char *p, size_t n)
{
	return n > 0 && *p != '"' && *p != '\\' && !is_control(code_of(p, n));
}

static void put_escape(struct log_line *line, const unsigned char *p, size_t n)
{
	if (n == 1 && (*p == '"' || *p == '\\'))
		log_line_putf(line, "\\%c", *p);
	else
		log_line_putf(line, "\\u%04x", code_of(p, n));
}

/* Characters that stand as they are and with which no secret begins: nearly all there are. */
static size_t run_of_plain(struct slice text, size_t most)
{
	size_t n = 0;

	for (; n < text.len && n < most; n++) {
		unsigned char c = (unsigned char)text.ptr[n];

		if (c < ' ' || c > '~' || c == '"' || c == '\\' || secrets.first[c])
			break;
	}
	return n;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void put_inside(struct log_line *line, struct slice value)
{
	size_t at = 0, n;

	while (at < value.len && at < VALUE_MAX && log_line_room(line) > ESCAPE_MAX) {
		struct slice rest = slice_skip(value, at);
		const unsigned char *p = (const unsigned char *)rest.ptr;

		n = run_of_plain(rest, smaller(VALUE_MAX - at, log_line_room(line) - ESCAPE_MAX));
		if (n == 0 && (n = secret_at(rest))) {
			log_line_put(line, SLICE("***"));
		} else if (n > 0 || is_fit(p, n = utf8_length(rest))) {
			log_line_put(line, (struct slice){ rest.ptr, n });
		} else {
			put_escape(line, p, n);
			n = n ? n : 1;
		}
		at += n;
	}
	if (at < value.len)
		log_line_put(line, SLICE("..."));
}

static bool is_plain(struct slice value)
{
	for (size_t at = 0, n; at < value.len; at += n) {
		struct slice rest = slice_skip(value, at);

		n = utf8_length(rest);
		if (*rest.ptr == ' ' || *rest.ptr == '=' ||
		    !is_fit((const unsigned char *)rest.ptr, n))
			return false;
	}
	return value.len > 0;
}

void log_line_value(struct log_line *line, struct slice value, bool always)
{
	bool quotes = always || !is_plain(value);

	if (quotes)
		log_line_put(line, SLICE("\""));
	put_inside(line, value);
	if (!quotes)
		return;
	if (log_line_room(line) == 0)
		line->len--;
	log_line_put(line, SLICE("\""));
}
