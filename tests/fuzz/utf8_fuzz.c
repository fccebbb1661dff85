/* UTF-8: the same verdict as arithmetic over Unicode's table 3-7, and cuts that leave whole
 * characters. */
#include "base/utf8.h"
#include "fuzz.h"

/* The character at `at`, decoded and written again; its length, 0: malformed. */
static size_t by_arithmetic(const unsigned char *at, size_t left)
{
	size_t len = at[0] < 0x80       ? 1
		     : at[0] >> 5 == 6  ? 2
		     : at[0] >> 4 == 14 ? 3
		     : at[0] >> 3 == 30 ? 4
					: 0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;

	if (len == 0 || len > left)
		return 0;
	code = len == 1 ? at[0] : at[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		code = code << 6 | (at[i] & 0x3Fu);
	}
	return code >= least[len] && code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF) ? len
											     : 0;
}

static bool valid_by_arithmetic(struct slice text, size_t *bad_at, size_t *characters)
{
	size_t len;

	*characters = 0;
	for (size_t i = 0; i < text.len; i += len, ++*characters)
		if ((len = by_arithmetic((const unsigned char *)text.ptr + i, text.len - i)) == 0) {
			*bad_at = i;
			return false;
		}
	return true;
}

static void check_cuts(struct slice text, size_t max, size_t characters)
{
	size_t cut = utf8_cut(text, max), partial, ignored, counted;
	struct slice prefix = utf8_prefix(text, max);

	CHECK(cut <= max && cut <= text.len);
	CHECK(cut + 3 >= max || cut == text.len);
	CHECK(valid_by_arithmetic((struct slice){ text.ptr, cut }, &ignored, &counted));
	CHECK(prefix.ptr == text.ptr && valid_by_arithmetic(prefix, &ignored, &counted));
	CHECK(counted == (max < characters ? max : characters));
	if (max <= text.len) {
		partial = utf8_partial_tail((struct slice){ text.ptr, max });
		CHECK(max - partial == cut);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	size_t max = fuzz_byte(&text), bad_at = 0, wanted_bad_at = 0, characters;
	bool is_valid = utf8_valid(text, &bad_at);

	CHECK(is_valid == valid_by_arithmetic(text, &wanted_bad_at, &characters));
	CHECK(is_valid == utf8_valid(text, NULL));
	if (text.len > 0)
		CHECK(utf8_length(text) ==
		      by_arithmetic((const unsigned char *)text.ptr, text.len));
	CHECK(utf8_partial_tail(text) <= 3);
	if (is_valid) {
		CHECK(utf8_partial_tail(text) == 0);
		check_cuts(text, max, characters);
	} else {
		CHECK(bad_at == wanted_bad_at);
	}
	return 0;
}
