/* schema: the rows of shape.h as JSON Schema, for the OpenAPI document. */
#include "api_room.h"

static void put_words(struct json_writer *w, const char *words)
{
	json_key(w, "enum");
	json_open(w, '[');
	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		json_string(w, (struct slice){ at, len });
		at += len;
	}
	json_close(w, ']');
}

static void put_text(struct json_writer *w, const struct field *field)
{
	json_put_text(w, "type", "string");
	if (field->min)
		json_put_int(w, "minLength", field->min);
	if (field->max)
		json_put_int(w, "maxLength", field->max);
}

static void put_members(struct json_writer *w, const struct shape *shape)
{
	json_put_text(w, "type", "object");
	if (!shape)
		return;
	json_put_bool(w, "additionalProperties", false);
	json_key(w, "required");
	json_open(w, '[');
	for (size_t i = 0; i < shape->count; i++)
		if (shape->fields[i].is_required && !shape->fields[i].alias)
			json_string(w, slice_of(shape->fields[i].name));
	json_close(w, ']');
	json_key(w, "properties");
	json_open(w, '{');
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *field = &shape->fields[i];

		json_key(w, field->name);
		schema_field(w, field, NULL);
		if (!field->alias)
			continue;
		json_key(w, field->alias);
		schema_field(w, field, field->name);
	}
	json_close(w, '}');
}

static void put_number(struct json_writer *w, const struct field *field)
{
	json_put_text(w, "type", "integer");
	json_put_int(w, "minimum", field->min);
	if (field->max < INT64_MAX)
		json_put_int(w, "maximum", field->max);
	if (field->fallback > 0)
		json_put_int(w, "default", field->fallback);
}

static void put_either(struct json_writer *w, const struct field *field)
{
	json_key(w, "oneOf");
	json_open(w, '[');
	json_open(w, '{');
	put_text(w, field);
	json_close(w, '}');
	json_open(w, '{');
	put_members(w, field->members);
	json_close(w, '}');
	json_close(w, ']');
}

void schema_field(struct json_writer *w, const struct field *field, const char *same_as)
{
	json_open(w, '{');
	switch (field->kind) {
	case FIELD_ID:
		json_put_text(w, "type", "string");
		json_put_text(w, "pattern", SCHEMA_ID_PATTERN);
		break;
	case FIELD_WORD: put_words(w, field->words); break;
	case FIELD_LEAVE:
		json_put_text(w, "type", "string");
		json_put_text(w, "pattern", "^(continue|cancel|grace:[0-9]+)$");
		break;
	case FIELD_NUMBER: put_number(w, field); break;
	case FIELD_FLAG: json_put_text(w, "type", "boolean"); break;
	case FIELD_OBJECT: put_members(w, field->members); break;
	case FIELD_EITHER: put_either(w, field); break;
	case FIELD_ECHO: break;
	default: put_text(w, field);
	}
	if (same_as) {
		json_key(w, "description");
		buffer_appendf(w->out, "\"The same as %s\"", same_as);
		w->need_comma = true;
	} else if (field->about) {
		json_put_text(w, "description", field->about);
	}
	json_close(w, '}');
}

static bool is_told(const struct route *table, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (table[i].takes == table[index].takes)
			return true;
	return false;
}

void schema_bodies(struct json_writer *w, const struct route *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!table[i].takes || is_told(table, i))
			continue;
		json_key(w, table[i].takes->name);
		json_open(w, '{');
		put_members(w, table[i].takes);
		json_close(w, '}');
	}
}
