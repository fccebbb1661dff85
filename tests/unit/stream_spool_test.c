/* The spool: what was appended is what is read, whoever reads; who sees a file sees it locked; caps
 * hold. */
#include "../../src/stream/spool_header.h"
#include "folder.h"
#include "stream/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct spool_dir *dir;
static const struct spool_limits roomy = { .reserve = 0, .total = 1 << 20 };

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("spool"))
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

static struct spool_record record_of(const char *run)
{
	return (struct spool_record){ .run_id = run,
				      .thread_id = "thread-1",
				      .message_id = "answer-1",
				      .node = "0badcafe",
				      .user_id = "ada",
				      .created_ms = 1000 };
}

static struct spool *make(const char *run)
{
	struct spool_record record = record_of(run);
	struct spool *spool = spool_create(dir, &record, NULL);

	assert_non_null(spool);
	return spool;
}

static void what_is_appended_is_read_by_another(void **state)
{
	struct spool *owner = make("run-1"), *reader;
	char bytes[32];

	(void)state;
	assert_true(spool_append(owner, SLICE("Hello, "), NULL));
	reader = spool_open(dir, "run-1", NULL);
	assert_non_null(reader);
	assert_int_equal(spool_record(reader)->length, 7);
	assert_true(spool_append(owner, SLICE("world"), NULL));
	assert_int_equal(spool_record(reader)->length, 7);
	assert_true(spool_refresh(reader, NULL));
	assert_int_equal(spool_record(reader)->length, 12);
	assert_int_equal(spool_read(reader, 7, bytes, sizeof bytes), 5);
	assert_memory_equal(bytes, "world", 5);
	assert_string_equal(spool_record(reader)->user_id, "ada");
	assert_int_equal(spool_record(reader)->status, STATUS_STREAMING);
	spool_unref(reader);
	spool_unref(owner);
}

/* The texts need not outlive the call that makes the file, and one that is too long is cut. */
static void a_record_keeps_its_own_texts(void **state)
{
	char run[] = "run-texts", model[SPOOL_MODEL_MAX + 10];
	struct spool_record record = { .run_id = run, .model = model };
	struct spool *owner, *reader;

	(void)state;
	memset(model, 'm', sizeof model - 1);
	model[sizeof model - 1] = '\0';
	owner = spool_create(dir, &record, NULL);
	assert_non_null(owner);
	memset(run, 'x', sizeof run - 1);
	assert_string_equal(spool_record(owner)->run_id, "run-texts");
	assert_string_equal(spool_record(owner)->thread_id, "");
	reader = spool_open(dir, "run-texts", NULL);
	assert_non_null(reader);
	assert_int_equal(strlen(spool_record(reader)->model), SPOOL_MODEL_MAX);
	assert_memory_equal(spool_record(reader)->model, model, SPOOL_MODEL_MAX);
	spool_unref(reader);
	spool_unref(owner);
}

static void end(struct spool *spool, enum message_status status)
{
	const struct spool_ending ending = { .status = status,
					     .finish_reason = "length",
					     .usage = { 1, 2, 3 },
					     .asked = true,
					     .now_ms = 2000 };

	assert_true(spool_end(spool, &ending, NULL));
}

static void the_end_is_told_with_reason_and_usage(void **state)
{
	struct spool *owner = make("run-2"), *reader;

	(void)state;
	assert_true(spool_append(owner, SLICE("x"), NULL));
	end(owner, STATUS_LENGTH);
	reader = spool_open(dir, "run-2", NULL);
	assert_int_equal(spool_record(reader)->status, STATUS_LENGTH);
	assert_int_equal(spool_record(reader)->length, 1);
	assert_int_equal(spool_record(reader)->ended_ms, 2000);
	assert_string_equal(spool_record(reader)->finish_reason, "length");
	assert_int_equal(spool_record(reader)->usage.total, 3);
	assert_true(spool_record(reader)->asked);
	assert_false(spool_record(reader)->saved);
	assert_true(spool_mark_saved(dir, owner, NULL));
	assert_true(spool_refresh(reader, NULL));
	assert_true(spool_record(reader)->saved);
	assert_int_equal(spool_record(reader)->status, STATUS_LENGTH);
	spool_unref(reader);
	spool_unref(owner);
}

/* Whether a question may be asked again at no cost is known whatever dies. */
static void asked_is_told_before_and_taken_back_at_the_end(void **state)
{
	struct spool *owner = make("run-asked"), *reader;
	const struct spool_ending refused = { .status = STATUS_ERROR, .error_word = "upstream" };

	(void)state;
	reader = spool_open(dir, "run-asked", NULL);
	assert_false(spool_record(reader)->asked);
	assert_true(spool_mark_asked(owner, NULL));
	assert_true(spool_refresh(reader, NULL) && spool_record(reader)->asked);
	assert_true(spool_end(owner, &refused, NULL));
	assert_true(spool_refresh(reader, NULL));
	assert_false(spool_record(reader)->asked);
	assert_string_equal(spool_record(reader)->error_word, "upstream");
	spool_unref(reader);
	spool_unref(owner);
}

/* C2: what has grown is told by the file's size, without a write of its own. */
static void c2_a_piece_of_text_costs_one_write(void **state)
{
	struct spool *owner = make("run-c2");
	struct stat is;
	char path[128], header[2][SPOOL_HEADER];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/run-c2", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, header[0], SPOOL_HEADER, 0), SPOOL_HEADER);
	assert_true(spool_append(owner, SLICE("some text"), NULL));
	assert_int_equal(pread(fd, header[1], SPOOL_HEADER, 0), SPOOL_HEADER);
	assert_memory_equal(header[0], header[1], SPOOL_HEADER);
	assert_int_equal(fstat(fd, &is), 0);
	assert_int_equal(is.st_size, SPOOL_HEADER + 9);
	close(fd);
	spool_unref(owner);
}

static void a_run_is_made_once(void **state)
{
	struct spool *owner = make("run-3");
	struct spool_record record = record_of("run-3");
	struct error err = { 0 };

	(void)state;
	assert_null(spool_create(dir, &record, &err));
	assert_int_equal(err.code, ERROR_CONFLICT);
	spool_unref(owner);
}

static void an_unknown_or_ill_named_run_is_not_found(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_null(spool_open(dir, "nobody", &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_null(spool_open(dir, "../etc/passwd", &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_null(spool_open(dir, "stop", &err));
}

/* A full table of descriptors says nothing about the answer: it lives. */
static void r15_an_open_that_fails_is_no_unknown_run(void **state)
{
	struct spool *owner = make("run-15");
	struct rlimit before, none = { 0 };
	struct error err = { 0 };

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_null(spool_open(dir, "run-15", &err));
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(err.code, ERROR_OVERLOADED);
	assert_int_equal(err.retry_after_s, 1);
	spool_unref(owner);
}

static void a_damaged_header_is_told(void **state)
{
	struct error err = { 0 };
	char path[128];
	int fd;

	(void)state;
	spool_unref(make("run-5"));
	snprintf(path, sizeof path, "%s/run-5", folder);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "????", 4, 300), 4);
	close(fd);
	assert_null(spool_open(dir, "run-5", &err));
	assert_int_equal(err.code, ERROR_CORRUPT);
}

/* After a power loss the header may promise bytes that never reached the disk. */
static void a_tail_of_nuls_and_half_a_character_are_cut(void **state)
{
	struct spool *owner = make("run-6");
	struct buffer text;

	(void)state;
	assert_true(spool_append(owner, SLICE("caf\xc3\0\0\0"), NULL));
	buffer_init(&text, 100);
	assert_true(spool_read_all(owner, &text));
	assert_string_equal(text.data, "caf");
	buffer_done(&text);
	spool_unref(owner);
}

static void a_full_folder_refuses_new_runs_only(void **state)
{
	struct spool *owner = make("run-7");
	struct spool_record record = record_of("run-8");
	struct error err = { 0 };
	static char block[600 << 10];

	(void)state;
	memset(block, 'x', sizeof block);
	assert_true(spool_append(owner, (struct slice){ block, sizeof block }, NULL));
	assert_true(spool_append(owner, (struct slice){ block, sizeof block }, NULL));
	assert_null(spool_create(dir, &record, &err));
	assert_int_equal(err.code, ERROR_SPOOL);
	assert_true(spool_append(owner, SLICE("goes on"), NULL));
	spool_unref(owner);
	spool_remove(dir, "run-7");
	spool_unref(make("run-8"));
}

/* Sets the time of a kept file's last write. */
static void age(const char *path, time_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
	char whole[128];

	snprintf(whole, sizeof whole, "%s/%s", folder, path);
	assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
}

static void save(const char *run)
{
	struct spool *spool = make(run);

	end(spool, STATUS_COMPLETE);
	assert_true(spool_mark_saved(dir, spool, NULL));
	spool_unref(spool);
}

#define OLD   "0190a000-0000-7000-8000-000000000001-0badcafe"
#define YOUNG "0190a000-0001-7000-8000-000000000002-0badcafe"

static bool is_there(const char *run)
{
	struct spool *spool = spool_open(dir, run, NULL);

	spool_unref(spool);
	return spool != NULL;
}

static void only_saved_and_old_files_are_swept(void **state)
{
	struct spool *unsaved = make("unsaved");

	(void)state;
	end(unsaved, STATUS_COMPLETE);
	save(OLD);
	save(YOUNG);
	age("done/28677854/" OLD, 1717370000);
	assert_false(spool_sweep(dir, INT64_C(1790000000000), 100)); /* September 2026 */
	assert_false(is_there(OLD));
	assert_true(is_there(YOUNG)); /* of the same minute, but saved now */
	assert_true(is_there("unsaved"));
	spool_unref(unsaved);
}

static void c5_a_sweep_does_so_much_at_a_time(void **state)
{
	char path[128];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof path, "old-%d", i);
		save(path);
		snprintf(path, sizeof path, "done/0/old-%d", i);
		age(path, 1000);
	}
	assert_true(spool_sweep(dir, INT64_C(1800000000000), 2));
	assert_true(spool_sweep(dir, INT64_C(1800000000000), 2));
	assert_false(spool_sweep(dir, INT64_C(1800000000000), 2));
	snprintf(path, sizeof path, "%s/done/0", folder);
	assert_int_equal(access(path, F_OK), -1); /* with its last file the minute goes */
}

/* C3: with so many kept answers the folder of the live ones is as small as with none. */
static void c3_kept_answers_lie_out_of_the_way_and_are_found(void **state)
{
	char path[160];

	(void)state;
	save(OLD);
	snprintf(path, sizeof path, "%s/" OLD, folder);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(is_there(OLD));
	spool_remove(dir, OLD);
	assert_false(is_there(OLD));
}

/* --- the next life --- */

static int orphans, owned;

static void note(void *ctx, const struct spool_record *record, bool is_owned)
{
	(void)ctx;
	(void)record;
	orphans += !is_owned;
	owned += is_owned;
}

static void a_survey_finds_who_is_owned_and_counts_what_is_there(void **state)
{
	_Atomic int64_t used = 0;
	struct spool_dir *next;
	struct spool *alive = make("alive");

	(void)state;
	assert_true(spool_append(alive, SLICE("1234567890"), NULL));
	spool_unref(make("orphan"));
	save("kept");
	orphans = owned = 0;
	next = spool_dir_open(folder, &roomy, &used, NULL);
	spool_survey(next, note, NULL);
	assert_int_equal(orphans, 1);
	assert_int_equal(owned, 1);
	assert_int_equal(atomic_load(&used), 3 * SPOOL_HEADER + 10);
	spool_remove(next, "kept");
	assert_int_equal(atomic_load(&used), 2 * SPOOL_HEADER + 10);
	spool_dir_free(next);
	spool_unref(alive);
}

/* The header of an answer that had ended came to the disk, and not all of its text. */
static void an_orphan_that_lost_its_end_is_not_called_whole(void **state)
{
	struct spool *owner = make("orphan"), *adopted;
	struct buffer text;
	char path[128];

	(void)state;
	assert_true(spool_append(owner, SLICE("all that was s\xc3\xa4id"), NULL));
	end(owner, STATUS_COMPLETE);
	spool_unref(owner);
	snprintf(path, sizeof path, "%s/orphan", folder);
	assert_int_equal(truncate(path, SPOOL_HEADER + 15), 0); /* in mid character */
	assert_non_null(adopted = spool_adopt(dir, "orphan", 3000, NULL));
	assert_int_equal(spool_record(adopted)->status, STATUS_INTERRUPTED);
	buffer_init(&text, 100);
	assert_true(spool_read_all(adopted, &text));
	assert_string_equal(text.data, "all that was s");
	buffer_done(&text);
	spool_unref(adopted);
}

/* Both words are changed while the header is being read: the older of the one, the newer of the
 * other. */
static void what_is_saved_has_ended(void **state)
{
	struct spool *owner = make("run-9"), *reader = spool_open(dir, "run-9", NULL);
	const uint64_t yes = 1;
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/run-9", folder);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &yes, sizeof yes, offsetof(struct spool_disk, saved)), 8);
	close(fd);
	assert_true(spool_refresh(reader, NULL));
	assert_int_equal(spool_record(reader)->status, STATUS_STREAMING);
	assert_false(spool_record(reader)->saved);
	spool_unref(reader);
	spool_unref(owner);
}

static void an_orphan_is_adopted_once_and_ended_as_it_was(void **state)
{
	struct spool *alive = make("alive"), *orphan = make("orphan"), *again;
	struct error err = { 0 };

	(void)state;
	assert_true(spool_append(orphan, SLICE("half a\xc3"), NULL));
	assert_true(spool_mark_asked(orphan, NULL));
	spool_unref(orphan);
	assert_null(spool_adopt(dir, "alive", 3000, &err));
	assert_int_equal(err.code, ERROR_RUN_ACTIVE);
	assert_null(spool_adopt(dir, "nobody", 3000, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	orphan = spool_adopt(dir, "orphan", 3000, &err);
	assert_non_null(orphan);
	assert_int_equal(spool_record(orphan)->status, STATUS_INTERRUPTED);
	assert_int_equal(spool_record(orphan)->length, 6);
	assert_true(spool_record(orphan)->asked);
	again = spool_adopt(dir, "orphan", 3000, &err);
	assert_null(again);
	assert_int_equal(err.code, ERROR_RUN_ACTIVE);
	assert_true(spool_mark_saved(dir, orphan, NULL));
	assert_null(spool_adopt(dir, "orphan", 3000, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	spool_unref(orphan);
	spool_unref(alive);
}

static void a_disk_below_the_reserve_refuses_new_runs(void **state)
{
	const struct spool_limits greedy = { .reserve = INT64_MAX, .total = 1 << 20 };
	struct spool_dir *full = spool_dir_open(folder, &greedy, NULL, NULL);
	struct spool_record record = record_of("run-9");
	struct error err = { 0 };

	(void)state;
	assert_non_null(full);
	assert_null(spool_create(full, &record, &err));
	assert_int_equal(err.code, ERROR_SPOOL);
	spool_dir_free(full);
}

/* What is only kept for resumes then goes earlier, so that nobody is refused for its sake. */
static void a_folder_is_tight_before_it_refuses(void **state)
{
	const struct spool_limits small = { .total = 4 * SPOOL_HEADER };
	struct spool_dir *tight = spool_dir_open(folder, &small, NULL, NULL);
	const char *const runs[] = { "run-1", "run-2", "run-3", "run-4" };
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct spool_record record = record_of(runs[i]);
		struct spool *made = spool_create(tight, &record, &err);

		assert_non_null(made);
		spool_unref(made);
		assert_int_equal(spool_is_tight(tight), i == 3);
	}
	spool_dir_free(tight);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_record_keeps_its_own_texts),
		T(what_is_appended_is_read_by_another),
		T(the_end_is_told_with_reason_and_usage),
		T(asked_is_told_before_and_taken_back_at_the_end),
		T(c2_a_piece_of_text_costs_one_write),
		T(a_run_is_made_once),
		T(an_unknown_or_ill_named_run_is_not_found),
		T(r15_an_open_that_fails_is_no_unknown_run),
		T(a_damaged_header_is_told),
		T(a_tail_of_nuls_and_half_a_character_are_cut),
		T(a_full_folder_refuses_new_runs_only),
		T(only_saved_and_old_files_are_swept),
		T(c5_a_sweep_does_so_much_at_a_time),
		T(c3_kept_answers_lie_out_of_the_way_and_are_found),
		T(a_survey_finds_who_is_owned_and_counts_what_is_there),
		T(an_orphan_is_adopted_once_and_ended_as_it_was),
		T(an_orphan_that_lost_its_end_is_not_called_whole),
		T(what_is_saved_has_ended),
		T(a_disk_below_the_reserve_refuses_new_runs),
		T(a_folder_is_tight_before_it_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
