/* firestore_value: fields of a document, {"stringValue": ...} and so on, each by its type. Absent
 * and null are the same. */
#include "firestore_room.h"

#include "base/utf8.h"
#include <stdlib.h>
#include <time.h>

#define OBJECT_MAX   (1u << 20) /* of a map as JSON: it was in a document */
#define DOUBLE_WHOLE 0x1p53     /* up to there a double tells whole numbers apart */

static const struct firestore_json *value_of(const struct firestore_json *fields, const char *key)
{
	const struct firestore_json *field = firestore_member(fields, key);

	return field && field->type == FJ_OBJECT && field->first &&
			       !slice_is(field->first->name, "nullValue")
		       ? field->first
		       : NULL;
}

bool firestore_has(const struct firestore_json *fields, const char *key)
{
	return value_of(fields, key) != NULL;
}

static bool is_of(const struct firestore_json *value, const char *type)
{
	return value && slice_is(value->name, type);
}

/* --- views --- */

struct slice firestore_text(const struct firestore_json *fields, const char *key)
{
	return firestore_member_text(firestore_member(fields, key), "stringValue");
}

struct slice firestore_timestamp(const struct firestore_json *fields, const char *key)
{
	return firestore_member_text(firestore_member(fields, key), "timestampValue");
}

/* Where a language has one type of numbers, programs write whole ones as doubles. */
static bool read_whole(const char *digits, int64_t *out)
{
	char *end;
	double number = strtod(digits, &end);

	if (*end != '\0' || !(number >= -DOUBLE_WHOLE && number <= DOUBLE_WHOLE) ||
	    number != (double)(int64_t)number)
		return false;
	*out = (int64_t)number;
	return true;
}

static bool read_int(const struct firestore_json *value, int64_t *out)
{
	char digits[32], *end;

	if (!value || value->text.len == 0 || value->text.len >= sizeof digits)
		return false;
	memcpy(digits, value->text.ptr, value->text.len);
	digits[value->text.len] = '\0';
	if (is_of(value, "doubleValue") && value->type == FJ_NUMBER)
		return read_whole(digits, out);
	*out = strtoll(digits, &end, 10);
	return is_of(value, "integerValue") && *end == '\0';
}

int64_t firestore_int(const struct firestore_json *fields, const char *key)
{
	int64_t number;

	return read_int(value_of(fields, key), &number) ? number : 0;
}

/* --- times --- */

/* n digits at *at, which moves behind them and what follows; -1: they are none. */
static int digits_at(struct slice *at, size_t n, char behind)
{
	int value = 0;

	if (at->len < n + (behind != '\0'))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (at->ptr[i] < '0' || at->ptr[i] > '9')
			return -1;
		value = value * 10 + at->ptr[i] - '0';
	}
	if (behind && at->ptr[n] != behind)
		return -1;
	*at = slice_skip(*at, n + (behind != '\0'));
	return value;
}

/* ".123456" in milliseconds, rounded down. */
static int fraction(struct slice *at)
{
	int ms = 0, place = 100;

	if (at->len == 0 || *at->ptr != '.')
		return 0;
	for (*at = slice_skip(*at, 1); at->len > 0 && *at->ptr >= '0' && *at->ptr <= '9';
	     *at = slice_skip(*at, 1), place /= 10)
		ms += (*at->ptr - '0') * place;
	return ms;
}

/* Always UTC: so Firestore writes them. What was in three digits of years is damage. */
bool firestore_time_read(struct slice text, int64_t *wall_ms)
{
	int year = digits_at(&text, 4, '-'), month = digits_at(&text, 2, '-');
	int day = digits_at(&text, 2, 'T'), hour = digits_at(&text, 2, ':');
	int minute = digits_at(&text, 2, ':'), second = digits_at(&text, 2, '\0');
	int ms = fraction(&text);
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month - 1,
			 .tm_mday = day,
			 .tm_hour = hour,
			 .tm_min = minute,
			 .tm_sec = second };

	if (year < 1000 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
	    !slice_is(text, "Z"))
		return false;
	*wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return true;
}

/* --- taking --- */

struct slice firestore_take_slice(struct firestore_taker *t, const char *key, bool needed)
{
	const struct firestore_json *value = value_of(t->fields, key);
	struct slice text = { NULL, 0 };

	if (value && is_of(value, "stringValue") && value->type == FJ_STRING)
		text = value->text;
	t->bad = t->bad || (!text.ptr && (value || needed)) ||
		 (text.ptr && !utf8_valid(text, NULL)); /* others may write here too */
	if (t->bad || !text.ptr || !(text.ptr = arena_copy(t->arena, text)))
		return (struct slice){ NULL, 0 };
	return text;
}

/* A C string: a NUL would cut it. */
const char *firestore_take_text(struct firestore_taker *t, const char *key, bool needed)
{
	struct slice text = firestore_take_slice(t, key, needed);

	t->bad = t->bad || (text.ptr && memchr(text.ptr, '\0', text.len));
	return text.ptr;
}

int64_t firestore_take_int(struct firestore_taker *t, const char *key, int64_t otherwise)
{
	const struct firestore_json *value = value_of(t->fields, key);
	int64_t number = otherwise;

	t->bad = t->bad || (value && !read_int(value, &number));
	return number;
}

bool firestore_take_bool(struct firestore_taker *t, const char *key)
{
	const struct firestore_json *value = value_of(t->fields, key);

	t->bad = t->bad || (value && !is_of(value, "booleanValue"));
	return value && slice_is(value->text, "true");
}

int64_t firestore_take_time(struct firestore_taker *t, const char *key, int64_t otherwise)
{
	const struct firestore_json *value = value_of(t->fields, key);
	int64_t ms = otherwise;

	if (value)
		t->bad = t->bad || !is_of(value, "timestampValue") ||
			 !firestore_time_read(value->text, &ms);
	t->bad = t->bad || ms == INT64_MIN;
	return ms;
}

const struct firestore_json *firestore_take_map(struct firestore_taker *t, const char *key)
{
	const struct firestore_json *value = value_of(t->fields, key);

	t->bad = t->bad || (value && !is_of(value, "mapValue"));
	return value ? firestore_member(value, "fields") : NULL;
}

/* --- maps as JSON --- */

static void put_json(struct json_writer *w, const struct firestore_json *field);

static void put_members(struct json_writer *w, const struct firestore_json *map)
{
	const struct firestore_json *fields = firestore_member(map, "fields");

	json_open(w, '{');
	for (const struct firestore_json *at = fields ? fields->first : NULL; at; at = at->next) {
		json_string(w, at->name);
		buffer_append_char(w->out, ':');
		w->need_comma = false;
		put_json(w, at);
	}
	json_close(w, '}');
}

static void put_items(struct json_writer *w, const struct firestore_json *array)
{
	const struct firestore_json *values = firestore_member(array, "values");

	json_open(w, '[');
	for (const struct firestore_json *at = values ? values->first : NULL; at; at = at->next)
		put_json(w, at);
	json_close(w, ']');
}

/* Bytes, references and times are texts. Infinity and the like, which JSON has not, are null; so is
 * what is none of JSON's: a point of the globe. */
static void put_json(struct json_writer *w, const struct firestore_json *field)
{
	const struct firestore_json *value = field->first;
	int64_t number;

	if (is_of(value, "mapValue"))
		put_members(w, value);
	else if (is_of(value, "arrayValue"))
		put_items(w, value);
	else if (is_of(value, "doubleValue") && value->type == FJ_NUMBER)
		json_raw(w, value->text);
	else if (read_int(value, &number))
		json_int(w, number);
	else if (is_of(value, "booleanValue"))
		json_bool(w, slice_is(value->text, "true"));
	else if (value && value->type == FJ_STRING && !is_of(value, "doubleValue"))
		json_string(w, value->text);
	else
		json_null(w);
}

static const char *object_of_map(struct firestore_taker *t, const struct firestore_json *map)
{
	const char *text = NULL;
	struct json_writer w;
	struct buffer out;

	buffer_init(&out, OBJECT_MAX);
	json_writer_init(&w, &out);
	put_members(&w, map);
	t->bad = t->bad || out.failed || !utf8_valid(buffer_slice(&out), NULL);
	if (!t->bad)
		text = arena_copy(t->arena, buffer_slice(&out));
	buffer_done(&out);
	return text;
}

/* It is sent on as it is, so it has to be one. */
static bool is_object(struct slice text)
{
	const struct firestore_json *root;
	struct arena arena;
	char *copy;
	bool ok;

	arena_init(&arena, OBJECT_MAX * 64);
	copy = arena_copy(&arena, text);
	root = copy ? firestore_json(copy, text.len, &arena) : NULL;
	ok = root && root->type == FJ_OBJECT;
	arena_done(&arena);
	return ok;
}

const char *firestore_take_object(struct firestore_taker *t, const char *key)
{
	const struct firestore_json *value = value_of(t->fields, key);
	const char *text;

	if (is_of(value, "mapValue"))
		return object_of_map(t, value);
	text = firestore_take_text(t, key, false);
	t->bad = t->bad || (text && !is_object(slice_of(text)));
	return text;
}
