/* Retry-After: whatever an upstream says, it is a wait of at most a day, none, or not understood;
 * plain seconds are taken as they stand. */
#include "../../src/net/net_retry_after.h"
#include "fuzz.h"

#define DAY_S     86400
#define UNTOUCHED (-7)

static int read_line(struct slice value)
{
	int seconds = UNTOUCHED;
	struct buffer line;

	buffer_init(&line, 1 << 20);
	buffer_append(&line, SLICE("Retry-After: "));
	buffer_append(&line, value);
	net_retry_after(buffer_slice(&line), &seconds);
	buffer_done(&line);
	return seconds;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_input(data, size);
	int seconds = UNTOUCHED, number = 0;
	size_t digits = 0;

	net_retry_after(input, &seconds);
	CHECK(seconds == UNTOUCHED || (seconds >= -1 && seconds <= DAY_S));
	seconds = read_line(input);
	CHECK(seconds >= -1 && seconds <= DAY_S);
	while (digits < input.len && digits < 6 && input.ptr[digits] >= '0' &&
	       input.ptr[digits] <= '9')
		number = number * 10 + (input.ptr[digits++] - '0');
	if (digits > 0 && digits == input.len)
		CHECK(seconds == (number > DAY_S ? DAY_S : number));
	return 0;
}
