/*
 * json_read: the tree. cJSON parses what json_scan has let through, so its leniencies never show;
 * struct json is its item.
 */
#include "base/json.h"

#include "json_scan.h"
#include <cjson/cJSON.h>
#include <stdlib.h>

static const cJSON *item_of(const struct json *value)
{
	return (const cJSON *)value;
}

struct json *json_parse(struct slice text, struct error *err)
{
	cJSON *root;

	if (!json_scan(text, err))
		return NULL;
	root = cJSON_ParseWithLength(text.ptr, text.len);
	if (!root)
		error_set(err, ERROR_BAD_JSON, "Not valid JSON.");
	return (struct json *)root;
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
	case cJSON_Number: return JSON_NUMBER;
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

bool json_true(const struct json *value)
{
	return value && cJSON_IsTrue(item_of(value));
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
