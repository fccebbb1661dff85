/* An address taken apart: path and query are parts of it, parameters are all of the query and
 * nothing else, decoding undoes encoding, and every row of the queries gives a verdict with words.
 */
#include "../../src/api/api_room.h"
#include "base/utf8.h"
#include "fuzz.h"

static void check_decode(struct arena *arena, struct slice raw)
{
	struct error err = { 0 };
	struct slice text, again;
	struct buffer encoded;

	if (!request_decode(arena, raw, true, &text, &err)) {
		CHECK(err.code == ERROR_BAD_REQUEST || err.code == ERROR_BAD_UTF8);
		return;
	}
	CHECK(text.len <= raw.len && utf8_valid(text, NULL) && strlen(text.ptr) == text.len);
	buffer_init(&encoded, 1 << 20);
	for (size_t i = 0; i < text.len; i++)
		buffer_appendf(&encoded, "%%%02X", (unsigned char)text.ptr[i]);
	CHECK(request_decode(arena, buffer_slice(&encoded), false, &again, NULL));
	CHECK(slice_equal(text, again));
	buffer_done(&encoded);
}

static void check_rows(const struct shape *shape, struct slice name, struct slice value)
{
	char shown[SHOWN_SIZE];
	struct error err = { 0 };

	field_show(shown, "", name);
	for (size_t i = 0; i < shape->count; i++)
		if (!field_check_text(&shape->fields[i], shown, value, &err))
			CHECK(err.code == ERROR_VALIDATION || err.code == ERROR_BAD_ID);
	if (!shape_find(shape, name)) {
		CHECK(!field_unknown(shape, &query_owner, shown, name, &err));
		CHECK(err.code == ERROR_VALIDATION && utf8_valid(slice_of(err.detail), NULL));
	}
}

static void check_params(struct arena *arena, struct slice query)
{
	static const struct shape *const shapes[] = {
		&query_chat,        &query_stream,  &query_threads, &query_messages,   &query_runs,
		&query_all_threads, &query_history, &query_bare,    &query_openui_chat
	};
	struct slice rest = query, name, value;
	const char *at = query.ptr;

	while (request_next_param(&rest, &name, &value)) {
		CHECK(name.ptr >= at && name.len + value.len <= query.len);
		CHECK(!memchr(name.ptr, '=', name.len) && !memchr(name.ptr, '&', name.len));
		CHECK(!memchr(value.ptr, '&', value.len));
		check_decode(arena, value);
		for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
			check_rows(shapes[i], name, value);
		at = rest.ptr;
	}
	CHECK(rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request = { .target = fuzz_input(data, size) };
	struct error err = { 0 };
	struct arena arena;

	arena_init(&arena, 16 << 20);
	check_decode(&arena, request.target);
	if (request_split_target(&request, &err)) {
		CHECK(request.path.ptr[0] == '/' &&
		      !memchr(request.path.ptr, '?', request.path.len));
		CHECK(request.path.len + request.query.len + 1 >= request.target.len);
		check_params(&arena, request.query);
	} else {
		CHECK(err.code == ERROR_BAD_REQUEST && err.detail[0]);
	}
	arena_done(&arena);
	return 0;
}
