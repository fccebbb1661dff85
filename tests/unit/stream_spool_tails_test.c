/* The tails of answers: what a piece of text is put into before it is written to its file. Whoever
 * reads an answer sees no difference, whatever dies; places are given back. */
#include "../../src/stream/spool_dir.h"
#include "../../src/stream/spool_file.h"
#include "../../src/stream/spool_name.h"
#include "../../src/stream/spool_tails.h"
#include "folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ANSWER 20000

static struct spool_dir *dir;
static char text[ANSWER], bytes[ANSWER + 1];

static int set_up(void **state)
{
	static const struct spool_limits roomy = { .reserve = 0, .total = 1 << 24 };

	(void)state;
	for (size_t i = 0; i < ANSWER; i++)
		text[i] = (char)('a' + (i * i + i / 7) % 26);
	if (!folder_make("tails"))
		return -1;
	dir = spool_dir_open(folder, &roomy, NULL, NULL);
	return dir ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	spool_dir_free(dir);
	return folder_remove();
}

/* Elsewhere than on ext4 and tmpfs there are none. */
static void need_tails(void)
{
	if (!spool_dir_tails(dir))
		skip();
}

static struct spool *make(const char *run)
{
	const struct spool_record record = { .run_id = run, .thread_id = "t", .message_id = "m" };
	struct spool *spool = spool_create(dir, &record, NULL);

	assert_non_null(spool);
	return spool;
}

static void append(struct spool *spool, size_t from, size_t len)
{
	assert_true(spool_append(spool, (struct slice){ text + from, len }, NULL));
}

static int64_t in_file(const char *run)
{
	char path[128];
	struct stat is;

	snprintf(path, sizeof path, "%s/%s", folder, run);
	assert_int_equal(stat(path, &is), 0);
	return (int64_t)is.st_size - SPOOL_HEADER;
}

static void assert_has(struct spool *reader, size_t length)
{
	assert_true(spool_refresh(reader, NULL));
	assert_int_equal(spool_record(reader)->length, length);
	assert_int_equal(spool_read(reader, 0, bytes, sizeof bytes), length);
	assert_memory_equal(bytes, text, length);
}

static void end(struct spool *spool)
{
	const struct spool_ending ending = { .status = STATUS_COMPLETE,
					     .finish_reason = "stop",
					     .usage = USAGE_UNKNOWN };

	assert_true(spool_end(spool, &ending, NULL));
}

static void a_piece_is_read_by_others_before_it_is_in_the_file(void **state)
{
	struct spool *owner = make("run-1"), *reader = spool_open(dir, "run-1", NULL);

	(void)state;
	need_tails();
	append(owner, 0, 60);
	assert_int_equal(in_file("run-1"), 60);
	append(owner, 60, 60);
	append(owner, 120, 60);
	assert_int_equal(in_file("run-1"), 60);
	assert_has(reader, 180);
	assert_has(owner, 180);
	assert_int_equal(spool_read(reader, 100, bytes, 50), 50);
	assert_memory_equal(bytes, text + 100, 50);
	end(owner);
	assert_int_equal(in_file("run-1"), 180);
	assert_has(reader, 180);
	spool_unref(reader);
	spool_unref(owner);
}

/* Of every size, over the ends of tails and of the file's blocks; another reads along, from
 * anywhere. */
static void pieces_of_any_size_are_one_answer(void **state)
{
	struct spool *owner = make("run-1"), *reader = spool_open(dir, "run-1", NULL);
	size_t length = 0;

	(void)state;
	for (size_t i = 1; length < ANSWER; i++) {
		size_t len = i * i % 97 == 0 ? 1500 : 1 + i * 31 % 130;
		size_t from = length * i % 101 / 2;

		len = len < ANSWER - length ? len : ANSWER - length;
		append(owner, length, len);
		length += len;
		assert_true(spool_refresh(reader, NULL));
		assert_int_equal(spool_record(reader)->length, length);
		from = from < length ? from : 0;
		assert_int_equal(spool_read(reader, (int64_t)from, bytes, sizeof bytes),
				 length - from);
		assert_memory_equal(bytes, text + from, length - from);
	}
	end(owner);
	assert_int_equal(in_file("run-1"), ANSWER);
	assert_has(reader, ANSWER);
	spool_unref(reader);
	spool_unref(owner);
}

/* Who waits for the kernel's word has to get one for each piece. */
static void a_reader_may_ask_for_each_piece_to_be_written(void **state)
{
	struct spool *owner = make("run-1"), *reader = spool_open(dir, "run-1", NULL);

	(void)state;
	append(owner, 0, 60);
	append(owner, 60, 60);
	spool_file_ask(reader);
	append(owner, 120, 60);
	assert_int_equal(in_file("run-1"), 180);
	append(owner, 180, 10);
	assert_int_equal(in_file("run-1"), 190);
	assert_has(reader, 190);
	spool_unref(reader);
	spool_unref(owner);
}

/* --- whoever dies --- */

/* Its owner is gone before this is back, and has not ended it. */
static void die_behind(const char *run, size_t pieces)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		const struct spool_record record = { .run_id = run };
		struct spool *spool = spool_create(dir, &record, NULL);

		for (size_t i = 0; i < pieces; i++)
			spool_append(spool, (struct slice){ text + 50 * i, 50 }, NULL);
		_exit(0); /* its lock goes with it */
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void who_adopts_an_answer_has_its_tail(void **state)
{
	struct spool *adopted, *reader;
	uint32_t number;

	(void)state;
	need_tails();
	die_behind("run-1", 5);
	assert_int_equal(in_file("run-1"), 50);
	reader = spool_open(dir, "run-1", NULL);
	number = spool_file_tail(reader);
	assert_has(reader, 250);
	adopted = spool_adopt(dir, "run-1", 1, NULL);
	assert_non_null(adopted);
	assert_int_equal(spool_record(adopted)->status, STATUS_INTERRUPTED);
	assert_int_equal(in_file("run-1"), 250);
	assert_has(adopted, 250);
	assert_has(reader, 250);
	spool_unref(reader);
	spool_unref(adopted);
	adopted = make("run-2");
	assert_int_equal(spool_file_tail(adopted), number); /* it was given back */
	spool_unref(adopted);
}

/* It had written the tail, and not said so yet. */
static void what_is_in_the_file_already_is_not_told_twice(void **state)
{
	char path[128];
	struct spool *adopted;
	int fd;

	(void)state;
	die_behind("run-1", 5);
	snprintf(path, sizeof path, "%s/run-1", folder);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, text, 300, SPOOL_HEADER), 300);
	close(fd);
	adopted = spool_adopt(dir, "run-1", 1, NULL);
	assert_has(adopted, 300);
	spool_unref(adopted);
}

/* The file has lost bytes with the machine's power, its tail has not: there is a hole between them.
 */
static void a_tail_without_what_goes_before_it_is_left_out(void **state)
{
	char path[128];
	struct spool *adopted;

	(void)state;
	die_behind("run-1", 30);
	snprintf(path, sizeof path, "%s/run-1", folder);
	assert_int_equal(truncate(path, SPOOL_HEADER + 70), 0);
	adopted = spool_adopt(dir, "run-1", 1, NULL);
	assert_has(adopted, 70);
	assert_int_equal(in_file("run-1"), 70);
	spool_unref(adopted);
}

/* Eight bytes of the file of tails. */
static void damage(long at, uint64_t word)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/tails", folder);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, &word, sizeof word, at), sizeof word);
	close(fd);
}

/* Its length is none that a tail has. */
static void a_damaged_tail_is_left_out(void **state)
{
	struct spool *reader, *adopted;

	(void)state;
	need_tails();
	die_behind("run-1", 5);
	reader = spool_open(dir, "run-1", NULL);
	damage(4096 + 512 * ((long)spool_file_tail(reader) - 1) + 8, 50 << 16 | 40000);
	assert_has(reader, 50);
	adopted = spool_adopt(dir, "run-1", 1, NULL);
	assert_has(adopted, 50);
	spool_unref(adopted);
	spool_unref(reader);
}

/* --- places --- */

static void a_place_is_the_next_ones_when_its_answer_is_over(void **state)
{
	struct spool *first = make("run-1"), *second = make("run-2"), *reader;
	uint32_t number = spool_file_tail(first);

	(void)state;
	need_tails();
	assert_int_not_equal(spool_file_tail(second), number);
	append(first, 0, 60);
	append(first, 60, 60);
	reader = spool_open(dir, "run-1", NULL);
	assert_true(spool_refresh(reader, NULL));
	end(first);
	spool_unref(first);
	first = make("run-3");
	assert_int_equal(spool_file_tail(first), number);
	append(first, 200, 60);
	append(first, 260, 60);
	assert_has(reader, 120); /* of the first answer, still */
	spool_unref(reader);
	spool_unref(first);
	spool_unref(second);
}

static void without_a_place_each_piece_is_written(void **state)
{
	struct spool_tail all[SPOOL_TAILS];
	struct spool *owner;

	(void)state;
	need_tails();
	for (size_t i = 0; i < SPOOL_TAILS; i++) {
		all[i] = (struct spool_tail){ .all = spool_dir_tails(dir) };
		spool_tail_take(&all[i], "somebody");
		assert_int_equal(all[i].number, i + 1);
	}
	owner = make("run-1");
	assert_int_equal(spool_file_tail(owner), 0);
	append(owner, 0, 60);
	append(owner, 60, 60);
	assert_int_equal(in_file("run-1"), 120);
	assert_has(owner, 120);
	end(owner);
	spool_unref(owner);
	spool_tail_give(&all[77]);
	owner = make("run-2");
	assert_int_equal(spool_file_tail(owner), 78);
	spool_unref(owner);
}

/* Of a process that died between taking one and naming it in a file. */
static void a_place_that_no_file_names_is_found(void **state)
{
	struct spool_tail lost = { .all = spool_dir_tails(dir) };
	unsigned char named[SPOOL_TAILS / 8] = { 0 };
	struct spool *owner, *next;

	(void)state;
	need_tails();
	spool_tail_take(&lost, "lost");
	owner = make("run-1");
	append(owner, 0, 60);
	append(owner, 60, 60);
	named[(spool_file_tail(owner) - 1) / 8] =
		(unsigned char)(1 << (spool_file_tail(owner) - 1) % 8);
	spool_tails_sweep(spool_dir_tails(dir), named, 0);
	next = make("run-2");
	assert_int_not_equal(spool_file_tail(next), lost.number); /* it was taken just now */
	spool_unref(next);
	spool_tails_sweep(spool_dir_tails(dir), named, INT64_MAX);
	next = make("run-3");
	assert_int_equal(spool_file_tail(next), lost.number);
	assert_has(owner, 120);
	spool_unref(next);
	spool_unref(owner);
}

/* Its key says whose it is: a bit may be wrong for a moment, behind a sweep or a death. */
static void a_place_is_never_two_answers(void **state)
{
	static const unsigned char named[SPOOL_TAILS / 8];
	struct spool *owner = make("run-1"), *other;
	uint32_t number = spool_file_tail(owner);

	(void)state;
	need_tails();
	append(owner, 0, 60);
	append(owner, 60, 60);
	damage(0, 0); /* the bits of the first 64 */
	other = make("run-2");
	assert_int_not_equal(spool_file_tail(other), number);
	append(owner, 120, 60);
	assert_has(owner, 180);
	end(owner);
	spool_unref(owner);
	owner = make("run-3");
	assert_int_equal(spool_file_tail(owner), number);
	end(owner);
	end(other);
	spool_unref(owner);
	spool_unref(other);

	damage(0, ~UINT64_C(0)); /* somebody died before his key was there */
	spool_tails_sweep(spool_dir_tails(dir), named, 0);
	owner = make("run-4");
	assert_int_equal(spool_file_tail(owner), number);
	spool_unref(owner);
}

/* KiB of the tails' file that this process has touched. */
static long touched(void)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[4096];
	bool is_ours = false;
	long kib = -1;

	assert_non_null(maps);
	while (kib < 0 && fgets(line, sizeof line, maps)) {
		is_ours |= strstr(line, folder) && strstr(line, SPOOL_TAILS_FILE);
		if (is_ours)
			sscanf(line, "Rss: %ld kB", &kib);
	}
	fclose(maps);
	return kib;
}

/* They are 8 MiB, of which a worker has what its answers need. */
static void places_of_nobody_take_no_memory(void **state)
{
	static const unsigned char named[SPOOL_TAILS / 8];
	struct spool *owner = make("run-1");

	(void)state;
	need_tails();
	spool_tails_sweep(spool_dir_tails(dir), named, 0);
	assert_in_range(touched(), 4, 256);
	spool_unref(owner);
}

static void a_run_that_is_not_made_keeps_no_place(void **state)
{
	const struct spool_record record = { .run_id = "run-1" };
	struct spool *first = make("run-1"), *next;

	(void)state;
	need_tails();
	assert_null(spool_create(dir, &record, NULL));
	next = make("run-2");
	assert_int_equal(spool_file_tail(next), spool_file_tail(first) + 1);
	spool_unref(next);
	spool_unref(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_piece_is_read_by_others_before_it_is_in_the_file),
		TEST(pieces_of_any_size_are_one_answer),
		TEST(a_reader_may_ask_for_each_piece_to_be_written),
		TEST(who_adopts_an_answer_has_its_tail),
		TEST(what_is_in_the_file_already_is_not_told_twice),
		TEST(a_tail_without_what_goes_before_it_is_left_out),
		TEST(a_damaged_tail_is_left_out),
		TEST(a_place_is_the_next_ones_when_its_answer_is_over),
		TEST(without_a_place_each_piece_is_written),
		TEST(a_place_that_no_file_names_is_found),
		TEST(a_place_is_never_two_answers),
		TEST(places_of_nobody_take_no_memory),
		TEST(a_run_that_is_not_made_keeps_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
