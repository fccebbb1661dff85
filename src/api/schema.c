/*
 * schema: the rows of shape.h as JSON Schema, for the OpenAPI document. A member that may be absent
 * may be null; a word of a query may not.
 */
#include "api_room.h"

/* grace: up to GRACE_MAX_S */
#define LEAVE_PATTERN "^(continue|cancel|grace:([0-9]{1,3}|[12][0-9]{3}|3[0-5][0-9]{2}|3600))$"

/* As take_question finds them: one of the user is the question. */
#define MESSAGES                                                                                   \
	"\"contains\":{\"type\":\"object\",\"required\":[\"role\"],"                               \
	"\"properties\":{\"role\":{\"const\":\"user\"}}},"                                         \
	"\"items\":{\"oneOf\":[{\"type\":\"object\",\"required\":[\"role\"],\"properties\":{"      \
	"\"role\":{\"enum\":[\"assistant\",\"system\",\"developer\",\"tool\",\"function\","        \
	"\"reasoning\","                                                                           \
	"\"activity\"]}}},{\"type\":\"object\",\"required\":[\"role\",\"content\"],"               \
	"\"properties\":{"                                                                         \
	"\"role\":{\"const\":\"user\"},\"id\":{\"type\":[\"string\",\"null\"],\"pattern\":"        \
	"\"" SCHEMA_ID_PATTERN                                                                     \
	"\"},\"content\":{\"oneOf\":[{\"type\":\"string\",\"minLength\":1},"                       \
	"{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\",\"required\":["         \
	"\"type\","                                                                                \
	"\"text\"],\"properties\":{\"type\":{\"const\":\"text\"},\"text\":{\"type\":\"string\","   \
	"\"minLength\":1}}}}]}}}]}"

static void schema_member(struct json_writer *w, const struct field *field, const char *same_as);

static void put_type(struct json_writer *w, const char *type, bool nullable)
{
	if (nullable) {
		json_key(w, "type");
		buffer_appendf(w->out, "[\"%s\",\"null\"]", type);
		w->need_comma = true;
	} else {
		json_put_text(w, "type", type);
	}
}

static void put_pattern(struct json_writer *w, const char *pattern, bool nullable)
{
	put_type(w, "string", nullable);
	json_put_text(w, "pattern", pattern);
}

static void put_words(struct json_writer *w, const char *words, bool nullable)
{
	json_key(w, "enum");
	json_open(w, '[');
	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		json_string(w, (struct slice){ at, len });
		at += len;
	}
	if (nullable)
		json_raw(w, SLICE("null"));
	json_close(w, ']');
}

/* Which one counts when none is said, unless it is the first. */
static void put_default(struct json_writer *w, const struct field *field)
{
	const char *at = field->words;

	for (int64_t i = 0; i < field->fallback; i++)
		at = strchr(at, ' ') + 1;
	if (field->fallback > 0)
		json_put_slice(w, "default", (struct slice){ at, strcspn(at, " ") });
}

static void put_text(struct json_writer *w, const struct field *field, bool nullable)
{
	put_type(w, "string", nullable);
	if (field->min)
		json_put_int(w, "minLength", field->min);
	if (field->max)
		json_put_int(w, "maxLength", field->max);
	if (field->kind == FIELD_LINE)
		json_put_text(w, "pattern", "^[^\\x00-\\x1f\\x7f]*$");
}

/* One spelling of each row; of one that is required, just one. */
static void put_spellings(struct json_writer *w, const struct shape *shape)
{
	json_key(w, "allOf");
	json_open(w, '[');
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *row = &shape->fields[i];

		if (!row->alias || row->kind == FIELD_ECHO)
			continue;
		buffer_appendf(w->out,
			       row->is_required ? "%s{\"oneOf\":[{\"required\":[\"%s\"]},"
						  "{\"required\":[\"%s\"]}]}"
						: "%s{\"not\":{\"required\":[\"%s\",\"%s\"]}}",
			       w->need_comma ? "," : "", row->name, row->alias);
		w->need_comma = true;
	}
	json_close(w, ']');
}

static bool has_spellings(const struct shape *shape)
{
	for (size_t i = 0; i < shape->count; i++)
		if (shape->fields[i].alias && shape->fields[i].kind != FIELD_ECHO)
			return true;
	return false;
}

static void put_members(struct json_writer *w, const struct shape *shape, bool nullable)
{
	put_type(w, "object", nullable);
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
		schema_member(w, field, NULL);
		if (!field->alias)
			continue;
		json_key(w, field->alias);
		schema_member(w, field, field->name);
	}
	json_close(w, '}');
	if (has_spellings(shape))
		put_spellings(w, shape);
	if (shape->rule)
		buffer_appendf(w->out, ",%s", shape->rule);
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

static void put_either(struct json_writer *w, const struct field *field, bool nullable)
{
	json_key(w, "oneOf");
	json_open(w, '[');
	json_open(w, '{');
	put_text(w, field, nullable);
	json_close(w, '}');
	json_open(w, '{');
	put_members(w, field->members, false);
	json_close(w, '}');
	json_close(w, ']');
}

static void put_field(struct json_writer *w, const struct field *field, bool nullable)
{
	switch (field->kind) {
	case FIELD_ID: put_pattern(w, SCHEMA_ID_PATTERN, nullable); break;
	case FIELD_WORD:
		put_words(w, field->words, nullable);
		put_default(w, field);
		break;
	case FIELD_MESSAGES:
		put_type(w, "array", false);
		json_raw(w, SLICE(MESSAGES));
		break;
	case FIELD_LEAVE: put_pattern(w, LEAVE_PATTERN, nullable); break;
	case FIELD_NUMBER: put_number(w, field); break;
	case FIELD_FLAG: put_type(w, "boolean", nullable); break;
	case FIELD_OBJECT: put_members(w, field->members, nullable); break;
	case FIELD_EITHER: put_either(w, field, nullable); break;
	case FIELD_ECHO: break;
	default: put_text(w, field, nullable);
	}
}

static void schema_member(struct json_writer *w, const struct field *field, const char *same_as)
{
	json_open(w, '{');
	put_field(w, field, !field->is_required);
	if (same_as) {
		json_key(w, "description");
		buffer_appendf(w->out, "\"The same as %s\"", same_as);
		w->need_comma = true;
	} else if (field->about) {
		json_put_text(w, "description", field->about);
	}
	json_close(w, '}');
}

void schema_word(struct json_writer *w, const struct field *field)
{
	json_open(w, '{');
	put_field(w, field, false);
	if (field->about)
		json_put_text(w, "description", field->about);
	json_close(w, '}');
}

static bool is_told(const struct route *first, const struct route *route)
{
	for (; first != route; first = route_next(first))
		if (first->takes == route->takes)
			return true;
	return false;
}

void schema_bodies(struct json_writer *w, const struct route *first)
{
	for (const struct route *at = first; at; at = route_next(at)) {
		if (!at->takes || is_told(first, at))
			continue;
		json_key(w, at->takes->name);
		json_open(w, '{');
		put_members(w, at->takes, false);
		json_close(w, '}');
	}
}
