/* The file of the site's secrets: any bytes are refused as damaged or are lines that say the same
 * again; nothing is ever made in the place of a damaged one. */
#include "../../src/guard/secret_file.h"
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

static char place[64];
static int file = -1;

static void remove_place(void)
{
	char path[96];

	snprintf(path, sizeof path, "%s/secret", place);
	unlink(path);
	rmdir(place);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[96];

	(void)argc;
	(void)argv;
	snprintf(place, sizeof place, "%s/c1d-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(place));
	atexit(remove_place);
	snprintf(path, sizeof path, "%s/secret", place);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return file < 0;
}

static void check_lines(const struct secret_set *set, struct slice text)
{
	CHECK(set->count > 0 && set->count <= SECRETS_MAX);
	for (size_t i = 0; i < set->count; i++) {
		struct slice line = fuzz_line(&text);
		char hex[2 * SECRET_SIZE + 1];

		for (int k = 0; k < SECRET_SIZE; k++)
			snprintf(hex + 2 * k, 3, "%02x", set->items[i].key[k]);
		CHECK(slice_starts(line, slice_of(hex)));
		CHECK(set->items[i].made_s >= 0 &&
		      set->items[i].made_s == atoll(line.ptr + 2 * SECRET_SIZE));
	}
	CHECK(text.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	struct secret_set set = { .count = 0 };
	struct error err = { 0 };
	static char again[8192];

	if (size >= sizeof again)
		return 0;
	CHECK(ftruncate(file, 0) == 0 && pwrite(file, text.ptr, size, 0) == (ssize_t)size);
	if (secret_file_open(place, &set, &err))
		check_lines(&set, text);
	else
		CHECK(err.code == ERROR_CONFIG && err.detail[0]);
	CHECK(pread(file, again, sizeof again, 0) == (ssize_t)size);
	CHECK(memcmp(again, text.ptr, size) == 0);
	return 0;
}
