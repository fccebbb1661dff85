/* A value in a log line: one valid JSON string without a control in it, no longer than said, and no
 * secret. */
#include "../../src/base/log_line.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

#define SECRET    "hunter2canary"
#define SHOWN_MAX (512 * 6 + 16)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_line_redact(SECRET);
	return 0;
}

static void check_shown(struct slice shown)
{
	CHECK(utf8_valid(shown, NULL) && shown.len <= SHOWN_MAX);
	CHECK(!fuzz_contains(shown, SLICE(SECRET)));
	for (size_t i = 0; i < shown.len; i++) {
		unsigned char c = (unsigned char)shown.ptr[i];

		CHECK(c >= 0x20 && c != 0x7F);
		CHECK(c != 0xC2 || (unsigned char)shown.ptr[i + 1] >= 0xA0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log_line line; /* too large for a stack */
	struct slice value = fuzz_input(data, size);
	struct error err = { 0 };
	struct json *string;

	line.len = 0;
	log_line_value(&line, value, true);
	check_shown((struct slice){ line.text, line.len });
	/* NUL is the one escape that our strict reader does not take. */
	string = json_parse((struct slice){ line.text, line.len }, &err);
	CHECK(string || memchr(value.ptr, '\0', value.len));
	CHECK(!string || json_type(string) == JSON_STRING);
	json_free(string);
	line.len = 0;
	log_line_value(&line, value, false);
	check_shown((struct slice){ line.text, line.len });
	CHECK(line.text[0] == '"' || !memchr(line.text, ' ', line.len));
	return 0;
}
