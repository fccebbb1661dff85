/* The lists of the state folder: whatever keeps one from being changed leaves it as it was, and is
 * told. */
#include "guard_site.h"

#include "../../src/guard/list_file.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define NAME "list"
#define OLD  "old 1\n"

static struct list_place place;

static const char *path_of(const char *name)
{
	return arena_printf(&arena, "%s/%s", site_folder, name);
}

static bool put(void *ctx, struct slice old, struct buffer *text, struct error *why)
{
	(void)old, (void)why;
	buffer_append(text, slice_of(ctx));
	return true;
}

static bool change_to(const char *text)
{
	char *copy = arena_text(&arena, text);

	err = (struct error){ 0 };
	return list_file_change(&place, put, copy, &err);
}

static int set_up(void **state)
{
	if (site_set_up(state) != 0)
		return -1;
	place = (struct list_place){ site_folder, NAME };
	return change_to(OLD) ? 0 : -1;
}

static int tear_down(void **state)
{
	site_remove(NAME);
	return site_tear_down(state);
}

/* And no half of a new one lies beside it. */
static void holds(const char *text)
{
	struct buffer found;

	buffer_init(&found, LIST_FILE_MAX);
	assert_true(list_file_read(&place, &found, &err));
	assert_true(slice_is(buffer_slice(&found), text));
	assert_int_equal(access(path_of("." NAME ".new"), F_OK), -1);
	buffer_done(&found);
}

static void a_disk_without_room_leaves_the_old_file(void **state)
{
	struct rlimit is, little;
	bool ok;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &is), 0);
	little = is;
	little.rlim_cur = 10; /* so many bytes are written, and then no more */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	ok = change_to("a line that is longer\n");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &is), 0);
	assert_false(ok);
	assert_int_equal(err.code, ERROR_INTERNAL);
	assert_non_null(strstr(err.detail, "/" NAME ": "));
	holds(OLD);
	assert_true(change_to("a line that is longer\n"));
	holds("a line that is longer\n");
}

static void what_is_no_file_is_not_replaced(void **state)
{
	(void)state;
	site_remove(NAME);
	assert_int_equal(mkdir(path_of(NAME), 0700), 0);
	assert_false(change_to("new 1\n"));
	assert_non_null(strstr(err.detail, "/" NAME ": it is no file."));
	assert_int_equal(rmdir(path_of(NAME)), 0);
}

static void what_cannot_be_written_beside_it_leaves_the_old_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("." NAME ".new"), 0700), 0);
	assert_false(change_to("new 1\n"));
	assert_int_equal(err.code, ERROR_INTERNAL);
	assert_int_equal(rmdir(path_of("." NAME ".new")), 0);
	holds(OLD);
}

static void more_than_fits_is_not_written(void **state)
{
	char *text = malloc(LIST_FILE_MAX + 2);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', LIST_FILE_MAX + 1);
	text[LIST_FILE_MAX + 1] = '\0';
	err = (struct error){ 0 };
	assert_false(list_file_change(&place, put, text, &err));
	assert_int_equal(err.code, ERROR_INTERNAL);
	assert_non_null(strstr(err.detail, NAME " would be too large"));
	holds(OLD);
	free(text);
}

static void what_is_too_large_for_a_list_is_told(void **state)
{
	struct buffer text;

	(void)state;
	assert_int_equal(truncate(path_of(NAME), LIST_FILE_MAX + 1), 0);
	buffer_init(&text, LIST_FILE_MAX);
	assert_false(list_file_read(&place, &text, &err));
	assert_int_equal(err.code, ERROR_INTERNAL);
	assert_non_null(strstr(err.detail, "/" NAME ": File too large."));
	buffer_done(&text);
}

static void a_folder_that_is_none_is_told(void **state)
{
	static const char *const folders[] = { NAME, "not/there" };
	struct buffer text;

	(void)state;
	buffer_init(&text, LIST_FILE_MAX);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		place.folder = path_of(folders[i]);
		assert_false(change_to("new 1\n"));
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_non_null(strstr(err.detail, place.folder));
	}
	place.folder = path_of(NAME);
	assert_false(list_file_read(&place, &text, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	place.folder = site_folder;
	holds(OLD);
	buffer_done(&text);
}

static void who_stands_still_with_the_lock_is_not_waited_for_for_ever(void **state)
{
	int folder = open(site_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(flock(folder, LOCK_EX), 0);
	assert_false(change_to("new 1\n"));
	assert_int_equal(err.code, ERROR_INTERNAL);
	assert_non_null(strstr(err.detail, "another process holds the lock"));
	holds(OLD); /* whoever only reads needs none */
	close(folder);
	assert_true(change_to("new 1\n"));
	holds("new 1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_disk_without_room_leaves_the_old_file),
		TEST(what_is_no_file_is_not_replaced),
		TEST(what_cannot_be_written_beside_it_leaves_the_old_file),
		TEST(more_than_fits_is_not_written),
		TEST(what_is_too_large_for_a_list_is_told),
		TEST(a_folder_that_is_none_is_told),
		TEST(who_stands_still_with_the_lock_is_not_waited_for_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
