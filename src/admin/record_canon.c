/*
 * record_canon: JSON in the form that does not depend on which store kept it. PostgreSQL's jsonb
 * sorts keys and rewrites numbers, Firestore keeps doubles; so keys are sorted by their bytes, and
 * a number is the double that it means.
 */
#include "record_room.h"

#include <stdio.h>
#include <stdlib.h>

/* No text of somebody's is nested deeper, so that neither is this. */
const struct json_bounds record_metadata_bounds = { .depth = 100, .keys = 8192, .values = 65536 };

static int by_name(const void *a, const void *b)
{
	return strcmp(json_name(*(const struct json *const *)a).ptr,
		      json_name(*(const struct json *const *)b).ptr);
}

static void put(struct json_writer *w, const struct json *value);

static void put_object(struct json_writer *w, const struct json *object)
{
	size_t count = 0, at = 0;
	const struct json **members;

	for (const struct json *in = json_first(object); in; in = json_next(in))
		count++;
	members = calloc(count + 1, sizeof(struct json *));
	if (!members) {
		w->out->failed = true;
		return;
	}
	for (const struct json *in = json_first(object); in; in = json_next(in))
		members[at++] = in;
	qsort(members, count, sizeof(struct json *), by_name);
	json_open(w, '{');
	for (size_t i = 0; i < count; i++) {
		json_string(w, json_name(members[i]));
		buffer_append_char(w->out, ':');
		w->need_comma = false;
		put(w, members[i]);
	}
	json_close(w, '}');
	free(members);
}

static void put_array(struct json_writer *w, const struct json *array)
{
	json_open(w, '[');
	for (const struct json *in = json_first(array); in; in = json_next(in))
		put(w, in);
	json_close(w, ']');
}

/* -0 is 0: a store that keeps decimals has no other. */
static void put_number(struct json_writer *w, const struct json *number)
{
	double value = strtod(json_number(number).ptr, NULL);
	char text[40];

	snprintf(text, sizeof text, "%.17g", value == 0 ? 0.0 : value);
	json_raw(w, slice_of(text));
}

static void put(struct json_writer *w, const struct json *value)
{
	switch (json_type(value)) {
	case JSON_OBJECT: put_object(w, value); break;
	case JSON_ARRAY: put_array(w, value); break;
	case JSON_STRING: json_string(w, json_text(value)); break;
	case JSON_NUMBER: put_number(w, value); break;
	case JSON_BOOL: json_bool(w, json_true(value)); break;
	case JSON_NULL: json_null(w); break;
	}
}

bool record_canon(const struct json *value, struct buffer *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	put(&w, value);
	return !out->failed;
}
