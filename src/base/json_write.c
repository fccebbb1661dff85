/* json_write: JSON into a buffer, without a tree. A failure shows in the buffer. */
#include "base/json.h"

#include "base/clock.h"
#include "base/digits.h"

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
	buffer_append_char(w->out, '"');
	buffer_append(w->out, slice_of(key));
	buffer_append(w->out, SLICE("\":"));
	w->need_comma = false;
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
	char text[DIGITS_SIZE], *end = digits_write(text, value);

	comma(w);
	buffer_append(w->out, (struct slice){ text, (size_t)(end - text) });
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
