/*
 * delta: a walk over one chunk's JSON. Everything is checked to be JSON in form; only the members
 * that matter are looked at, each by the reader of its object. It allocates nothing but what
 * `scratch` grows by.
 */
#include "delta.h"

#include "base/digits.h"
#include <math.h>
#include <stdlib.h>

#define TOKENS_MAX 9007199254740992.0 /* 2^53: what JSON readers agree on */

struct walk {
	const char *at, *end;
	int depth;
	struct buffer *scratch;
	struct delta *out;
};

typedef bool (*member_reader)(struct walk *w, struct slice key);

static bool skip_value(struct walk *w);

static void skip_space(struct walk *w)
{
	while (w->at < w->end &&
	       (*w->at == ' ' || *w->at == '\t' || *w->at == '\n' || *w->at == '\r'))
		w->at++;
}

static bool peek(struct walk *w, char c)
{
	skip_space(w);
	return w->at < w->end && *w->at == c;
}

static bool take(struct walk *w, char c)
{
	if (!peek(w, c))
		return false;
	w->at++;
	return true;
}

/* A string's inside, escapes as they stand. */
static bool take_string(struct walk *w, struct slice *inside, bool *has_escapes)
{
	const char *start;

	if (!take(w, '"'))
		return false;
	*has_escapes = false;
	for (start = w->at; w->at < w->end; w->at++) {
		if (*w->at == '"') {
			*inside = (struct slice){ start, (size_t)(w->at - start) };
			w->at++;
			return true;
		}
		if ((unsigned char)*w->at < 0x20)
			return false;
		if (*w->at == '\\') {
			*has_escapes = true;
			if (++w->at == w->end)
				return false;
		}
	}
	return false;
}

/* Numbers and literals. */
static bool take_word(struct walk *w, struct slice *word)
{
	const char *start;

	skip_space(w);
	for (start = w->at; w->at < w->end; w->at++)
		if (!(*w->at >= 'a' && *w->at <= 'z') && !(*w->at >= '0' && *w->at <= '9') &&
		    (*w->at == '\0' || !strchr("+-.E", *w->at)))
			break;
	*word = (struct slice){ start, (size_t)(w->at - start) };
	return word->len > 0;
}

static bool skip_word(struct walk *w)
{
	struct slice word;

	if (!take_word(w, &word))
		return false;
	return strchr("-0123456789", *word.ptr) || slice_is(word, "null") ||
	       slice_is(word, "true") || slice_is(word, "false");
}

static bool take_object(struct walk *w, member_reader read)
{
	struct slice key;
	bool escaped;

	if (!take(w, '{') || ++w->depth > DELTA_DEPTH_MAX)
		return false;
	if (!peek(w, '}'))
		do {
			if (!take_string(w, &key, &escaped) || !take(w, ':') || !read(w, key))
				return false;
		} while (take(w, ','));
	w->depth--;
	return take(w, '}');
}

static bool skip_member(struct walk *w, struct slice key)
{
	(void)key;
	return skip_value(w);
}

/* The first element by `first`, the others skipped. */
static bool take_array(struct walk *w, bool (*first)(struct walk *w))
{
	bool is_first = true;

	if (!take(w, '[') || ++w->depth > DELTA_DEPTH_MAX)
		return false;
	if (!peek(w, ']'))
		do {
			if (!(is_first ? first(w) : skip_value(w)))
				return false;
			is_first = false;
		} while (take(w, ','));
	w->depth--;
	return take(w, ']');
}

static bool skip_value(struct walk *w)
{
	struct slice inside;
	bool escaped;

	if (peek(w, '{'))
		return take_object(w, skip_member);
	if (peek(w, '['))
		return take_array(w, skip_value);
	if (peek(w, '"'))
		return take_string(w, &inside, &escaped);
	return skip_word(w);
}

static bool put_code_point(struct buffer *out, unsigned long c)
{
	char utf8[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		utf8[i] = (char)(0x80 | (c & 0x3F));
	utf8[0] = (char)(lead[n] | c);
	return buffer_append(out, (struct slice){ utf8, n });
}

/* *at stands behind "\u". */
static bool put_unicode_escape(struct buffer *out, const char **at, const char *end)
{
	int high = hex_four(*at, end);
	int low = -1;
	unsigned long c;

	if (high < 0)
		return false;
	*at += 4;
	c = (unsigned long)high;
	if (high >= 0xD800 && high < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' &&
	    (*at)[1] == 'u')
		low = hex_four(*at + 2, end);
	if (low >= 0xDC00 && low < 0xE000) {
		*at += 6;
		c = 0x10000 + (((unsigned long)high - 0xD800) << 10) +
		    ((unsigned long)low - 0xDC00);
	} else if (c == 0 || (c >= 0xD800 && c < 0xE000)) {
		c = 0xFFFD;
	}
	return put_code_point(out, c);
}

static bool unescape(struct buffer *out, struct slice text)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *at = text.ptr, *end = text.ptr + text.len;

	while (at < end) {
		const char *slash = memchr(at, '\\', (size_t)(end - at));
		const char *simple;

		if (!slash)
			slash = end;
		if (!buffer_append(out, (struct slice){ at, (size_t)(slash - at) }))
			return false;
		if (slash == end)
			return true;
		at = slash + 2; /* a string never ends behind a lone backslash */
		if (slash[1] == 'u') {
			if (!put_unicode_escape(out, &at, end))
				return false;
			continue;
		}
		simple = slash[1] ? strchr(from, slash[1]) : NULL;
		if (!simple || !buffer_append_char(out, to[simple - from]))
			return false;
	}
	return true;
}

static bool read_delta_member(struct walk *w, struct slice key)
{
	struct slice inside;
	bool escaped;

	if (!slice_is(key, "content") || !peek(w, '"'))
		return skip_value(w);
	if (!take_string(w, &inside, &escaped))
		return false;
	if (escaped) {
		buffer_reset(w->scratch);
		if (!unescape(w->scratch, inside))
			return false;
		inside = buffer_slice(w->scratch);
	}
	w->out->content = inside;
	return true;
}

static bool read_choice_member(struct walk *w, struct slice key)
{
	bool escaped;

	if (slice_is(key, "delta") && peek(w, '{'))
		return take_object(w, read_delta_member);
	if (slice_is(key, "finish_reason") && peek(w, '"'))
		return take_string(w, &w->out->finish_reason, &escaped);
	return skip_value(w);
}

static bool read_choice(struct walk *w)
{
	return peek(w, '{') ? take_object(w, read_choice_member) : skip_value(w);
}

static int64_t tokens_of(struct slice word)
{
	char text[40];
	char *rest;
	double value;

	if (word.len >= sizeof text)
		return -1;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	value = strtod(text, &rest);
	if (rest == text || *rest || isnan(value))
		return -1;
	return value <= 0 ? 0 : value >= TOKENS_MAX ? (int64_t)TOKENS_MAX : (int64_t)value;
}

static bool read_usage_member(struct walk *w, struct slice key)
{
	int64_t *field = slice_is(key, "prompt_tokens")       ? &w->out->input_tokens
			 : slice_is(key, "completion_tokens") ? &w->out->output_tokens
			 : slice_is(key, "total_tokens")      ? &w->out->total_tokens
							      : NULL;
	struct slice word;

	skip_space(w);
	if (!field || w->at == w->end || !strchr("-0123456789", *w->at))
		return skip_value(w);
	if (!take_word(w, &word))
		return false;
	*field = tokens_of(word);
	return true;
}

/* Words and numbers that name the error; its message is never looked at. */
static bool read_error_member(struct walk *w, struct slice key)
{
	struct slice *field = slice_is(key, "type")   ? &w->out->error_type
			      : slice_is(key, "code") ? &w->out->error_code
						      : NULL;
	bool escaped;

	if (!field || peek(w, '{') || peek(w, '[') || peek(w, 'n'))
		return skip_value(w);
	return peek(w, '"') ? take_string(w, field, &escaped) : take_word(w, field);
}

static bool read_top_member(struct walk *w, struct slice key)
{
	const char *start;

	if (slice_is(key, "choices") && peek(w, '['))
		return take_array(w, read_choice);
	if (slice_is(key, "usage") && peek(w, '{')) {
		w->out->has_usage = true;
		return take_object(w, read_usage_member);
	}
	skip_space(w);
	start = w->at;
	if (slice_is(key, "error") && peek(w, '{') ? !take_object(w, read_error_member)
						   : !skip_value(w))
		return false;
	if (slice_is(key, "error") && *start != 'n')
		w->out->error = (struct slice){ start, (size_t)(w->at - start) };
	return true;
}

bool delta_read(struct slice frame, struct buffer *scratch, struct delta *out)
{
	struct delta found = { .input_tokens = -1, .output_tokens = -1, .total_tokens = -1 };
	struct walk w = { frame.ptr, frame.ptr + frame.len, 0, scratch, &found };

	if (!take_object(&w, read_top_member))
		return false;
	skip_space(&w);
	if (w.at != w.end)
		return false;
	*out = found;
	return true;
}
