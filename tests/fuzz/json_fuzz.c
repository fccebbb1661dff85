/* The JSON door: what it lets through two lenient readers take as well, holds no text that C or
 * UTF-8 cannot, and is written as it came. */
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

#include <cjson/cJSON.h>
#include <sqlite3.h>

#define TEXT_MAX (1 << 20)

static sqlite3_stmt *is_json;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	sqlite3 *db;

	(void)argc;
	(void)argv;
	CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
	CHECK(sqlite3_prepare_v2(db, "SELECT json_valid(?)", -1, &is_json, NULL) == SQLITE_OK);
	return 0;
}

static bool sqlite_takes(struct slice text)
{
	bool taken;

	sqlite3_bind_text(is_json, 1, text.ptr, (int)text.len, SQLITE_STATIC);
	CHECK(sqlite3_step(is_json) == SQLITE_ROW);
	taken = sqlite3_column_int(is_json, 0) == 1;
	sqlite3_reset(is_json);
	return taken;
}

static bool cjson_takes(struct slice text)
{
	char *copy = fuzz_text(text);
	cJSON *root = cJSON_ParseWithOpts(copy, NULL, true);

	cJSON_Delete(root);
	free(copy);
	return root != NULL;
}

static void check_value(const struct json *value, int depth)
{
	CHECK(depth <= JSON_DEPTH_MAX + 1);
	CHECK(utf8_valid(json_text(value), NULL));
	if (json_type(value) != JSON_OBJECT && json_type(value) != JSON_ARRAY)
		return;
	for (const struct json *in = json_first(value); in; in = json_next(in)) {
		if (json_type(value) == JSON_OBJECT) {
			CHECK(utf8_valid(json_name(in), NULL));
			CHECK(json_get(value, json_name(in).ptr) == in); /* no key twice */
		}
		check_value(in, depth + 1);
	}
}

/* Written and read again it is the same. */
static void check_print(const struct json *root)
{
	struct buffer once, twice;
	struct json *again;

	buffer_init(&once, TEXT_MAX);
	buffer_init(&twice, TEXT_MAX);
	CHECK(json_print(root, &once));
	again = json_parse(buffer_slice(&once), NULL);
	CHECK(again && json_print(again, &twice));
	CHECK(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
	json_free(again);
	buffer_done(&once);
	buffer_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	struct error err = { 0 };
	struct json *root = json_parse(text, &err);

	if (root) {
		CHECK(cjson_takes(text));
		CHECK(sqlite_takes(text));
		check_value(root, 0);
		check_print(root);
	} else {
		CHECK(err.code == ERROR_BAD_JSON || err.code == ERROR_BAD_UTF8 ||
		      err.code == ERROR_DUPLICATE_KEY);
		CHECK((err.code == ERROR_BAD_UTF8) == !utf8_valid(text, NULL));
		CHECK(err.detail[0] && utf8_valid(slice_of(err.detail), NULL));
	}
	json_free(root);
	return 0;
}
