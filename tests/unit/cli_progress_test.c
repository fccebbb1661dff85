/* What long work tells of itself, by a clock that the test turns. */
#include "../../src/cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t now_ms;

static int64_t turned_clock(void)
{
	return now_ms;
}

struct told {
	struct progress progress;
	FILE *file;
	int kept; /* the real stderr */
	char text[4096];
};

static void open_told(struct told *told, bool json, bool tty)
{
	now_ms = 1000;
	told->file = tmpfile();
	told->kept = dup(STDERR_FILENO);
	assert_non_null(told->file);
	assert_true(dup2(fileno(told->file), STDERR_FILENO) >= 0);
	progress_open(&told->progress, false, json);
	told->progress.clock = turned_clock;
	told->progress.tty = tty;
}

static void step_at(struct told *told, int64_t at_ms, int64_t done, int64_t whole)
{
	const struct watch *watch = &told->progress.watch;
	const struct watch_step step = { .doing = told->progress.doing ? told->progress.doing
								       : "copying",
					 .done = done,
					 .whole = whole,
					 .unit = "threads",
					 .messages = 10 * done };

	now_ms = at_ms;
	watch->step(watch->ctx, &step);
}

static const char *close_told(struct told *told)
{
	size_t len;

	progress_close(&told->progress);
	assert_true(dup2(told->kept, STDERR_FILENO) >= 0);
	close(told->kept);
	rewind(told->file);
	len = fread(told->text, 1, sizeof told->text - 1, told->file);
	told->text[len] = '\0';
	fclose(told->file);
	return told->text;
}

static void elsewhere_there_is_a_line_each_five_seconds(void **state)
{
	struct told told = { 0 };

	(void)state;
	open_told(&told, false, false);
	step_at(&told, 1000, 0, 82311);
	step_at(&told, 5999, 4999, 82311);
	step_at(&told, 6000, 5000, 82311);
	step_at(&told, 10999, 9999, 82311);
	step_at(&told, 11000, 20000, 82311);
	assert_string_equal(
		close_told(&told),
		"copying  6 %  5 000/82 311 threads  50 000 messages  1.0k/s  ETA 1:17\n"
		"copying  24 %  20 000/82 311 threads  200 000 messages  2.0k/s  ETA 0:31\n");
}

static void who_goes_on_counts_from_there(void **state)
{
	struct told told = { 0 };

	(void)state;
	open_told(&told, false, false);
	step_at(&told, 1000, 9000, 10000);
	step_at(&told, 11000, 9100, 10000);
	assert_string_equal(
		close_told(&told),
		"copying  91 %  9 100/10 000 threads  91 000 messages  10/s  ETA 1:30\n");
}

static void of_what_nobody_knows_the_end_there_is_none(void **state)
{
	struct told told = { 0 };

	(void)state;
	open_told(&told, false, false);
	step_at(&told, 1000, 0, 0);
	step_at(&told, 6000, 0, 0);
	step_at(&told, 11000, 50, 0);
	assert_string_equal(close_told(&told), "copying  0 threads  0/s\n"
					       "copying  50 threads  500 messages  5/s\n");
}

static void a_terminal_has_a_bar_that_is_written_over(void **state)
{
	struct told told = { 0 };
	const char *text;

	(void)state;
	open_told(&told, false, true);
	step_at(&told, 1000, 0, 400);
	step_at(&told, 1099, 1, 400);
	step_at(&told, 11000, 100, 400);
	step_at(&told, 41000, 400, 400);
	text = close_told(&told);
	assert_non_null(strstr(text, "\rcopying  25 %  100/400 threads  1 000 messages  10/s  "
				     "ETA 0:30  [###..........]"));
	assert_non_null(strstr(text, "\rcopying  100 %  400/400 threads  4 000 messages  10/s  "
				     "ETA 0:00  [############]"));
	assert_null(strchr(text, '\n'));
	assert_int_equal(text[strlen(text) - 1], '\r');
}

static void programs_get_objects(void **state)
{
	struct told told = { 0 };

	(void)state;
	open_told(&told, true, true);
	step_at(&told, 1000, 0, 400);
	step_at(&told, 11000, 100, 400);
	assert_string_equal(
		close_told(&told),
		"{\"doing\":\"copying\",\"unit\":\"threads\",\"done\":100,\"whole\":400,"
		"\"messages\":1000,\"per_second\":10,\"eta_seconds\":30}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elsewhere_there_is_a_line_each_five_seconds),
		cmocka_unit_test(who_goes_on_counts_from_there),
		cmocka_unit_test(of_what_nobody_knows_the_end_there_is_none),
		cmocka_unit_test(a_terminal_has_a_bar_that_is_written_over),
		cmocka_unit_test(programs_get_objects),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
