/* fields: what a request says, checked where it is read; an error names the field. */
#include "api_room.h"

#include "base/id.h"
#include <stdio.h>

#define METADATA_MAX 16384

/* The value in either spelling; NULL when absent or null. */
static bool find(const struct json *object, const char *name, const char *alias,
		 const struct json **out, struct error *err)
{
	const struct json *value = json_get(object, name),
			  *other = alias ? json_get(object, alias) : NULL;

	if (value && json_type(value) == JSON_NULL)
		value = NULL;
	if (other && json_type(other) == JSON_NULL)
		other = NULL;
	if (value && other &&
	    (json_type(value) != json_type(other) ||
	     !slice_equal(json_text(value), json_text(other))))
		return error_field(err, ERROR_VALIDATION, name,
				   "%s and %s differ; send one of them.", name, alias);
	*out = value ? value : other;
	return true;
}

bool field_text(const struct call *call, const struct json *object, const char *name,
		const char *alias, size_t max, struct slice *out, struct error *err)
{
	const struct json *value = NULL;

	(void)call;
	if (!find(object, name, alias, &value, err))
		return false;
	if (!value)
		return true;
	if (json_type(value) != JSON_STRING)
		return error_field(err, ERROR_VALIDATION, name, "%s has to be a string.", name);
	if (json_text(value).len > max)
		return error_field(err, ERROR_VALIDATION, name, "%s is longer than %zu bytes.",
				   name, max);
	*out = json_text(value);
	return true;
}

static bool check_id(struct slice id, const char *name, struct error *err)
{
	return id_valid(id) ||
	       error_field(err, ERROR_BAD_ID, name,
			   "%s is no id: 1 to 128 of A-Z a-z 0-9 _ - and, not first, '.'.", name);
}

bool field_id(const struct call *call, const struct json *object, const char *name,
	      const char *alias, struct slice *out, struct error *err)
{
	struct slice id = { NULL, 0 };

	if (!field_text(call, object, name, alias, SIZE_MAX, &id, err))
		return false;
	if (!id.ptr)
		return true;
	if (!check_id(id, name, err))
		return false;
	*out = id;
	return true;
}

bool field_bool(const struct json *object, const char *name, int *out, struct error *err)
{
	const struct json *value = NULL;

	if (!find(object, name, NULL, &value, err))
		return false;
	if (!value)
		return true;
	if (json_type(value) != JSON_BOOL)
		return error_field(err, ERROR_VALIDATION, name, "%s has to be true or false.",
				   name);
	*out = json_true(value);
	return true;
}

bool field_object(const struct call *call, const struct json *object, const char *name,
		  const char **out, struct error *err)
{
	const struct json *value = NULL;
	struct buffer text;

	if (!find(object, name, NULL, &value, err))
		return false;
	if (!value)
		return true;
	if (json_type(value) != JSON_OBJECT)
		return error_field(err, ERROR_VALIDATION, name, "%s has to be an object.", name);
	buffer_init(&text, METADATA_MAX);
	if (json_print(value, &text))
		*out = arena_copy(call->arena, buffer_slice(&text));
	else
		error_field(err, ERROR_VALIDATION, name, "%s is larger than %d bytes.", name,
			    METADATA_MAX);
	buffer_done(&text);
	return *out != NULL;
}

bool field_missing(const char *name, struct error *err)
{
	return error_field(err, ERROR_VALIDATION, name, "%s is missing or empty.", name);
}

/* --- the query --- */

bool query_text(const struct call *call, const char *name, size_t max, const char **out,
		struct error *err)
{
	struct error mine = { 0 };
	struct slice text;

	if (!request_query(call->request, name, &text, &mine)) {
		if (mine.code != ERROR_NONE && err)
			*err = mine;
		return mine.code == ERROR_NONE;
	}
	if (text.len > max)
		return error_field(err, ERROR_VALIDATION, name, "%s is longer than %zu bytes.",
				   name, max);
	*out = arena_copy(call->arena, text);
	return *out || error_set(err, ERROR_OVERLOADED, "No memory for this request.");
}

bool query_id(const struct call *call, const char *name, const char **out, struct error *err)
{
	return query_text(call, name, ID_MAX * 3, out, err) &&
	       (!*out || check_id(slice_of(*out), name, err));
}

bool query_word(const struct call *call, const char *name, const char *const *words, int count,
		int *out, struct error *err)
{
	const char *text = NULL;
	char list[128] = "";

	if (!query_text(call, name, 64, &text, err))
		return false;
	if (!text)
		return true;
	for (int i = 0; i < count; i++)
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return true;
		}
	for (int i = 0; i < count; i++)
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
			 words[i]);
	return error_field(err, ERROR_VALIDATION, name, "%s has to be one of: %s.", name, list);
}

bool percent_encode(struct buffer *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-._~", c)))
			buffer_append_char(out, c);
		else
			buffer_appendf(out, "%%%02X", (unsigned char)c);
	}
	return !out->failed;
}
