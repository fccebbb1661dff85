/*
 * json_read: the tree. cJSON parses what json_scan has let through, so its leniencies never show;
 * struct json is its item.
 */
#include "base/json.h"

#include "json_scan.h"
#include <cjson/cJSON.h>
#include <string.h>

static const cJSON *item_of(const struct json *value)
{
	return (const cJSON *)value;
}

/* --- numbers --- */

/* The next number of a text that was scanned: the next digit or '-' that is in no string. */
static struct slice next_number(struct slice *text)
{
	bool in_string = false;
	struct slice number;
	size_t at = 0, len = 0;

	for (; at < text->len; at++) {
		char c = text->ptr[at];

		if (in_string && c == '\\')
			at++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '-' || (c >= '0' && c <= '9')))
			break;
	}
	*text = slice_skip(*text, at);
	while (len < text->len && strchr("+-.eE0123456789", text->ptr[len]))
		len++;
	number = (struct slice){ text->ptr, len };
	*text = slice_skip(*text, len);
	return number;
}

/* A double holds no whole number from 2^53 on, and prints others differently than they came. So
 * each number of the tree, which is in the text's order, becomes its own text. */
static bool keep_numbers(cJSON *item, struct slice *text)
{
	struct slice number;

	if (cJSON_IsNumber(item)) {
		number = next_number(text);
		if (!(item->valuestring = cJSON_malloc(number.len + 1)))
			return false;
		memcpy(item->valuestring, number.ptr, number.len);
		item->valuestring[number.len] = '\0';
		item->type = cJSON_Raw;
	}
	for (item = item->child; item; item = item->next)
		if (!keep_numbers(item, text))
			return false;
	return true;
}

struct json *json_parse(struct slice text, struct error *err)
{
	static const struct json_bounds of_a_body = { JSON_DEPTH_MAX, JSON_KEYS_MAX,
						      JSON_VALUES_MAX };

	return json_parse_within(text, &of_a_body, err);
}

struct json *json_parse_within(struct slice text, const struct json_bounds *bounds,
			       struct error *err)
{
	struct slice rest = text;
	cJSON *root;

	if (!json_scan(text, bounds, err))
		return NULL;
	root = cJSON_ParseWithLength(text.ptr, text.len);
	if (root && keep_numbers(root, &rest))
		return (struct json *)root;
	cJSON_Delete(root);
	error_set(err, ERROR_OVERLOADED, "No memory for this body.");
	return NULL;
}

void json_free(struct json *root)
{
	cJSON_Delete((cJSON *)root);
}

enum json_type json_type(const struct json *value)
{
	switch (item_of(value)->type & 0xFF) {
	case cJSON_True:
	case cJSON_False: return JSON_BOOL;
	case cJSON_Raw: return JSON_NUMBER;
	case cJSON_String: return JSON_STRING;
	case cJSON_Array: return JSON_ARRAY;
	case cJSON_Object: return JSON_OBJECT;
	default: return JSON_NULL;
	}
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (!object || !cJSON_IsObject(item_of(object)))
		return NULL;
	return (const struct json *)cJSON_GetObjectItemCaseSensitive(item_of(object), key);
}

struct slice json_text(const struct json *string)
{
	return string && cJSON_IsString(item_of(string)) ? slice_of(item_of(string)->valuestring)
							 : SLICE("");
}

struct slice json_number(const struct json *number)
{
	return number && json_type(number) == JSON_NUMBER ? slice_of(item_of(number)->valuestring)
							  : SLICE("");
}

bool json_true(const struct json *value)
{
	return value && cJSON_IsTrue(item_of(value));
}

const struct json *json_first(const struct json *container)
{
	return (const struct json *)item_of(container)->child;
}

const struct json *json_next(const struct json *value)
{
	return (const struct json *)item_of(value)->next;
}

struct slice json_name(const struct json *value)
{
	return slice_of(item_of(value)->string);
}

bool json_print(const struct json *value, struct buffer *out)
{
	char *text = cJSON_PrintUnformatted(item_of(value));
	bool ok = text && buffer_append(out, slice_of(text));

	cJSON_free(text);
	return ok;
}

#define TEXT_OF(n)        #n
#define VERSION(...)      VERSION_(__VA_ARGS__)
#define VERSION_(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *json_version(bool running)
{
	return running ? cJSON_Version()
		       : VERSION(CJSON_VERSION_MAJOR, CJSON_VERSION_MINOR, CJSON_VERSION_PATCH);
}
