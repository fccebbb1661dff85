/* The reader of lines: what a file holds comes out as its lines, each once and in order, however
 * the file's end is; from a pipe that gives it in any pieces. */
#include "../../src/admin/lines.h"
#include "fuzz.h"

#include <unistd.h>

#define PIPE_MAX 60000 /* a pipe takes so much without a reader */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size < PIPE_MAX ? size : PIPE_MAX), line;
	struct error err = { 0 };
	struct lines lines;
	enum lines_got got;
	int64_t number = 0;
	int ends[2];

	CHECK(pipe(ends) == 0);
	CHECK(write(ends[1], rest.ptr, rest.len) == (ssize_t)rest.len);
	close(ends[1]);
	lines_init(&lines, ends[0], NULL);
	while ((got = lines_next(&lines, &line, &err)) == LINES_LINE || got == LINES_CUT) {
		const char *end = memchr(rest.ptr, '\n', rest.len);

		CHECK(rest.len > 0 && (end != NULL) == (got == LINES_LINE));
		CHECK(slice_equal(line, fuzz_line(&rest)) && lines.number == ++number);
	}
	CHECK(got == LINES_END && rest.len == 0);
	lines_done(&lines);
	close(ends[0]);
	return 0;
}
