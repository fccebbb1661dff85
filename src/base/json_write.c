/* json_write: JSON into a buffer, without a tree. A failure shows in the buffer. */
#include "base/json.h"

#include "base/clock.h"
#include <stdio.h>

void json_writer_init(struct json_writer *w, struct buffer *out)
{
	*w = (struct json_writer){ .out = out };
}

static void comma(struct json_writer *w)
{
	if (w->need_comma)
		buffer_append_char(w->out, ',');
	w->need_comma = true;
}

void json_open(struct json_writer *w, char bracket)
{
	comma(w);
	buffer_append_char(w->out, bracket);
	w->need_comma = false;
}

void json_close(struct json_writer *w, char bracket)
{
	buffer_append_char(w->out, bracket);
	w->need_comma = true;
}

void json_key(struct json_writer *w, const char *key)
{
	comma(w);
	buffer_appendf(w->out, "\"%s\":", key);
	w->need_comma = false;
}

/* How one byte is escaped; NULL when it stands for itself. */
static const char *escape_of(unsigned char c, char room[8])
{
	switch (c) {
	case '"': return "\\\"";
	case '\\': return "\\\\";
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\t': return "\\t";
	default:
		if (c >= 0x20 && c != 0x7F)
			return NULL;
		snprintf(room, 8, "\\u%04x", c);
		return room;
	}
}

bool json_escape(struct buffer *out, struct slice text)
{
	size_t from = 0;
	char room[8];

	for (size_t i = 0; i < text.len; i++) {
		const char *escaped = escape_of((unsigned char)text.ptr[i], room);

		if (!escaped)
			continue;
		buffer_append(out, (struct slice){ text.ptr + from, i - from });
		buffer_append(out, slice_of(escaped));
		from = i + 1;
	}
	return buffer_append(out, slice_skip(text, from));
}

void json_string(struct json_writer *w, struct slice text)
{
	comma(w);
	buffer_append_char(w->out, '"');
	json_escape(w->out, text);
	buffer_append_char(w->out, '"');
}

void json_int(struct json_writer *w, int64_t value)
{
	comma(w);
	buffer_appendf(w->out, "%lld", (long long)value);
}

void json_bool(struct json_writer *w, bool value)
{
	json_raw(w, value ? SLICE("true") : SLICE("false"));
}

void json_null(struct json_writer *w)
{
	json_raw(w, SLICE("null"));
}

void json_raw(struct json_writer *w, struct slice text)
{
	comma(w);
	buffer_append(w->out, text);
}

void json_time(struct json_writer *w, int64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	json_string(w, slice_of(clock_format(wall_ms, text)));
}

void json_put_text(struct json_writer *w, const char *key, const char *text)
{
	json_key(w, key);
	if (text)
		json_string(w, slice_of(text));
	else
		json_null(w);
}

void json_put_slice(struct json_writer *w, const char *key, struct slice text)
{
	json_key(w, key);
	json_string(w, text);
}

void json_put_int(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_int(w, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_bool(w, value);
}

void json_put_time(struct json_writer *w, const char *key, int64_t wall_ms)
{
	json_key(w, key);
	json_time(w, wall_ms);
}

void json_put_raw(struct json_writer *w, const char *key, const char *json_or_null)
{
	json_key(w, key);
	json_raw(w, slice_of(json_or_null ? json_or_null : "null"));
}
