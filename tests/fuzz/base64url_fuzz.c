/* base64url: what is read is written the same again, so each value has one form; and the other way.
 */
#include "base/base64url.h"
#include "fuzz.h"

#define BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char bytes[BYTES_MAX];
	static char letters[BASE64URL_LEN(BYTES_MAX) + 1];
	struct slice text = fuzz_input(data, size);
	size_t len = 0;

	if (size > BYTES_MAX)
		return 0;
	if (base64url_read(text, bytes, sizeof bytes, &len)) {
		base64url_write(bytes, len, letters);
		CHECK(slice_is(text, letters));
	}
	base64url_write((const unsigned char *)text.ptr, size, letters);
	CHECK(strlen(letters) == BASE64URL_LEN(size));
	CHECK(base64url_read(slice_of(letters), bytes, sizeof bytes, &len));
	CHECK(len == size && memcmp(bytes, text.ptr, size) == 0);
	return 0;
}
