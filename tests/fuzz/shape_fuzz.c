/* Bodies against their rows: a verdict with words for any JSON, and what is taken can be read by
 * every row's name. So can what an alias makes of it. */
#include "../../src/api/api_room.h"
#include "base/id.h"
#include "base/utf8.h"
#include "fuzz.h"

static const struct shape *const shapes[] = { &shape_chat,          &shape_thread_draft,
					      &shape_thread_patch,  &shape_message_draft,
					      &shape_message_patch, &shape_thread_title,
					      &shape_message_whole, &shape_openui_draft,
					      &shape_openui_chat };

static void check_taken(const struct shape *shape, const struct json *object)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *field = &shape->fields[i];
		const struct json *value = shape_value(shape, object, field->name);

		CHECK(value || !field->is_required);
		CHECK(!value || field->kind != FIELD_ECHO);
		if (value && field->kind == FIELD_TEXT)
			CHECK(json_type(value) == JSON_STRING &&
			      json_text(value).len <= (size_t)field->max);
	}
}

static void check_words(const struct error *err)
{
	CHECK(err->code == ERROR_VALIDATION || err->code == ERROR_BAD_ID);
	CHECK(err->detail[0]); /* a member without a name has an empty field */
	CHECK(utf8_valid(slice_of(err->detail), NULL));
	CHECK(utf8_valid(slice_of(err->field), NULL));
}

/* Each alias that takes such a body turns it into what a handler reads, or says why not. */
static void check_turns(const struct shape *shape, const struct json *body)
{
	for (const struct route *at = aliases; at; at = route_next(at)) {
		struct arena arena;
		struct call call = { .arena = &arena, .route = at, .body = body };
		struct error err = { 0 };

		if (at->takes != shape || !at->turn)
			continue;
		arena_init(&arena, 16 << 20);
		if (!at->turn(&call, &err))
			check_words(&err);
		else if (call.said.ptr)
			CHECK(call.said.len > 0 && utf8_valid(call.said, NULL) &&
			      (!call.said_id.ptr || id_valid(call.said_id)));
		else
			CHECK(id_valid(slice_of(call.ids[1])));
		arena_done(&arena);
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
			check_turns(shape, body);
		} else {
			check_words(&err);
		}
	}
	json_free(body);
	return 0;
}
