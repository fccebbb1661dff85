/* The spool: a file of any bytes under a run's name is refused as damaged or read within its
 * bounds, by who follows it and by who takes it over. The bytes are laid over a sound header, whose
 * sum is made good again unless they say otherwise: so they come further than chance would let
 * them.
 *
 * Of that sum, and of the header's form, nobody else knows: hence the .c file. */
#include "../../src/stream/spool_dir.h"
#include "../../src/stream/spool_header.c"
#include "base/clock.h"
#include "base/log.h"
#include "fuzz.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define RUN      "01990000-0000-7000-8000-000000000000-0badcafe"
#define TEXT_MAX 16384

static struct spool_dir *folder;
static char place[64];
static int file = -1;

static void remove_folder(void)
{
	char command[96];

	spool_dir_free(folder);
	snprintf(command, sizeof command, "rm -rf %s", place);
	CHECK(system(command) == 0); /* NOLINT(cert-env33-c): a folder of ours */
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct spool_limits limits = { .total = INT64_MAX };

	(void)argc;
	(void)argv;
	log_setup(LOG_ERROR, LOG_TEXT, false);
	/* In memory, where there is such a place: a disk makes it a hundred times slower. */
	snprintf(place, sizeof place, "%s/c1d-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(place) && (folder = spool_dir_open(place, &limits, NULL, NULL)));
	atexit(remove_folder);
	file = openat(spool_dir_fd(folder), RUN, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return file < 0;
}

/* Bytes: whether the sum is kept wrong, where in the header they begin (in steps of 8); then they.
 */
static void fill_file(struct slice bytes)
{
	static _Alignas(struct spool_disk) char block[SPOOL_HEADER + TEXT_MAX];
	struct spool_disk *disk = (struct spool_disk *)block;
	bool keep_sum = fuzz_byte(&bytes) % 2;
	size_t at = fuzz_byte(&bytes) * 8, len = SPOOL_HEADER;

	memset(block, 0, sizeof block);
	memcpy(disk->magic, MAGIC, sizeof disk->magic);
	disk->version = VERSION;
	snprintf(disk->run_id, sizeof disk->run_id, RUN);
	memcpy(block + at, bytes.ptr, bytes.len);
	if (!keep_sum)
		disk->identity_sum = identity_sum(disk);
	if (at + bytes.len > len)
		len = at + bytes.len;
	CHECK(ftruncate(file, 0) == 0 && pwrite(file, block, len, 0) == (ssize_t)len);
}

/* As long as its place on the disk at most. */
#define FITS(name) (strlen(record->name) < sizeof((struct spool_disk *)NULL)->name)

static void check_record(const struct spool_record *record)
{
	CHECK(FITS(run_id) && FITS(node) && FITS(thread_id) && FITS(message_id));
	CHECK(FITS(user_id) && FITS(user_key) && FITS(key) && FITS(question) && FITS(model));
	CHECK(memchr(record->finish_reason, 0, sizeof record->finish_reason) &&
	      memchr(record->error_word, 0, sizeof record->error_word));
	CHECK(record->length >= 0 && record->status < STATUS_COUNT);
}

static void check_text(const struct spool *spool)
{
	char some[64];
	struct buffer text;

	buffer_init(&text, TEXT_MAX);
	if (spool_read_all(spool, &text))
		CHECK((int64_t)text.len <= spool_record(spool)->length);
	for (int64_t offset = 0; offset < 256; offset += 50) {
		int64_t n = spool_read(spool, offset, some, sizeof some);

		CHECK(n >= -1 && n <= (int64_t)sizeof some && n <= spool_record(spool)->length);
	}
	buffer_done(&text);
}

static void read_file(void)
{
	struct error err = { 0 };
	struct spool *spool = spool_open(folder, RUN, &err);

	if (spool) {
		check_record(spool_record(spool));
		check_text(spool);
	} else {
		CHECK(err.code == ERROR_CORRUPT);
	}
	spool_unref(spool);
}

/* Its worker died. */
static void take_over(void)
{
	struct error err = { 0 };
	struct spool *spool = spool_adopt(folder, RUN, clock_wall_ms(), &err);

	if (spool) {
		check_record(spool_record(spool));
		CHECK(spool_record(spool)->status != STATUS_STREAMING &&
		      !spool_record(spool)->saved);
		check_text(spool);
	} else {
		CHECK(err.code == ERROR_CORRUPT || err.code == ERROR_NOT_FOUND);
	}
	spool_unref(spool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > TEXT_MAX)
		return 0;
	fill_file(fuzz_input(data, size));
	read_file();
	take_over();
	/* One that was saved has moved away. */
	if (faccessat(spool_dir_fd(folder), RUN, F_OK, 0) != 0) {
		close(file);
		spool_remove(folder, RUN);
		file = openat(spool_dir_fd(folder), RUN, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		CHECK(file >= 0);
	}
	return 0;
}
