/* FastCGI records on their way out: a reader of our own here finds in them what was written, in
 * records that end where they say, whatever the bytes and wherever they were cut. */
#include "../../src/server/record.h"
#include "base/clock.h"
#include "fuzz.h"

#include <sys/socket.h>

#define BYTES_MAX 100000
#define ID        0x1234

static int ends[2];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

static struct slice read_back(char *into, size_t size)
{
	ssize_t n = recv(ends[1], into, size, MSG_DONTWAIT);

	return (struct slice){ into, n > 0 ? (size_t)n : 0 };
}

/* The text of the STDOUT records; *ended: END_REQUEST came, and nothing behind it. */
static void read_records(struct slice bytes, struct buffer *text, bool *ended)
{
	bool out_ended = false;

	*ended = false;
	while (bytes.len > 0) {
		const unsigned char *head = (const unsigned char *)bytes.ptr;
		size_t content;

		CHECK(bytes.len >= RECORD_HEADER && !*ended);
		content = (size_t)head[4] << 8 | head[5];
		CHECK(head[0] == 1 && (head[2] << 8 | head[3]) == ID);
		CHECK(bytes.len >= RECORD_HEADER + content + head[6]);
		if (head[1] == 3) {
			CHECK(content == 8 && out_ended);
			*ended = true;
		} else {
			CHECK(head[1] == 6 && !out_ended);
			out_ended = content == 0;
			buffer_append(text, (struct slice){ bytes.ptr + RECORD_HEADER, content });
		}
		bytes = slice_skip(bytes, RECORD_HEADER + content + head[6]);
	}
}

static void check_management(struct slice pair, unsigned type)
{
	unsigned char out[64];
	size_t len = record_values(out, sizeof out, pair);

	CHECK(len == (pair.len <= sizeof out - RECORD_HEADER ? RECORD_HEADER + pair.len : 0));
	CHECK(record_unknown(out, (unsigned char)type) == 16 && out[8] == type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char raw[2 * BYTES_MAX];
	struct slice head = fuzz_input(data, size), body;
	bool is_last = fuzz_byte(&head) % 2, ended;
	size_t cut = fuzz_byte(&head) * 64;
	const struct record_way way = { .fd = ends[0],
					.request_id = ID,
					.write_ms = 10000,
					.until_ms = clock_mono_ms() + 10000 };
	struct buffer text;

	if (size > BYTES_MAX)
		return 0;
	cut = cut < head.len ? cut : head.len;
	body = slice_skip(head, cut);
	buffer_init(&text, BYTES_MAX);
	CHECK(record_write(&way, (struct slice){ head.ptr, cut }, body, is_last));
	read_records(read_back(raw, sizeof raw), &text, &ended);
	CHECK(ended == is_last && slice_equal(buffer_slice(&text), head));
	check_management(head, is_last);
	buffer_done(&text);
	return 0;
}
