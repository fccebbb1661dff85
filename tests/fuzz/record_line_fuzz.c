/* Lines of an export that anybody may have changed: one is read, or refused in words that can be
 * shown; what was read is written and read again as the same, and has the same sum then. */
#include "admin/record.h"
#include "base/utf8.h"
#include "fuzz.h"

#define ARENA_MAX ((size_t)64 << 20)

static void write_again(const struct record *record, struct buffer *out, struct record_sum *sum)
{
	switch (record->kind) {
	case RECORD_HEADER: CHECK(record_write_header(out, &record->header)); break;
	case RECORD_THREAD:
		CHECK(record_write_thread(out, &record->thread));
		CHECK(record_sum_thread(sum, &record->thread));
		break;
	case RECORD_MESSAGE:
		CHECK(record_write_message(out, &record->message));
		CHECK(record_sum_message(sum, &record->message));
		break;
	case RECORD_END:
		if (record->end.threads >= 0 && record->end.messages >= 0)
			*sum = (struct record_sum){ .threads = record->end.threads,
						    .messages = record->end.messages };
		CHECK(record_write_end(out, sum));
		break;
	}
}

static void check_written(const struct record *record, struct arena *arena)
{
	struct record_sum first = { 0 }, second = { 0 };
	struct record again;
	struct error err = { 0 };
	struct buffer once, twice;
	struct slice line;

	buffer_init(&once, RECORD_MAX);
	buffer_init(&twice, RECORD_MAX);
	write_again(record, &once, &first);
	line = buffer_slice(&once);
	CHECK(line.len > 0 && line.ptr[line.len - 1] == '\n');
	line.len--;
	CHECK(!memchr(line.ptr, '\n', line.len));
	CHECK(record_read(line, arena, &again, &err) && again.kind == record->kind);
	write_again(&again, &twice, &second);
	CHECK(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
	CHECK(record_sum_equal(&first, &second));
	buffer_done(&once);
	buffer_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_input(data, size);
	struct error err = { 0 };
	struct record record;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	if (record_read(input, &arena, &record, &err)) {
		check_written(&record, &arena);
	} else {
		CHECK(err.code != ERROR_NONE && err.detail[0]);
		CHECK(utf8_valid(slice_of(err.detail), NULL));
	}
	arena_done(&arena);
	return 0;
}
