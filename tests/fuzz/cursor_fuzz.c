/* Cursors of a list's pages: what is taken is what we would write, and what we write is taken. */
#include "../../src/store/store_ops.h"
#include "base/id.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(fuzz_input(data, size));
	struct thread_page page = { .last = NULL };
	struct thread last = { .id = NULL };
	struct arena arena;

	arena_init(&arena, 1 << 20);
	if (store_cursor_read(text, &page)) {
		CHECK(page.last_ms > 0 && id_valid(slice_of(page.last)));
		last = (struct thread){ .id = page.last, .updated_ms = page.last_ms };
		CHECK(store_cursor_read(store_cursor(&last, &arena), &page));
		CHECK(page.last_ms == last.updated_ms && strcmp(page.last, last.id) == 0);
	} else {
		CHECK(!page.last);
	}
	arena_done(&arena);
	free(text);
	return 0;
}
