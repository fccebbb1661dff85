/* API keys: one that we made is well-formed, and no other than it is after a change of one letter.
 */
#include "../../src/guard/key_text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char made[KEY_TEXT_LEN + 1];
	struct slice input = fuzz_input(data, size);
	char changed[KEY_TEXT_LEN + 1];
	size_t at = fuzz_byte(&input) % KEY_TEXT_LEN;

	if (!made[0])
		key_text_make(made);
	CHECK(key_text_valid(slice_of(made)) && key_text_id(slice_of(made)).len == KEY_ID_LEN);
	if (key_text_valid(input))
		CHECK(input.len == KEY_TEXT_LEN && slice_starts(input, SLICE(KEY_PREFIX)));
	memcpy(changed, made, sizeof changed);
	changed[at] = (char)fuzz_byte(&input);
	CHECK(changed[at] == made[at] || !key_text_valid((struct slice){ changed, KEY_TEXT_LEN }));
	return 0;
}
