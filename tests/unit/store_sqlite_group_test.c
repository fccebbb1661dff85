/* Writers of one process that come while another writes share one wait for the disk; each is told
 * what became of its own part, and what it was told is there. */
#include "../../src/store/sqlite/sqlite_room.h"

#include "folder.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WRITERS 8

static char path[96];
static struct sqlite_pool *pool;
static atomic_int syncs;

/* In front of the C library's: how often does the driver wait for the disk? */
int fdatasync(int fd)
{
	atomic_fetch_add(&syncs, 1);
	return (int)syscall(SYS_fdatasync, fd);
}

static struct sqlite_pool *open_pool(int64_t limit_ms)
{
	const struct store_options options = { .limit_ms = limit_ms };

	return sqlite_pool_open(path, &options, NULL);
}

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("group"))
		return -1;
	snprintf(path, sizeof path, "%s/store.db", folder);
	pool = open_pool(60000);
	return pool && sqlite_try_open(pool, NULL) == ERROR_NONE ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	sqlite_pool_free(pool);
	return folder_remove();
}

struct writer {
	struct sqlite_pool *pool;
	char id[16];
	pthread_t thread;
	atomic_int tid;
	atomic_bool is_done;
	enum error_code code;
};

static void *write_one(void *arg)
{
	struct writer *writer = arg;
	const struct thread thread = { .id = writer->id, .user_id = "ada", .title = "A title" };

	atomic_store(&writer->tid, (int)syscall(SYS_gettid));
	writer->code = sqlite_thread_insert(writer->pool, &thread);
	atomic_store(&writer->is_done, true);
	return NULL;
}

static bool is_asleep(int tid)
{
	char name[64], line[256] = "";
	FILE *file;

	snprintf(name, sizeof name, "/proc/self/task/%d/stat", tid);
	if (!(file = fopen(name, "r")))
		return false;
	if (!fgets(line, sizeof line, file))
		*line = '\0';
	fclose(file);
	return strstr(line, ") S ") != NULL;
}

/* It waits for its turn by the time this comes back, or has waited long enough. */
static void start(struct writer *writer, const char *id)
{
	writer->pool = pool;
	snprintf(writer->id, sizeof writer->id, "%s", id);
	assert_int_equal(pthread_create(&writer->thread, NULL, write_one, writer), 0);
	while (!atomic_load(&writer->is_done) &&
	       (atomic_load(&writer->tid) == 0 || !is_asleep(atomic_load(&writer->tid))))
		usleep(1000);
}

static void join(struct writer *writers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pthread_join(writers[i].thread, NULL);
}

/* As another process sees it. */
static bool is_there(const char *id)
{
	struct sqlite_pool *other = open_pool(60000);
	struct arena arena;
	struct thread thread;
	enum error_code code;

	assert_non_null(other);
	arena_init(&arena, 1 << 16);
	code = sqlite_thread_get(other, NULL, id, &arena, &thread);
	arena_done(&arena);
	sqlite_pool_free(other);
	return code == ERROR_NONE;
}

static void those_that_queue_share_one_sync(void **state)
{
	struct writer writers[WRITERS] = { 0 };
	struct sqlite_call first;
	char id[16];

	(void)state;
	assert_int_equal(sqlite_begin(pool, true, &first), ERROR_NONE);
	for (int i = 0; i < WRITERS; i++) {
		snprintf(id, sizeof id, "t%d", i);
		start(&writers[i], i == 3 ? "t1" : id); /* one that cannot be */
	}
	atomic_store(&syncs, 0);
	assert_int_equal(sqlite_end(&first, ERROR_NONE), ERROR_NONE);
	join(writers, WRITERS);
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(writers[i].code, i == 3 ? ERROR_CONFLICT : ERROR_NONE);
		assert_true(is_there(writers[i].id));
	}
	assert_in_range(atomic_load(&syncs), 1,
			2); /* a log that begins anew has one for its head */
}

static void who_undoes_his_part_undoes_nobody_elses(void **state)
{
	const struct thread thread = { .id = "undone", .user_id = "ada", .title = "A title" };
	struct writer writers[2] = { 0 };
	struct sqlite_call first;

	(void)state;
	assert_int_equal(sqlite_begin(pool, true, &first), ERROR_NONE);
	assert_int_equal(sqlite_thread_put(first.conn, &thread), ERROR_NONE);
	start(&writers[0], "a");
	start(&writers[1], "b");
	assert_int_equal(sqlite_end(&first, ERROR_ACCESS_DENIED), ERROR_ACCESS_DENIED);
	join(writers, 2);
	assert_int_equal(writers[0].code, ERROR_NONE);
	assert_int_equal(writers[1].code, ERROR_NONE);
	assert_false(is_there("undone"));
	assert_true(is_there("a") && is_there("b"));
}

/* What is not synced is nobody's to be told of. */
static void nobody_shares_what_is_lazy(void **state)
{
	struct writer writer = { 0 };
	struct sqlite_call first;

	(void)state;
	assert_int_equal(sqlite_begin_lazy(pool, &first), ERROR_NONE);
	assert_int_equal(sql_run(first.conn, SQL_NODE_BEAT,
				 SQL_VALUES(sql_text("0badcafe"), sql_int(1)), NULL),
			 ERROR_NONE);
	start(&writer, "a");
	atomic_store(&syncs, 0);
	assert_int_equal(sqlite_end(&first, ERROR_NONE), ERROR_NONE);
	join(&writer, 1);
	assert_int_equal(writer.code, ERROR_NONE);
	assert_in_range(atomic_load(&syncs), 1, 2);
	assert_true(is_there("a"));
}

static void who_has_waited_long_enough_goes_and_the_others_stay(void **state)
{
	struct writer late = { 0 }, next = { 0 };
	struct sqlite_call first;

	(void)state;
	sqlite_pool_free(pool);
	pool = open_pool(300);
	assert_int_equal(sqlite_begin(pool, true, &first), ERROR_NONE);
	start(&late, "late");
	join(&late, 1);
	assert_int_equal(late.code, ERROR_STORE_TIMEOUT);
	start(&next, "next");
	assert_int_equal(sqlite_end(&first, ERROR_NONE), ERROR_NONE);
	join(&next, 1);
	assert_true(next.code == ERROR_NONE || next.code == ERROR_STORE_TIMEOUT);
	assert_int_equal(is_there("next"), next.code == ERROR_NONE);
	assert_false(is_there("late"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(those_that_queue_share_one_sync),
		TEST(who_undoes_his_part_undoes_nobody_elses),
		TEST(nobody_shares_what_is_lazy),
		TEST(who_has_waited_long_enough_goes_and_the_others_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
