/* Trouble that may pass by itself is never called a wrong setting: a worker that meets it is
 * started again. Each opening is tried with 0, 1, 2 ... descriptors to be had, so that every step
 * of it fails once. */
#include "../../src/server/listener.h"
#include "../../src/server/request_thread.h"
#include "../../src/service/service_room.h"

#include "base/loop.h"
#include "folder.h"
#include "stream/engine.h"
#include "stream/spool.h"
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MOST 64

static char spool[128], place[128];
static struct config config;
static rlim_t before;

static int set_up(void **state)
{
	struct rlimit limit;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	before = limit.rlim_cur;
	if (!folder_make("trouble"))
		return -1;
	snprintf(spool, sizeof spool, "%s/spool", folder);
	snprintf(place, sizeof place, "%s/c1d.sock", folder);
	config = (struct config){ .spool_path = spool, .socket = place, .runs_max = 10 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return folder_remove();
}

/* From now on so many descriptors can be opened. The lowest free number is where they begin. */
static void leave_descriptors(rlim_t n)
{
	struct rlimit limit;
	int lowest = dup(STDERR_FILENO);

	assert_true(lowest >= 0);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)lowest + n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void leave_all(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = before;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool open_spools(struct error *err)
{
	static const struct spool_limits limits = { .total = 1 << 20 };
	struct spool_dir *dir = spool_dir_open(spool, &limits, NULL, err);
	bool ok = dir != NULL;

	spool_dir_free(dir);
	return ok;
}

static bool name_node(struct error *err)
{
	char name[NODE_NAME_SIZE];

	return node_name(folder, name, err);
}

static bool watch_spools(struct error *err)
{
	static const struct engine_hooks none;
	struct engine *engine = engine_open(&config, NULL, NULL, err);
	bool ok = engine && engine_start(engine, &none, err);

	if (engine)
		engine_stop(engine, 1);
	engine_free(engine);
	return ok;
}

static bool listen_there(struct error *err)
{
	static const struct config_host host = { .inherited_listener = -1, .inherited_shm = -1 };
	struct listener listener = { .fd = -1 };
	bool ok = listener_open(&config, &host, &listener, err);

	listener_close(&listener);
	return ok;
}

static void r3_want_of_descriptors_is_no_wrong_setting(void **state)
{
	static bool (*const openings[])(struct error *) = { open_spools, name_node, watch_spools,
							    listen_there };

	(void)state;
	assert_true(open_spools(NULL)); /* what watch_spools looks at */
	for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
		bool ok = false;
		rlim_t n = 0;

		for (; !ok && n < MOST; n++) {
			struct error err = { 0 };

			leave_descriptors(n);
			ok = openings[i](&err);
			leave_all();
			if (!ok)
				assert_int_equal(err.code, ERROR_INTERNAL);
		}
		assert_true(ok && n > 1);
	}
}

/* A descriptor for the bell that stops them is there, and none for what they wait in. */
static void r30_request_threads_that_cannot_wait_fail_the_start(void **state)
{
	static const struct config_host host = { .inherited_listener = -1, .inherited_shm = -1 };
	struct listener listener = { .fd = -1 };
	struct request_work work = { .config = &config, .kept = 4 };
	struct request_threads *threads;
	struct error err = { 0 };

	(void)state;
	config.threads = 2;
	assert_true(listener_open(&config, &host, &listener, NULL));
	work.listener = listener.fd;
	leave_descriptors(1);
	threads = request_threads_start(&work, &err);
	leave_all();
	assert_null(threads);
	assert_int_equal(err.code, ERROR_INTERNAL);
	threads = request_threads_start(&work, &err);
	assert_non_null(threads);
	request_threads_stop(threads);
	listener_close(&listener);
}

static void r3_a_place_that_is_not_there_is_a_wrong_setting(void **state)
{
	struct error err = { 0 };

	(void)state;
	snprintf(spool, sizeof spool, "%s/no/spool", folder);
	assert_false(open_spools(&err));
	assert_int_equal(err.code, ERROR_CONFIG);
	snprintf(spool, sizeof spool, "%s/spool", folder);
	assert_false(node_name("/dev/null", (char[NODE_NAME_SIZE]){ 0 }, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
}

static void r3_what_may_pass_is_told_from_what_is_written_so(void **state)
{
	static const int passing[] = { EMFILE, ENFILE, ENOMEM, ENOSPC, EIO, EDQUOT, ESTALE, EINTR };
	static const int written[] = { ENOENT, EACCES, EPERM, ENOTDIR, EROFS, ELOOP };

	(void)state;
	for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
		assert_int_equal(error_of_errno(passing[i]), ERROR_INTERNAL);
	for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
		assert_int_equal(error_of_errno(written[i]), ERROR_CONFIG);
	assert_true(error_is_shortage(EMFILE) && error_is_shortage(ENOMEM));
	assert_false(error_is_shortage(EIO) || error_is_shortage(ECONNREFUSED));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(r3_want_of_descriptors_is_no_wrong_setting),
		TEST(r30_request_threads_that_cannot_wait_fail_the_start),
		TEST(r3_a_place_that_is_not_there_is_a_wrong_setting),
		TEST(r3_what_may_pass_is_told_from_what_is_written_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
