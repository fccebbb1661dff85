/* A run whose source cannot be had: it ends for its readers all the same. */
#include "../../src/stream/run.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char folder[64];
static const struct config config;
static struct spool_dir *dir;
static struct loop *loop;
static struct spool *owner;
static struct runs runs;
static bool is_over, is_gone;
static struct error told;

static void on_gone(void *ctx, struct run *run)
{
	(void)ctx;
	(void)run;
	is_gone = true;
}

static struct run *seen;

/* Leaves when it is told that the run is over, as followers do. */
static void on_more(struct run_reader *reader)
{
	if (!run_is_over(seen))
		return;
	is_over = true;
	told = *run_error(seen);
	run_leave(seen, reader);
}

static void on_cut(struct run_reader *reader)
{
	(void)reader;
}

static int set_up(void **state)
{
	static const struct spool_limits limits = { .total = 1 << 20 };
	const struct spool_record record = { .run_id = "run" };

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/c1d-run-XXXXXX");
	if (!mkdtemp(folder) || !(dir = spool_dir_open(folder, &limits, NULL, NULL)) ||
	    !(loop = loop_open(NULL)))
		return -1;
	runs = (struct runs){
		.loop = loop, .config = &config, .slot = BOARD_NOBODY, .calls = { .gone = on_gone }
	};
	owner = spool_create(dir, &record, NULL);
	return owner ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	spool_unref(owner);
	loop_free(loop);
	spool_dir_free(dir);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of ours */
}

/* Another worker writes it, and here is no memory to look at its file: nobody would ever say that
 * it is saved. */
static void a_seen_run_without_a_source_is_over_at_once(void **state)
{
	static const struct run_reader_ops ops = { on_more, on_cut };
	struct run_reader reader = { .ops = &ops };

	(void)state;
	seen = run_seen(&runs, spool_open(dir, "run", NULL));
	assert_non_null(seen);
	run_take(seen, NULL);
	run_join(seen, &reader);
	runs_flush(&runs);
	assert_true(is_over);
	assert_int_equal(told.code, ERROR_OVERLOADED);
	runs_flush(&runs);
	assert_true(is_gone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_seen_run_without_a_source_is_over_at_once, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
