/*
 * The file of another worker's run as a source: its growth and its end are told; one that nobody
 * owns and nobody ends is not waited for for ever.
 */
#include "../../src/stream/source_file.h"
#include "folder.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct spool_dir *dir;
static struct loop *loop;
static struct spool *owner, *reader;
static struct source *source;
static struct files files;

/* What was told. */
static int grown, saved;
static enum message_status status;
static struct error error;

static struct buffer *on_room(void *ctx)
{
	(void)ctx;
	fail_msg("%s", "a file keeps its text itself");
	return NULL;
}

static void on_text(void *ctx, size_t len)
{
	(void)ctx;
	(void)len;
}

static void on_grown(void *ctx)
{
	(void)ctx;
	grown++;
}

static void on_end(void *ctx, const struct source_end *end)
{
	(void)ctx;
	assert_int_equal(status, STATUS_STREAMING);
	status = end->status;
	error = end->error;
}

static void on_saved(void *ctx)
{
	(void)ctx;
	saved++;
	loop_stop(loop);
}

static void on_stop(void *ctx, const char *run_id)
{
	(void)ctx;
	(void)run_id;
}

static int set_up(void **state)
{
	static const struct spool_limits limits = { .total = 1 << 20 };
	struct spool_record record = { .run_id = "run" };

	(void)state;
	if (!folder_make("source") || !(dir = spool_dir_open(folder, &limits, NULL, NULL)) ||
	    !(loop = loop_open(NULL)))
		return -1;
	files = (struct files){ .loop = loop, .look_ms = 10, .patience_ms = 50 };
	files.notices = notices_open(loop, folder, on_stop, NULL, NULL);
	owner = spool_create(dir, &record, NULL);
	reader = spool_open(dir, "run", NULL);
	source = source_file(&files, reader);
	grown = saved = 0;
	status = STATUS_STREAMING;
	error = (struct error){ 0 };
	return source && files.notices ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	source->ops->free(source);
	notices_close(files.notices);
	loop_free(loop);
	spool_unref(reader);
	spool_unref(owner);
	spool_dir_free(dir);
	return folder_remove();
}

static void begin(void)
{
	static const struct source_events events = { on_room, on_text, on_grown, on_end, on_saved };

	source->events = &events;
	source->ops->begin(source);
}

static void what_its_owner_does_is_told(void **state)
{
	const struct spool_ending ending = { .status = STATUS_ERROR,
					     .usage = USAGE_UNKNOWN,
					     .error_word = "upstream_failed" };

	(void)state;
	files.look_ms = 60000; /* the kernel tells */
	begin();
	assert_true(spool_append(owner, SLICE("text"), NULL));
	assert_true(spool_end(owner, &ending, NULL));
	assert_true(spool_mark_saved(dir, owner, NULL));
	loop_run(loop);
	assert_int_equal(status, STATUS_ERROR);
	assert_int_equal(error.code, ERROR_UPSTREAM);
	assert_int_equal(saved, 1);
	assert_int_equal(spool_record(reader)->length, 4);
}

/* Its owner died, or could not write its end: nobody adopts it in time. */
static void r22_a_file_that_nobody_ends_is_ended_as_interrupted(void **state)
{
	(void)state;
	assert_true(spool_append(owner, SLICE("half"), NULL));
	begin();
	assert_int_equal(status, STATUS_STREAMING);
	spool_unref(owner); /* and the lock goes with it */
	owner = NULL;
	loop_run(loop);
	assert_int_equal(status, STATUS_INTERRUPTED);
	assert_int_not_equal(error.code, ERROR_NONE);
	assert_int_equal(saved, 1);
}

/* It ended, but nobody saves it: the text is whole, and its readers wait no longer. */
static void r22_an_end_that_nobody_saves_is_an_end(void **state)
{
	const struct spool_ending ending = { .status = STATUS_COMPLETE, .usage = USAGE_UNKNOWN };

	(void)state;
	assert_true(spool_end(owner, &ending, NULL));
	spool_unref(owner);
	owner = NULL;
	begin();
	loop_run(loop);
	assert_int_equal(status, STATUS_COMPLETE);
	assert_int_equal(saved, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_its_owner_does_is_told),
		T(r22_a_file_that_nobody_ends_is_ended_as_interrupted),
		T(r22_an_end_that_nobody_saves_is_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
