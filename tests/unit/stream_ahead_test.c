/* Files of the spool that are made ahead: a turn takes one, nobody takes one for an answer, and
 * none is left behind. */
#include "folder.h"
#include "stream/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PATIENCE_S 60
#define MAKERS     4
#define RUNS_EACH  50

static struct spool_dir *dir;
static struct spool_ahead *ahead;
static const struct spool_limits roomy = { .reserve = 0, .total = 1 << 30 };

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("ahead") || !(dir = spool_dir_open(folder, &roomy, NULL, NULL)))
		return -1;
	ahead = spool_ahead_start(dir, NULL);
	return ahead ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	spool_ahead_free(ahead);
	spool_dir_free(dir);
	return folder_remove();
}

static struct spool *make_in(struct spool_dir *in, const char *run, struct error *err)
{
	const struct spool_record record = { .run_id = run, .thread_id = run, .user_id = "ada" };

	return spool_create(in, &record, err);
}

static void path_in_ready(const char *name, char out[512])
{
	snprintf(out, 512, "%s/.ready/%s", folder, name);
}

/* Of the files that are ready; their inodes, SPOOL_AHEAD at most, where they are asked for. */
static int count_ready(ino_t *inodes)
{
	DIR *list;
	const struct dirent *entry;
	char path[512];
	int count = 0;

	path_in_ready("", path);
	list = opendir(path);
	assert_non_null(list);
	while ((entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		if (inodes && count < SPOOL_AHEAD)
			inodes[count] = entry->d_ino;
		count++;
	}
	closedir(list);
	return count;
}

static void wait_for_ready(int wanted)
{
	time_t until = time(NULL) + PATIENCE_S;

	while (count_ready(NULL) != wanted) {
		assert_true(time(NULL) < until);
		sched_yield();
	}
}

static void empty_ready(void)
{
	DIR *list;
	const struct dirent *entry;
	char path[512];

	path_in_ready("", path);
	list = opendir(path);
	assert_non_null(list);
	while ((entry = readdir(list)))
		if (entry->d_name[0] != '.') {
			path_in_ready(entry->d_name, path);
			assert_int_equal(unlink(path), 0);
		}
	closedir(list);
}

/* The first turn makes its own, and from then on there are some. */
static void make_first(void)
{
	struct spool *first = make_in(dir, "first", NULL);

	assert_non_null(first);
	spool_unref(first);
	wait_for_ready(SPOOL_AHEAD);
}

static ino_t inode_of(const char *run)
{
	char path[512];
	struct stat is;

	snprintf(path, sizeof path, "%s/%s", folder, run);
	assert_int_equal(stat(path, &is), 0);
	assert_int_equal(is.st_size, SPOOL_HEADER);
	return is.st_ino;
}

static void a_turn_takes_one_that_was_made_before(void **state)
{
	ino_t before[SPOOL_AHEAD];
	bool is_one = false;
	struct spool *run, *reader;

	(void)state;
	make_first();
	assert_int_equal(count_ready(before), SPOOL_AHEAD);
	run = make_in(dir, "second", NULL);
	assert_non_null(run);
	for (size_t i = 0; i < SPOOL_AHEAD; i++)
		is_one = is_one || before[i] == inode_of("second");
	assert_true(is_one);
	assert_true(spool_append(run, SLICE("Hello"), NULL));
	reader = spool_open(dir, "second", NULL);
	assert_non_null(reader);
	assert_string_equal(spool_record(reader)->thread_id, "second");
	assert_int_equal(spool_record(reader)->length, 5);
	spool_unref(reader);
	spool_unref(run);
}

static void none_is_made_before_the_first_turn(void **state)
{
	(void)state;
	spool_ahead_stop(ahead); /* whatever its thread would do is done */
	assert_int_equal(count_ready(NULL), 0);
}

static int visited;

static void count_visit(void *ctx, const struct spool_record *record, bool is_owned)
{
	(void)ctx;
	(void)record;
	(void)is_owned;
	visited++;
}

static void what_is_ready_is_no_answer(void **state)
{
	_Atomic int64_t used = 0;
	struct spool_dir *next = spool_dir_open(folder, &roomy, &used, NULL);
	struct error err = { 0 };

	(void)state;
	make_first();
	visited = 0;
	spool_survey(next, count_visit, NULL);
	assert_int_equal(visited, 1); /* the first turn's */
	assert_int_equal(atomic_load(&used), SPOOL_HEADER);
	assert_null(spool_adopt(next, ".ready", 1, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_false(spool_sweep(next, INT64_MAX, 100));
	assert_int_equal(count_ready(NULL), SPOOL_AHEAD);
	spool_dir_free(next);
}

static void a_run_is_made_once_also_from_what_is_ready(void **state)
{
	struct error err = { 0 };

	(void)state;
	make_first();
	assert_null(make_in(dir, "first", &err));
	assert_int_equal(err.code, ERROR_CONFLICT);
	inode_of("first");
}

static void a_stop_leaves_none_and_turns_go_on(void **state)
{
	struct spool *run;

	(void)state;
	make_first();
	spool_ahead_stop(ahead);
	assert_int_equal(count_ready(NULL), 0);
	run = make_in(dir, "late", NULL);
	assert_non_null(run);
	assert_int_equal(count_ready(NULL), 0);
	spool_unref(run);
}

/* As when a worker is killed: the locks go with it, its successor removes what it left. */
static void leftovers_of_the_dead_go_and_those_of_the_living_stay(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	char dead[512], alive[512];
	int fd;

	(void)state;
	spool_ahead_free(ahead);
	path_in_ready("1-1", dead);
	path_in_ready("1-2", alive);
	assert_true(close(open(dead, O_CREAT | O_WRONLY, 0600)) == 0);
	fd = open(alive, O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0);
	ahead = spool_ahead_start(dir, NULL);
	assert_non_null(ahead);
	wait_for_ready(1);
	assert_int_equal(access(alive, F_OK), 0);
	close(fd);
}

static void who_finds_his_gone_makes_another(void **state)
{
	struct spool *run;

	(void)state;
	make_first();
	empty_ready();
	run = make_in(dir, "own", NULL);
	assert_non_null(run);
	inode_of("own");
	spool_unref(run);
}

static void none_is_made_where_the_disk_is_nearly_full(void **state)
{
	const struct spool_limits greedy = { .reserve = INT64_MAX, .total = 1 << 20 };
	struct spool_dir *full = spool_dir_open(folder, &greedy, NULL, NULL);
	struct spool_ahead *none = spool_ahead_start(full, NULL);
	struct error err = { 0 };

	(void)state;
	assert_non_null(none);
	assert_null(make_in(full, "run", &err));
	assert_int_equal(err.code, ERROR_SPOOL);
	spool_ahead_stop(none);
	assert_int_equal(count_ready(NULL), 0);
	spool_ahead_free(none);
	spool_dir_free(full);
}

/* --- many at once --- */

static void *make_many(void *arg)
{
	const char *name = arg;
	char run[32];

	for (int i = 0; i < RUNS_EACH; i++) {
		struct spool *spool;

		snprintf(run, sizeof run, "%s-%d", name, i);
		spool = make_in(dir, run, NULL);
		if (!spool)
			return NULL;
		spool_unref(spool);
	}
	return arg;
}

static void each_of_many_at_once_gets_a_file_of_its_own(void **state)
{
	static const char *const names[MAKERS] = { "a", "b", "c", "d" };
	pthread_t threads[MAKERS];
	char run[32];

	(void)state;
	for (int i = 0; i < MAKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_many, (void *)names[i]), 0);
	for (int i = 0; i < MAKERS; i++) {
		void *done;

		pthread_join(threads[i], &done);
		assert_non_null(done);
	}
	for (int i = 0; i < MAKERS * RUNS_EACH; i++) {
		struct spool *reader;

		snprintf(run, sizeof run, "%s-%d", names[i / RUNS_EACH], i % RUNS_EACH);
		reader = spool_open(dir, run, NULL);
		assert_non_null(reader);
		assert_string_equal(spool_record(reader)->run_id, run);
		spool_unref(reader);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(none_is_made_before_the_first_turn),
		T(a_turn_takes_one_that_was_made_before),
		T(what_is_ready_is_no_answer),
		T(a_run_is_made_once_also_from_what_is_ready),
		T(a_stop_leaves_none_and_turns_go_on),
		T(leftovers_of_the_dead_go_and_those_of_the_living_stay),
		T(who_finds_his_gone_makes_another),
		T(none_is_made_where_the_disk_is_nearly_full),
		T(each_of_many_at_once_gets_a_file_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
