/* shape: bodies and single values against their rows. See shape.h. */
#include "shape.h"

#include "base/digits.h"
#include "base/id.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include <stdio.h>

/* --- names --- */

static bool has_name(const struct field *field, struct slice name)
{
	return slice_is(name, field->name) || (field->alias && slice_is(name, field->alias));
}

const struct field *shape_find(const struct shape *shape, struct slice name)
{
	for (size_t i = 0; i < shape->count; i++)
		if (has_name(&shape->fields[i], name))
			return &shape->fields[i];
	return NULL;
}

void field_show(char out[SHOWN_SIZE], const char *path, struct slice name)
{
	size_t at = (size_t)snprintf(out, SHOWN_SIZE, "%s", path);

	for (size_t i = 0; i < name.len && at + 1 < SHOWN_SIZE; i++)
		out[at++] = name.ptr[i] > 0x20 && name.ptr[i] < 0x7F ? name.ptr[i] : '?';
	out[at] = '\0';
}

static void offer_names(const struct shape *shape, struct nearest *nearest)
{
	for (size_t i = 0; shape && i < shape->count; i++) {
		if (shape->fields[i].kind == FIELD_ECHO)
			continue;
		nearest_offer(nearest, shape->fields[i].name);
		if (shape->fields[i].alias)
			nearest_offer(nearest, shape->fields[i].alias);
	}
}

static void list_names(const struct shape *shape, char *out, size_t size)
{
	for (size_t i = 0; shape && i < shape->count; i++)
		if (shape->fields[i].kind != FIELD_ECHO)
			snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? ", " : "",
				 shape->fields[i].name);
}

bool field_unknown(const struct shape *shape, const struct shape *more, const char *shown,
		   struct slice name, struct error *err)
{
	struct nearest nearest = nearest_to(name);
	char names[160] = "";

	offer_names(shape, &nearest);
	offer_names(more, &nearest);
	if (nearest.name)
		return error_field(err, ERROR_VALIDATION, shown,
				   "%s is unknown here; did you mean %s?", shown, nearest.name);
	list_names(shape, names, sizeof names);
	list_names(more, names, sizeof names);
	return error_field(err, ERROR_VALIDATION, shown, "%s is unknown here. There is: %s.", shown,
			   *names ? names : "nothing");
}

bool field_missing(const char *shown, struct error *err)
{
	return error_field(err, ERROR_VALIDATION, shown, "%s is missing or empty.", shown);
}

/* --- single values --- */

static bool check_length(const struct field *field, const char *shown, struct slice text,
			 struct error *err)
{
	bool is_bytes = field->kind == FIELD_BYTES || field->kind == FIELD_EITHER;
	size_t max = (size_t)field->max;

	if (text.len < (size_t)field->min)
		return error_field(err, ERROR_VALIDATION, shown, "%s cannot be empty.", shown);
	return text.len <= max || (!is_bytes && utf8_prefix(text, max).len == text.len) ||
	       error_field(err, ERROR_VALIDATION, shown, "%s is longer than %lld %s.", shown,
			   (long long)field->max, is_bytes ? "bytes" : "characters");
}

static bool check_line(const struct field *field, const char *shown, struct slice text,
		       struct error *err)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
			return error_field(err, ERROR_VALIDATION, shown,
					   "%s holds a control character.", shown);
	return check_length(field, shown, text, err);
}

static bool check_number(const struct field *field, const char *shown, struct slice text,
			 struct error *err)
{
	int64_t n;

	return (field_number(text, &n) && n >= field->min && n <= field->max) ||
	       error_field(err, ERROR_VALIDATION, shown,
			   "%s has to be a whole number from %lld to %lld.", shown,
			   (long long)field->min, (long long)field->max);
}

bool field_number(struct slice text, int64_t *out)
{
	bool negative = slice_starts(text, SLICE("-"));
	int64_t n;

	if (!digits_read(negative ? slice_skip(text, 1) : text, DIGITS_MAX, &n))
		return false;
	*out = negative ? -n : n;
	return true;
}

int field_word(const struct field *field, struct slice text)
{
	const char *at = field->words;

	for (int i = 0; *at; i++, at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		if (slice_equal(text, (struct slice){ at, len }))
			return i;
		at += len;
	}
	return -1;
}

bool leave_parse(struct slice text, enum leave_policy *policy, int64_t *grace_ms)
{
	int64_t seconds = 0;

	if (slice_is(text, "continue"))
		*policy = LEAVE_CONTINUE;
	else if (slice_is(text, "cancel"))
		*policy = LEAVE_CANCEL;
	else if (slice_starts(text, SLICE("grace:")) &&
		 field_number(slice_skip(text, 6), &seconds) && seconds >= 0 &&
		 seconds <= GRACE_MAX_S)
		*policy = LEAVE_GRACE;
	else
		return false;
	*grace_ms = seconds * 1000;
	return true;
}

bool field_check_text(const struct field *field, const char *shown, struct slice text,
		      struct error *err)
{
	enum leave_policy policy;
	int64_t grace_ms;

	switch (field->kind) {
	case FIELD_ID:
		return id_valid(text) ||
		       error_field(err, ERROR_BAD_ID, shown,
				   "%s is no id: 1 to 128 of A-Z a-z 0-9 _ - and, not first, '.'.",
				   shown);
	case FIELD_WORD:
		return field_word(field, text) >= 0 ||
		       error_field(err, ERROR_VALIDATION, shown, "%s has to be one of: %s.", shown,
				   field->words);
	case FIELD_LEAVE:
		return leave_parse(text, &policy, &grace_ms) ||
		       error_field(err, ERROR_VALIDATION, shown,
				   "%s has to be continue, cancel or grace:SECONDS (up to %d).",
				   shown, GRACE_MAX_S);
	case FIELD_NUMBER: return check_number(field, shown, text, err);
	case FIELD_LINE: return check_line(field, shown, text, err);
	default: return check_length(field, shown, text, err);
	}
}

/* --- bodies --- */

static bool has_type(enum json_type type, enum json_type wanted, const char *what,
		     const char *shown, struct error *err)
{
	return type == wanted ||
	       error_field(err, ERROR_VALIDATION, shown, "%s has to be %s.", shown, what);
}

static bool check_members(const struct field *field, const struct json *value, const char *shown,
			  struct error *err)
{
	char path[SHOWN_SIZE];

	snprintf(path, sizeof path, "%.60s.", shown);
	return !field->members || shape_check(field->members, value, path, err);
}

static bool check_value(const struct field *field, const struct json *value, const char *shown,
			struct error *err)
{
	enum json_type type = json_type(value);

	if (type == JSON_NULL)
		return true;
	switch (field->kind) {
	case FIELD_ECHO: return true;
	case FIELD_FLAG: return has_type(type, JSON_BOOL, "true or false", shown, err);
	case FIELD_MESSAGES: return has_type(type, JSON_ARRAY, "an array", shown, err);
	case FIELD_EITHER:
		if (type == JSON_STRING)
			return check_length(field, shown, json_text(value), err);
		return has_type(type, JSON_OBJECT, "a string or an object", shown, err) &&
		       check_members(field, value, shown, err);
	case FIELD_OBJECT:
		return has_type(type, JSON_OBJECT, "an object", shown, err) &&
		       check_members(field, value, shown, err);
	default:
		return has_type(type, JSON_STRING, "a string", shown, err) &&
		       field_check_text(field, shown, json_text(value), err);
	}
}

static const struct json *get(const struct json *object, const char *name)
{
	const struct json *value = name ? json_get(object, name) : NULL;

	return value && json_type(value) != JSON_NULL ? value : NULL;
}

/* One field in two spellings has to be the same text, and what is required has to be there. */
static bool check_pair(const struct field *field, const struct json *object, const char *path,
		       struct error *err)
{
	const struct json *value = get(object, field->name), *other = get(object, field->alias);
	char shown[SHOWN_SIZE];

	field_show(shown, path, slice_of(field->name));
	if (value && other && field->kind != FIELD_ECHO &&
	    (json_type(value) != JSON_STRING || json_type(other) != JSON_STRING ||
	     !slice_equal(json_text(value), json_text(other))))
		return error_field(err, ERROR_VALIDATION, shown,
				   "%s and %s differ; send one of them.", field->name,
				   field->alias);
	return !field->is_required || value || other || field_missing(shown, err);
}

bool shape_check(const struct shape *shape, const struct json *object, const char *path,
		 struct error *err)
{
	for (const struct json *value = json_first(object); value; value = json_next(value)) {
		struct slice name = json_name(value);
		const struct field *field = shape_find(shape, name);
		char shown[SHOWN_SIZE];

		field_show(shown, path, name);
		if (!field)
			return field_unknown(shape, NULL, shown, name, err);
		if (!check_value(field, value, shown, err))
			return false;
	}
	for (size_t i = 0; i < shape->count; i++)
		if (!check_pair(&shape->fields[i], object, path, err))
			return false;
	return true;
}

const struct json *shape_value(const struct shape *shape, const struct json *object,
			       const char *name)
{
	const struct field *field = shape_find(shape, slice_of(name));
	const struct json *value;

	if (!field || field->kind == FIELD_ECHO)
		return NULL;
	value = get(object, field->name);
	return value ? value : get(object, field->alias);
}
