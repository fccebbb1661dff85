/* C1 text as a whole, and JSON's escapes: what is escaped can be read again, and what is valid
 * stays valid. */
#include "../../src/llm/c1_text.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "llm/c1.h"

#define OUT_MAX (1 << 22)

static void read_json(struct slice inside, struct slice wanted)
{
	struct buffer text;
	struct json *string;

	buffer_init(&text, OUT_MAX);
	buffer_append_char(&text, '"');
	buffer_append(&text, inside);
	buffer_append_char(&text, '"');
	CHECK((string = json_parse(buffer_slice(&text), NULL)));
	CHECK(slice_equal(json_text(string), wanted));
	json_free(string);
	buffer_done(&text);
}

static void check_escapes(struct slice text, struct buffer *out, struct buffer *back)
{
	CHECK(c1_escape(out, text));
	CHECK(!memchr(buffer_slice(out).ptr, '<', out->len));
	CHECK(c1_unescape(back, buffer_slice(out)));
	CHECK(slice_equal(buffer_slice(back), text));
}

static void check_json_escapes(struct slice text, struct buffer *out, struct buffer *back)
{
	if (!utf8_valid(text, NULL) || memchr(text.ptr, '\0', text.len))
		return;
	buffer_reset(out);
	buffer_reset(back);
	CHECK(json_escape(out, text));
	read_json(buffer_slice(out), text);
	buffer_reset(out);
	CHECK(c1_text_escape(out, text) && c1_unescape(back, buffer_slice(out)));
	read_json(buffer_slice(back), text);
}

static void check_readers(struct slice text, struct buffer *out)
{
	bool valid = utf8_valid(text, NULL);

	buffer_reset(out);
	CHECK(c1_plain_text(out, text) && out->len <= text.len);
	CHECK(!valid || utf8_valid(buffer_slice(out), NULL));
	CHECK(c1_is_content(text) || slice_equal(buffer_slice(out), text));
	buffer_reset(out);
	CHECK(c1_stored(out, text) && out->len <= text.len);
	CHECK(!valid || utf8_valid(buffer_slice(out), NULL));
	buffer_reset(out);
	CHECK(c1_text_valid(out, text) && utf8_valid(buffer_slice(out), NULL));
	CHECK(!valid || slice_equal(buffer_slice(out), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	struct buffer out, back;

	buffer_init(&out, OUT_MAX);
	buffer_init(&back, OUT_MAX);
	check_escapes(text, &out, &back);
	check_json_escapes(text, &out, &back);
	check_readers(text, &out);
	buffer_done(&out);
	buffer_done(&back);
	return 0;
}
