/* Bodies against their rows: a verdict with words for any JSON, and what is taken can be read by
 * every row's name. */
#include "../../src/api/shape.h"
#include "base/utf8.h"
#include "fuzz.h"

static const struct shape *const shapes[] = { &shape_chat, &shape_thread_draft, &shape_thread_patch,
					      &shape_message_draft, &shape_message_patch };

static void check_taken(const struct shape *shape, const struct json *object)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *field = &shape->fields[i];
		const struct json *value = shape_value(shape, object, field->name);

		CHECK(value || !field->is_required);
		if (value && field->kind == FIELD_TEXT)
			CHECK(json_type(value) == JSON_STRING &&
			      json_text(value).len <= (size_t)field->max);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_input(data, size);
	const struct shape *shape = shapes[fuzz_byte(&input) % (sizeof shapes / sizeof *shapes)];
	struct json *body = json_parse(input, NULL);
	struct error err = { 0 };

	if (body && json_type(body) == JSON_OBJECT) {
		if (shape_check(shape, body, "", &err)) {
			check_taken(shape, body);
		} else {
			CHECK(err.code == ERROR_VALIDATION || err.code == ERROR_BAD_ID);
			CHECK(err.detail[0]); /* a member without a name has an empty field */
			CHECK(utf8_valid(slice_of(err.detail), NULL));
			CHECK(utf8_valid(slice_of(err.field), NULL));
		}
	}
	json_free(body);
	return 0;
}
