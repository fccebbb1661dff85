/* The settings file: taken whole or told what is wrong; numbers lie within their bounds; no secret
 * is shown. */
#include "../../src/config/config_room.h"
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#define SECRET_LINE "THESYS_API_KEY=hunter2canary\n"

static int file = -1;
static char path[64];

/* What this process was started with is none of the file's business. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *nothing[] = { NULL };

	(void)argc;
	(void)argv;
	environ = nothing;
	file = memfd_create("settings", MFD_CLOEXEC);
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	return file < 0;
}

static void fill_file(struct slice text)
{
	CHECK(ftruncate(file, 0) == 0);
	CHECK(pwrite(file, SECRET_LINE, sizeof SECRET_LINE - 1, 0) == sizeof SECRET_LINE - 1);
	CHECK(pwrite(file, text.ptr, text.len, sizeof SECRET_LINE - 1) == (ssize_t)text.len);
}

static void check_taken(const struct config *config)
{
	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *setting = &settings[i];
		const char *field = (const char *)config + setting->offset;
		bool is_number =
			setting->kind == COUNT || setting->kind == MS || setting->kind == BYTES;

		if (is_number && setting->fallback)
			CHECK(*(const int64_t *)field >= setting->min &&
			      *(const int64_t *)field <= setting->max);
	}
	CHECK(config->store_uri && config->spool_path && config->config_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size);
	struct config config = { .memory = NULL };
	struct error err = { 0 };
	struct buffer report;

	buffer_init(&report, 1 << 22);
	fill_file(text);
	if (config_load(path, &config, &report, &err)) {
		CHECK(report.len == 0);
		check_taken(&config);
	} else {
		CHECK(err.code == ERROR_CONFIG && report.len > 0);
	}
	if (!fuzz_contains(text, SLICE("hunter2canary")))
		CHECK(!fuzz_contains(buffer_slice(&report), SLICE("hunter2canary")));
	config_done(&config);
	buffer_done(&report);
	return 0;
}
