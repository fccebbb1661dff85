/* record_read: a line of an export, by tables of its fields. */
#include "record_room.h"

#include "base/digits.h"
#include "base/id.h"
#include <stddef.h>

/* A line is one level around metadata, and has some twenty keys of its own. */
static const struct json_bounds line_bounds = { .depth = 101, .keys = 8256, .values = 65600 };

enum kind {
	ID, /* of a thread or message */
	ID_OR_NULL,
	TEXT,
	TEXT_OR_NULL,
	NUMBER,         /* 0 or more */
	NUMBER_OR_NULL, /* NULL: -1 */
	FLAG,
	CONTENT, /* a text, as a slice */
	VALUE,   /* JSON of somebody's, or a text that stands for it; may be null */
	ROLE,
	STATUS,
};

static const char *const wants[] = {
	[ID] = "an id: letters, digits, '.', '_' and '-', 128 at most",
	[ID_OR_NULL] = "an id or null",
	[TEXT] = "a string",
	[TEXT_OR_NULL] = "a string or null",
	[NUMBER] = "a whole number from 0",
	[NUMBER_OR_NULL] = "a whole number from 0, or null",
	[FLAG] = "true or false",
	[CONTENT] = "a string",
	[VALUE] = "an object, a string or null",
	[ROLE] = "user, assistant, system or tool",
	[STATUS] = "complete, length, stopped, error or interrupted",
};

struct field {
	const char *key;
	enum kind kind;
	size_t at; /* in the struct */
};

#define OF(type, member) offsetof(struct type, member)

static const struct field of_header[] = {
	{ "version", NUMBER, OF(record_header, version) },
	{ "made_ms", NUMBER_OR_NULL, OF(record_header, made_ms) },
	{ "by", TEXT_OR_NULL, OF(record_header, by) },
	{ "user", TEXT_OR_NULL, OF(record_header, user) },
	{ 0 },
};

static const struct field of_thread[] = {
	{ "id", ID, OF(thread, id) },
	{ "user_id", TEXT, OF(thread, user_id) },
	{ "title", TEXT, OF(thread, title) },
	{ "created_ms", NUMBER, OF(thread, created_ms) },
	{ "updated_ms", NUMBER, OF(thread, updated_ms) },
	{ "rev", NUMBER, OF(thread, rev) },
	{ "archived", FLAG, OF(thread, archived) },
	{ "metadata", VALUE, OF(thread, metadata) },
	{ 0 },
};

static const struct field of_message[] = {
	{ "thread_id", ID, OF(message, thread_id) },
	{ "id", ID, OF(message, id) },
	{ "seq", NUMBER, OF(message, seq) },
	{ "role", ROLE, OF(message, role) },
	{ "status", STATUS, OF(message, status) },
	{ "created_ms", NUMBER, OF(message, created_ms) },
	{ "updated_ms", NUMBER, OF(message, updated_ms) },
	{ "run_id", ID_OR_NULL, OF(message, run_id) },
	{ "parent_id", ID_OR_NULL, OF(message, parent_id) },
	{ "key", TEXT_OR_NULL, OF(message, key) },
	{ "question", TEXT_OR_NULL, OF(message, question) },
	{ "model", TEXT_OR_NULL, OF(message, model) },
	{ "finish_reason", TEXT_OR_NULL, OF(message, finish_reason) },
	{ "input_tokens", NUMBER_OR_NULL, OF(message, usage.input) },
	{ "output_tokens", NUMBER_OR_NULL, OF(message, usage.output) },
	{ "total_tokens", NUMBER_OR_NULL, OF(message, usage.total) },
	{ "unasked", FLAG, OF(message, unasked) },
	{ "feedback", VALUE, OF(message, feedback) },
	{ "metadata", VALUE, OF(message, metadata) },
	{ "content", CONTENT, OF(message, content) },
	{ 0 },
};

static const struct field of_end[] = {
	{ "threads", NUMBER_OR_NULL, OF(record_end, threads) },
	{ "messages", NUMBER_OR_NULL, OF(record_end, messages) },
	{ "checksum", TEXT_OR_NULL, OF(record_end, checksum) },
	{ 0 },
};

/* --- one field --- */

/* What may be null may be left out: people write such files, too. */
static bool is_null(const struct json *value)
{
	return !value || json_type(value) == JSON_NULL;
}

static bool may_lack(enum kind kind)
{
	return kind == ID_OR_NULL || kind == TEXT_OR_NULL || kind == NUMBER_OR_NULL ||
	       kind == VALUE || kind == FLAG;
}

static bool take_text(const struct json *value, bool may_be_null, struct arena *arena,
		      const char **out)
{
	*out = NULL;
	if (may_be_null && is_null(value))
		return true;
	return json_type(value) == JSON_STRING && (*out = arena_copy(arena, json_text(value)));
}

static bool take_id(const struct json *value, bool may_be_null, struct arena *arena,
		    const char **out)
{
	return take_text(value, may_be_null, arena, out) && (!*out || id_valid(slice_of(*out)));
}

static bool take_number(const struct json *value, bool may_be_null, int64_t *out)
{
	*out = -1;
	return (may_be_null && is_null(value)) || digits_read(json_number(value), DIGITS_MAX, out);
}

static bool take_flag(const struct json *value, bool *out)
{
	*out = value && json_true(value);
	return !value || json_type(value) == JSON_BOOL;
}

static bool take_content(const struct json *value, struct arena *arena, struct slice *out)
{
	*out = json_text(value);
	return json_type(value) == JSON_STRING && (out->ptr = arena_copy(arena, *out));
}

static bool take_value(const struct json *value, struct arena *arena, const char **out)
{
	struct buffer text;
	bool ok;

	if (is_null(value) || (json_type(value) != JSON_OBJECT && json_type(value) != JSON_ARRAY))
		return take_text(value, true, arena, out);
	buffer_init(&text, RECORD_MAX);
	ok = json_print(value, &text) && (*out = arena_copy(arena, buffer_slice(&text)));
	buffer_done(&text);
	return ok;
}

static bool take_role(const struct json *value, enum message_role *out)
{
	return message_role_parse(json_text(value), out);
}

static bool take_status(const struct json *value, enum message_status *out)
{
	return message_status_parse(json_text(value), out) && *out != STATUS_STREAMING;
}

static bool take(const struct json *value, enum kind kind, struct arena *arena, void *to)
{
	switch (kind) {
	case ID: return take_id(value, false, arena, to);
	case ID_OR_NULL: return take_id(value, true, arena, to);
	case TEXT: return take_text(value, false, arena, to);
	case TEXT_OR_NULL: return take_text(value, true, arena, to);
	case NUMBER: return take_number(value, false, to);
	case NUMBER_OR_NULL: return take_number(value, true, to);
	case FLAG: return take_flag(value, to);
	case CONTENT: return take_content(value, arena, to);
	case VALUE: return take_value(value, arena, to);
	case ROLE: return take_role(value, to);
	case STATUS: return take_status(value, to);
	}
	return false;
}

/* --- a line --- */

static bool read_fields(const struct json *object, const struct field *fields, struct arena *arena,
			void *out, struct error *err)
{
	for (const struct field *field = fields; field->key; field++) {
		const struct json *value = json_get(object, field->key);

		if (!value && !may_lack(field->kind))
			return error_field(err, ERROR_VALIDATION, field->key, "%s is missing",
					   field->key);
		if (!take(value, field->kind, arena, (char *)out + field->at))
			return arena->failed ? error_set(err, ERROR_OVERLOADED, "no memory for it")
					     : error_field(err, ERROR_VALIDATION, field->key,
							   "%s has to be %s", field->key,
							   wants[field->kind]);
	}
	return true;
}

static bool read_object(const struct json *object, struct arena *arena, struct record *out,
			struct error *err)
{
	struct slice type = json_text(json_get(object, "type"));

	*out = (struct record){ .kind = RECORD_HEADER };
	if (slice_is(type, "message")) {
		out->kind = RECORD_MESSAGE;
		return read_fields(object, of_message, arena, &out->message, err);
	}
	if (slice_is(type, "thread")) {
		out->kind = RECORD_THREAD;
		return read_fields(object, of_thread, arena, &out->thread, err);
	}
	if (slice_is(type, "end")) {
		out->kind = RECORD_END;
		return read_fields(object, of_end, arena, &out->end, err);
	}
	if (slice_is(type, "c1d-export"))
		return read_fields(object, of_header, arena, &out->header, err);
	return error_field(err, ERROR_VALIDATION, "type",
			   "type has to be c1d-export, thread, message or end");
}

bool record_read(struct slice line, struct arena *arena, struct record *out, struct error *err)
{
	struct json *object = json_parse_within(line, &line_bounds, err);
	struct record read;
	bool ok;

	if (!object)
		return false;
	ok = read_object(object, arena, &read, err);
	if (ok)
		*out = read;
	json_free(object);
	return ok;
}
