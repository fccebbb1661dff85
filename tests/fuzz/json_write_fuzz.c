/* The JSON writer: whatever text without a NUL is put in comes out of the reader again, and is
 * escaped the same into a buffer that just holds it. */
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

#define TEXT_MAX (1 << 22)

static void check_tight(struct slice text, struct slice escaped)
{
	struct buffer tight;

	buffer_init(&tight, escaped.len);
	CHECK(json_escape(&tight, text));
	CHECK(slice_equal(buffer_slice(&tight), escaped));
	buffer_done(&tight);
	if (escaped.len == 0)
		return;
	buffer_init(&tight, escaped.len - 1);
	CHECK(!json_escape(&tight, text));
	buffer_done(&tight);
}

static void check_at(struct slice text, struct slice escaped)
{
	char *room = malloc(JSON_ESCAPED_MAX(text.len) + 1), *end;

	CHECK(room);
	end = json_escape_at(room, text);
	CHECK(slice_equal((struct slice){ room, (size_t)(end - room) }, escaped));
	free(room);
}

static void check_read(struct slice text, struct slice written)
{
	struct json *root = json_parse(written, NULL);

	CHECK(root && json_type(root) == JSON_STRING);
	CHECK(slice_equal(json_text(root), text));
	json_free(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	struct json_writer w;
	struct buffer out;

	buffer_init(&out, TEXT_MAX);
	json_writer_init(&w, &out);
	json_string(&w, text);
	CHECK(!out.failed && out.len >= 2);
	check_tight(text, (struct slice){ out.data + 1, out.len - 2 });
	check_at(text, (struct slice){ out.data + 1, out.len - 2 });
	if (utf8_valid(text, NULL) && !memchr(text.ptr, 0, text.len))
		check_read(text, buffer_slice(&out));
	buffer_done(&out);
	return 0;
}
