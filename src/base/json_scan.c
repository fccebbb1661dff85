/*
 * json_scan: one pass over the text by RFC 8259, before a parser sees it: grammar, depth, number of
 * keys, no key twice, no \u0000, no lone surrogate, nothing behind the value. It allocates nothing
 * but the list of keys seen.
 */
#include "json_scan.h"

#include "base/digits.h"
#include "base/utf8.h"
#include "json_plain.h"
#include <math.h>
#include <stdlib.h>

struct key {
	struct slice raw; /* between its quotes, still escaped */
	uint64_t hash;    /* of the unescaped key */
	int object;       /* which object it is in: each has a number */
};

struct scan {
	const char *begin, *at, *end;
	const struct json_bounds *bounds;
	struct error *err;
	int depth, objects;
	struct key *keys; /* bounds->keys of them */
	size_t key_count, value_count;
};

static bool value(struct scan *s);

static bool bad(struct scan *s, const char *why)
{
	return error_set(s->err, ERROR_BAD_JSON, "Not valid JSON at byte %zu: %s.",
			 (size_t)(s->at - s->begin), why);
}

static void white(struct scan *s)
{
	while (s->at < s->end &&
	       (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* --- strings --- */

/* Behind "\u": the code point, or -1 after having said why. */
static long unicode_escape(struct scan *s)
{
	int high = hex_four(s->at, s->end), low;

	if (high < 0)
		return bad(s, "\\u needs four hexadecimal digits") - 1L;
	if (high == 0)
		return bad(s, "\\u0000 is not taken") - 1L;
	s->at += 4;
	if (high >= 0xDC00 && high <= 0xDFFF)
		return bad(s, "a lone surrogate") - 1L;
	if (high < 0xD800 || high > 0xDBFF)
		return high;
	low = s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u'
		      ? hex_four(s->at + 2, s->end)
		      : -1;
	if (low < 0xDC00 || low > 0xDFFF)
		return bad(s, "a lone surrogate") - 1L;
	s->at += 6;
	return 0x10000 + ((long)(high - 0xD800) << 10) + (low - 0xDC00);
}

static long simple_escape(char c)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *found = c ? strchr(names, c) : NULL;

	return found ? means[found - names] : -1;
}

/* FNV-1a over code points, so that "a" and "\u0061" are the same key. */
static uint64_t hash_add(uint64_t hash, unsigned long code)
{
	for (int i = 0; i < 3; i++, code >>= 8)
		hash = (hash ^ (code & 0xFF)) * 0x100000001B3u;
	return hash;
}

/* One code point of a string, which is well-formed UTF-8. -1 after having said why. */
static long next_code(struct scan *s)
{
	unsigned char c = (unsigned char)*s->at++;
	long code;
	int more;

	if (c < 0x20) {
		s->at--;
		return bad(s, "a control character in a string") - 1L;
	}
	if (c == '\\') {
		if (s->at == s->end)
			return bad(s, "it ends inside a string") - 1L;
		c = (unsigned char)*s->at++;
		if (c == 'u')
			return unicode_escape(s);
		code = simple_escape((char)c);
		return code < 0 ? bad(s, "an unknown escape") - 1L : code;
	}
	if (c < 0x80)
		return c;
	more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
	code = c & (0x3F >> more);
	while (more-- > 0)
		code = code << 6 | ((unsigned char)*s->at++ & 0x3F);
	return code;
}

/* Any part of a character but of an escape: the text is well-formed UTF-8. */
static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '\\';
}

/* From a plain byte on. */
static size_t plain_run(const struct scan *s)
{
	size_t run = s->end - s->at >= JSON_BLOCK ? json_plain(s->at) : 0;

	return run > 0 ? run : 1;
}

static bool string(struct scan *s, struct slice *raw, uint64_t *hash)
{
	const char *begin;
	uint64_t sum = 0xCBF29CE484222325u;
	long code;

	if (!take(s, '"'))
		return bad(s, "a string was expected");
	for (begin = s->at; s->at < s->end && *s->at != '"';) {
		if (!hash && is_plain(*s->at)) {
			s->at += plain_run(s);
			continue;
		}
		if (hash && s->at - begin >= JSON_KEY_MAX)
			return bad(s, "a key is too long");
		if ((code = next_code(s)) < 0)
			return false;
		if (hash)
			sum = hash_add(sum, (unsigned long)code);
	}
	if (s->at == s->end)
		return bad(s, "it ends inside a string");
	*raw = (struct slice){ begin, (size_t)(s->at - begin) };
	s->at++;
	if (hash)
		*hash = sum;
	return true;
}

/* --- keys --- */

static bool same_text(struct slice a, struct slice b)
{
	struct scan x = { .begin = a.ptr, .at = a.ptr, .end = a.ptr + a.len };
	struct scan y = { .begin = b.ptr, .at = b.ptr, .end = b.ptr + b.len };

	while (x.at < x.end && y.at < y.end)
		if (next_code(&x) != next_code(&y))
			return false;
	return x.at == x.end && y.at == y.end;
}

/* An object's keys lie behind `first`, between those of the objects in it: the number tells whose
 * each is. */
static bool add_key(struct scan *s, size_t first, int object, struct slice raw, uint64_t hash)
{
	if (s->key_count == s->bounds->keys)
		return bad(s, "too many keys");
	for (size_t i = first; i < s->key_count; i++)
		if (s->keys[i].object == object && s->keys[i].hash == hash &&
		    same_text(s->keys[i].raw, raw))
			return error_set(s->err, ERROR_DUPLICATE_KEY,
					 "A key occurs twice in one object, at byte %zu.",
					 (size_t)(raw.ptr - s->begin));
	s->keys[s->key_count++] = (struct key){ raw, hash, object };
	return true;
}

static bool object(struct scan *s)
{
	int number = ++s->objects;
	size_t first = s->key_count;
	struct slice raw = { NULL, 0 };
	uint64_t hash = 0;

	white(s);
	if (take(s, '}'))
		return true;
	do {
		white(s);
		if (!string(s, &raw, &hash) || !add_key(s, first, number, raw, hash))
			return false;
		white(s);
		if (!take(s, ':'))
			return bad(s, "':' was expected");
		if (!value(s))
			return false;
		white(s);
	} while (take(s, ','));
	return take(s, '}') || bad(s, "',' or '}' was expected");
}

static bool array(struct scan *s)
{
	white(s);
	if (take(s, ']'))
		return true;
	do {
		if (!value(s))
			return false;
		white(s);
	} while (take(s, ','));
	return take(s, ']') || bad(s, "',' or ']' was expected");
}

/* --- numbers, words --- */

static bool digits(struct scan *s)
{
	const char *begin = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > begin || bad(s, "a digit was expected");
}

static bool number(struct scan *s)
{
	const char *begin = s->at;
	char text[64];
	double read;

	take(s, '-');
	if (!take(s, '0') && !digits(s))
		return false;
	if (take(s, '.') && !digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		if (!digits(s))
			return false;
	}
	if ((size_t)(s->at - begin) >= sizeof text)
		return bad(s, "a number of more than 63 characters");
	memcpy(text, begin, (size_t)(s->at - begin));
	text[s->at - begin] = '\0';
	read = strtod(text, NULL);
	return isfinite(read) || bad(s, "a number that is too large");
}

static bool word(struct scan *s, struct slice text)
{
	if (!slice_starts((struct slice){ s->at, (size_t)(s->end - s->at) }, text))
		return bad(s, "a value was expected");
	s->at += text.len;
	return true;
}

static bool value(struct scan *s)
{
	struct slice raw;
	bool ok;

	white(s);
	if (s->at == s->end)
		return bad(s, "it ends too early");
	if (++s->value_count > s->bounds->values)
		return bad(s, "too many values");
	switch (*s->at) {
	case '"': return string(s, &raw, NULL);
	case 't': return word(s, SLICE("true"));
	case 'f': return word(s, SLICE("false"));
	case 'n': return word(s, SLICE("null"));
	case '{':
	case '[':
		if (s->depth == s->bounds->depth)
			return bad(s, "nested too deep");
		s->depth++;
		ok = *s->at++ == '{' ? object(s) : array(s);
		s->depth--;
		return ok;
	default: return number(s);
	}
}

bool json_scan(struct slice text, const struct json_bounds *bounds, struct error *err)
{
	struct scan s = { .begin = text.ptr,
			  .at = text.ptr,
			  .end = text.ptr + text.len,
			  .bounds = bounds,
			  .err = err };
	size_t bad_at;
	bool ok;

	if (!utf8_valid(text, &bad_at))
		return error_set(err, ERROR_BAD_UTF8, "The body is not valid UTF-8 at byte %zu.",
				 bad_at);
	s.keys = malloc(bounds->keys * sizeof *s.keys); /* each is written before it is read */
	if (!s.keys)
		return error_set(err, ERROR_OVERLOADED, "No memory.");
	ok = value(&s);
	white(&s);
	if (ok && s.at != s.end)
		ok = bad(&s, "something stands behind the value");
	free(s.keys);
	return ok;
}
