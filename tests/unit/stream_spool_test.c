/* The spool: what was appended is what is read, whoever reads; who sees a file sees it locked; caps
 * hold. */
#include "stream/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[64];
static struct spool_dir *dir;
static const struct spool_limits roomy = { .reserve = 0, .total = 1 << 20 };

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/c1d-spool-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	dir = spool_dir_open(folder, &roomy, NULL);
	return dir ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	spool_dir_free(dir);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of ours */
}

static struct spool_record record_of(const char *run)
{
	struct spool_record record = { .created_ms = 1000 };

	snprintf(record.run_id, sizeof record.run_id, "%s", run);
	snprintf(record.thread_id, sizeof record.thread_id, "thread-1");
	snprintf(record.message_id, sizeof record.message_id, "answer-1");
	snprintf(record.node, sizeof record.node, "0badcafe");
	snprintf(record.user_id, sizeof record.user_id, "ada");
	return record;
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

static void the_end_is_told_with_reason_and_usage(void **state)
{
	struct spool *owner = make("run-2"), *reader;

	(void)state;
	assert_true(spool_append(owner, SLICE("x"), NULL));
	assert_true(
		spool_end(owner, STATUS_LENGTH, "length", "{\"total_tokens\":3}", "", 2000, NULL));
	reader = spool_open(dir, "run-2", NULL);
	assert_int_equal(spool_record(reader)->status, STATUS_LENGTH);
	assert_int_equal(spool_record(reader)->length, 1);
	assert_int_equal(spool_record(reader)->ended_ms, 2000);
	assert_string_equal(spool_record(reader)->finish_reason, "length");
	assert_string_equal(spool_record(reader)->usage, "{\"total_tokens\":3}");
	assert_false(spool_record(reader)->saved);
	assert_true(spool_mark_saved(owner, NULL));
	assert_true(spool_refresh(reader, NULL));
	assert_true(spool_record(reader)->saved);
	assert_int_equal(spool_record(reader)->status, STATUS_LENGTH);
	spool_unref(reader);
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

static void followers_are_seen_from_another_process(void **state)
{
	struct spool *owner = make("run-4");
	int status;

	(void)state;
	assert_true(spool_set_followed(owner, true));
	for (int followed = 1; followed >= 0; followed--) {
		pid_t child;

		assert_true(spool_set_followed(owner, followed));
		child = fork();
		if (child == 0) {
			struct spool *reader = spool_open(dir, "run-4", NULL);
			_exit(reader && spool_is_followed(reader) == (followed == 1) ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
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

static void only_saved_and_old_files_are_swept(void **state)
{
	struct spool *old = make("old"), *young = make("young"), *unsaved = make("unsaved");

	(void)state;
	assert_true(spool_end(old, STATUS_COMPLETE, "", "", "", 1000, NULL) &&
		    spool_mark_saved(old, NULL));
	assert_true(spool_end(young, STATUS_COMPLETE, "", "", "", 9000, NULL) &&
		    spool_mark_saved(young, NULL));
	assert_true(spool_end(unsaved, STATUS_COMPLETE, "", "", "", 1000, NULL));
	assert_int_equal(spool_sweep(dir, 5000), 2);
	assert_null(spool_open(dir, "old", NULL));
	spool_unref(old);
	spool_unref(young);
	spool_unref(unsaved);
}

static void a_disk_below_the_reserve_refuses_new_runs(void **state)
{
	const struct spool_limits greedy = { .reserve = INT64_MAX, .total = 1 << 20 };
	struct spool_dir *full = spool_dir_open(folder, &greedy, NULL);
	struct spool_record record = record_of("run-9");
	struct error err = { 0 };

	(void)state;
	assert_non_null(full);
	assert_null(spool_create(full, &record, &err));
	assert_int_equal(err.code, ERROR_SPOOL);
	spool_dir_free(full);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_is_appended_is_read_by_another),
		T(the_end_is_told_with_reason_and_usage),
		T(a_run_is_made_once),
		T(followers_are_seen_from_another_process),
		T(an_unknown_or_ill_named_run_is_not_found),
		T(r15_an_open_that_fails_is_no_unknown_run),
		T(a_damaged_header_is_told),
		T(a_tail_of_nuls_and_half_a_character_are_cut),
		T(a_full_folder_refuses_new_runs_only),
		T(only_saved_and_old_files_are_swept),
		T(a_disk_below_the_reserve_refuses_new_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
