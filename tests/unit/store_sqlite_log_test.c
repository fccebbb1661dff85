/* What SQLite's writers put into its log goes into the file by a thread of the pool, and by no
 * writer as long as that thread can; and the log begins anew, whoever writes and reads. */
#include "../../src/store/sqlite/sqlite_room.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WRITERS   4
#define PATIENCE  2000
#define PAGE      4120      /* with its head, in the log */
#define LOG_BYTES (4 << 20) /* what it has when it is to be taken in */

static char path[96], log_path[112];
static struct sqlite_pool *pool;

/* How often the file itself was synced, which only what takes the log into it does. */
static atomic_int by_writers, by_others, refused;
static atomic_bool is_refused;
static _Thread_local bool is_writer;

static bool is_file(int fd)
{
	char link[48], name[128];
	ssize_t len;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof name);
	return len == (ssize_t)strlen(path) && memcmp(name, path, strlen(path)) == 0;
}

/* In front of the C library's. What is here needs no power failure to be lost, and how much is
 * written while the thread waits for a disk would be the disk's matter. */
int fdatasync(int fd)
{
	if (!is_file(fd))
		return 0;
	if (!is_writer && atomic_load(&is_refused)) {
		atomic_fetch_add(&refused, 1);
		errno = EIO;
		return -1;
	}
	atomic_fetch_add(is_writer ? &by_writers : &by_others, 1);
	return 0;
}

static int set_up(void **state)
{
	const struct store_options options = { .limit_ms = 60000 };

	(void)state;
	if (!folder_make("log"))
		return -1;
	snprintf(path, sizeof path, "%s/store.db", folder);
	snprintf(log_path, sizeof log_path, "%s-wal", path);
	pool = sqlite_pool_open(path, &options, NULL);
	if (!pool || sqlite_try_open(pool, NULL) != ERROR_NONE)
		return -1;
	atomic_store(&is_refused, false);
	atomic_store(&by_writers, 0);
	atomic_store(&by_others, 0);
	atomic_store(&refused, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sqlite_pool_free(pool);
	return folder_remove();
}

static off_t log_size(void)
{
	struct stat log;

	return stat(log_path, &log) == 0 ? log.st_size : 0;
}

/* How often it has begun anew: the fourth word of its head counts that, the highest byte first
 * (https://www.sqlite.org/fileformat2.html#walformat). */
static uint32_t log_beginnings(void)
{
	unsigned char count[4] = { 0 };
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, count, sizeof count, 12), sizeof count);
	close(fd);
	return (uint32_t)count[0] << 24 | (uint32_t)count[1] << 16 | (uint32_t)count[2] << 8 |
	       count[3];
}

/* Some twenty pages. */
static void write_one(int number)
{
	static const char text[64 << 10];
	char id[32];
	struct thread thread = { .id = id, .user_id = "ada", .title = "A title" };
	char metadata[sizeof text + 1];

	memset(metadata, 'x', sizeof text);
	metadata[sizeof text] = '\0';
	thread.metadata = metadata;
	snprintf(id, sizeof id, "t%d", number);
	assert_int_equal(sqlite_thread_insert(pool, &thread), ERROR_NONE);
}

static atomic_int written;

static void *write_many(void *count)
{
	is_writer = true;
	for (int i = 0; i < *(int *)count; i++)
		write_one(atomic_fetch_add(&written, 1));
	is_writer = false;
	return NULL;
}

static void write_at_once(int count)
{
	pthread_t threads[WRITERS];
	int each = count / WRITERS;

	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &each), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
}

/* Sixteen times what the log may have, by writers that never pause. */
static void no_writer_takes_the_log_into_the_file(void **state)
{
	(void)state;
	write_at_once(1024);
	assert_int_equal(atomic_load(&by_writers), 0);
	assert_true(atomic_load(&by_others) > 0);
	assert_true(log_size() < 8 * LOG_BYTES);
}

/* It grows as long as he reads, and is used again when he has gone. */
static void who_reads_what_was_holds_the_log_no_longer_than_he_reads(void **state)
{
	struct sqlite_call reader;
	uint32_t before;
	int version;
	off_t size;

	(void)state;
	assert_int_equal(sqlite_begin(pool, false, &reader), ERROR_NONE);
	assert_int_equal(sqlite_schema_read(reader.conn->db, &version), SQLITE_OK);
	write_at_once(512);
	assert_true(log_size() > 512 * 16 * PAGE);
	before = log_beginnings();
	assert_int_equal(sqlite_end(&reader, ERROR_NONE), ERROR_NONE);
	for (int i = 0; i < PATIENCE && log_beginnings() == before; i++)
		write_at_once(WRITERS);
	assert_true(log_beginnings() > before);
	size = log_size();
	write_at_once(256);
	assert_int_equal(log_size(), size);
	assert_int_equal(atomic_load(&by_writers), 0);
}

/* The thread's own failures are told to no writer, who does it himself meanwhile. */
static void writers_do_it_while_the_thread_cannot(void **state)
{
	(void)state;
	atomic_store(&is_refused, true);
	write_at_once(1024);
	assert_true(atomic_load(&refused) > 0);
	assert_true(atomic_load(&by_writers) > 0);
	assert_true(log_size() < 8 * LOG_BYTES);
	atomic_store(&is_refused, false);
	for (int i = 0; i < PATIENCE && atomic_load(&by_others) == 0; i++)
		write_at_once(WRITERS);
	assert_true(atomic_load(&by_others) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_writer_takes_the_log_into_the_file, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			who_reads_what_was_holds_the_log_no_longer_than_he_reads, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(writers_do_it_while_the_thread_cannot, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
