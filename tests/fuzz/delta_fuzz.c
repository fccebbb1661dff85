/* delta: the walk without a tree reads what the strict reader's tree holds, and stays in the frame.
 */
#include "../../src/llm/delta.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

#define SCRATCH_MAX (1 << 20)
#define TOKENS_MAX  (INT64_C(1) << 53)

/* A key with an escape in it is another key to the walk. */
static bool has_escaped_key(struct slice text)
{
	bool in_string = false, escaped = false;

	for (size_t i = 0; i < text.len; i++) {
		if (!in_string) {
			in_string = text.ptr[i] == '"';
			escaped = false;
		} else if (text.ptr[i] == '\\') {
			escaped = true;
			i++;
		} else if (text.ptr[i] == '"') {
			in_string = false;
			while (i + 1 < text.len && strchr(" \t\r\n", text.ptr[i + 1]))
				i++;
			if (escaped && i + 1 < text.len && text.ptr[i + 1] == ':')
				return true;
		}
	}
	return false;
}

static int depth_of(const struct json *value)
{
	int deepest = 0;

	for (const struct json *in = json_first(value); in; in = json_next(in)) {
		int depth = depth_of(in);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + (json_type(value) == JSON_OBJECT || json_type(value) == JSON_ARRAY);
}

static struct slice content_of(const struct json *root)
{
	const struct json *choices = json_get(root, "choices");
	const struct json *first =
		choices && json_type(choices) == JSON_ARRAY ? json_first(choices) : NULL;

	return json_text(json_get(json_get(first, "delta"), "content"));
}

static void compare(struct slice frame, const struct delta *delta, bool is_read)
{
	struct json *root = json_parse(frame, NULL);

	if (root && json_type(root) == JSON_OBJECT && depth_of(root) <= DELTA_DEPTH_MAX) {
		CHECK(is_read);
		if (!has_escaped_key(frame))
			CHECK(slice_equal(delta->content, content_of(root)));
	}
	json_free(root);
}

static bool is_inside(struct slice part, struct slice whole)
{
	return part.ptr == NULL || part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static bool is_count(int64_t tokens)
{
	return tokens >= -1 && tokens <= TOKENS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice frame = fuzz_input(data, size);
	struct delta delta = { .content = { NULL, 0 } };
	struct buffer scratch;
	bool is_read;

	buffer_init(&scratch, SCRATCH_MAX);
	is_read = delta_read(frame, &scratch, &delta);
	if (is_read) {
		CHECK(is_inside(delta.content, frame) ||
		      is_inside(delta.content, buffer_slice(&scratch)));
		CHECK(is_inside(delta.finish_reason, frame) && is_inside(delta.error, frame));
		CHECK(is_inside(delta.error_type, frame) && is_inside(delta.error_code, frame));
		CHECK(is_count(delta.input_tokens) && is_count(delta.output_tokens) &&
		      is_count(delta.total_tokens));
		CHECK(!utf8_valid(frame, NULL) || utf8_valid(delta.content, NULL));
	}
	compare(frame, &delta, is_read);
	buffer_done(&scratch);
	return 0;
}
