/* SQLite's search: parts of words in any script, however rare or common; the way of an older file's
 * messages into the index, whatever happens to them meanwhile; and a copy of the file. */
#include "../../src/store/sqlite/sqlite_room.h"
#include "folder.h"

#include <stdio.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MANY 2200 /* more than are looked at one by one */

static char path[96], uri[112];
static struct config config;
static struct store *store;
static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("search"))
		return -1;
	snprintf(path, sizeof path, "%s/store.db", folder);
	snprintf(uri, sizeof uri, "sqlite:%s", path);
	config = (struct config){ .store_uri = uri };
	arena_init(&arena, 64 << 20);
	store = store_open(&config, NULL, NULL);
	return store ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	store_free(store);
	arena_done(&arena);
	return folder_remove();
}

static void make_thread(const char *id, const char *user)
{
	const struct thread thread = { .id = id, .user_id = user, .title = "t", .updated_ms = 1 };

	assert_true(store_threads_put(store, &thread, 1, NULL));
}

/* count messages of the same text behind `first`, in one go. */
static void say(const char *thread_id, int64_t first, size_t count, const char *text)
{
	struct message *all = arena_alloc(&arena, count * sizeof *all);

	for (size_t i = 0; i < count; i++)
		all[i] = (struct message){
			.thread_id = thread_id,
			.id = arena_printf(&arena, "m%zu", (size_t)first + i),
			.seq = first + (int64_t)i,
			.content = slice_of(text),
			.status = STATUS_COMPLETE,
		};
	assert_true(store_messages_put(store, all, count, NULL));
}

static size_t found(const char *user, const char *q)
{
	const struct thread_filter filter = {
		.user_id = user, .archived = -1, .q = q, .limit = 50
	};
	struct thread_list list;

	assert_true(store_thread_list(store, &filter, &arena, &list, NULL));
	return list.count;
}

static bool sweep(void)
{
	bool more;

	assert_true(store_sweep(store, 1 << 20, 1 << 20, 200, &more, NULL));
	return more;
}

/* Until all that was said is in the index. */
static void sweep_all(void)
{
	int steps = 0;

	while (sweep())
		assert_true(++steps < 10000);
}

static int64_t pending(void)
{
	sqlite3_stmt *query = NULL;
	sqlite3 *db = NULL;
	int64_t count;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT count(*) FROM search_pending", -1, &query, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	count = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	sqlite3_close(db);
	return count;
}

/* The index holds together, and holds nothing once all is gone. */
static void check_index(sqlite3_int64 trigrams)
{
	sqlite3_stmt *query = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "INSERT INTO search (search) VALUES ('integrity-check')",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT count(*) FROM search_words", -1, &query, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	if (trigrams >= 0)
		assert_int_equal(sqlite3_column_int64(query, 0), trigrams);
	sqlite3_finalize(query);
	sqlite3_close(db);
}

/* --- what is found --- */

static void parts_of_words_are_found_in_any_script(void **state)
{
	static const struct {
		const char *said, *q;
		size_t count;
	} cases[] = {
		{ "Wintersonnenwende", "SONNE", 1 },
		{ "Wintersonnenwende", "winters", 1 },
		{ "Wintersonnenwende", "wende", 1 },
		{ "Wintersonnenwende", "wendt", 0 },
		{ "aXbXc abc bcd", "abcd", 0 }, /* all its trigrams are there, it is not */
		{ "ends in QZ", "qz", 1 },
		{ "\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82", 1 },
		{ "\xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0", "\xD0\xBE\xD0\xA1\xD0\xBA",
		  1 },
		{ "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD\xE3\x81\xAB", "\xE4\xBA\xAC\xE9\x83\xBD",
		  1 },
		{ "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD\xE3\x81\xAB",
		  "\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD", 1 },
		{ "\xE6\x9D\xB1\xE4\xBA\xAC", "\xE6\x9D\xB1\xE4\xBA\xAC", 1 },
		{ "\xF0\x9F\x8E\x89\xF0\x9F\x8E\x88", "\xF0\x9F\x8E\x89\xF0\x9F\x8E\x88", 1 },
		{ "say \"no\" now", "\"no\"", 1 },
		{ "q", "q", 0 }, /* one letter: titles alone */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *id = arena_printf(&arena, "t%zu", i);

		make_thread(id, id);
		say(id, 1, 1, cases[i].said);
		if (found(id, cases[i].q) != cases[i].count)
			fail_msg("'%s' in '%s'", cases[i].q, cases[i].said);
	}
	sweep_all();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (found(arena_printf(&arena, "t%zu", i), cases[i].q) != cases[i].count)
			fail_msg("'%s' in '%s', by the index", cases[i].q, cases[i].said);
	assert_int_equal(found("t0", "T"), 1);
}

static void check_zebras(void)
{
	assert_int_equal(found("ada", "zebra"), 1);
	assert_int_equal(found("bob", "zebra"), 1);
	assert_int_equal(found(NULL, "Zebra"), 2);
	assert_int_equal(found("bob", "common"), 0);
	assert_int_equal(found("ada", "ze"), 1);
	assert_int_equal(found("bob", "ze"), 2);
	assert_int_equal(found("bob", "z "), 0);
}

static void what_many_say_is_found_where_it_is_said(void **state)
{
	(void)state;
	make_thread("many", "ada");
	make_thread("one", "bob");
	make_thread("none", "bob");
	say("many", 1, MANY, "the common zebra");
	say("one", 1, 1, "a zebra of bob's");
	say("none", 1, 3, "a horse, zeb and bra");
	check_zebras();
	while (pending() > MANY / 2) /* a part of them is in */
		assert_true(sweep());
	check_zebras();
	sweep_all();
	assert_int_equal(pending(), 0);
	check_zebras();
}

/* What is in goes when it is changed or removed, and what is not in was never taken out. */
static void what_changes_comes_in_anew(void **state)
{
	const char *ids[] = { "m1", "m2", "m4" };

	(void)state;
	make_thread("t", "ada");
	say("t", 1, 2, "apples");
	sweep_all();
	assert_int_equal(pending(), 0);
	say("t", 3, 2, "pears");
	say("t", 1, 1, "plums");
	assert_int_equal(pending(), 3);
	say("t", 1, 1, "grapes"); /* while it is pending */
	say("t", 3, 1, "");
	assert_int_equal(pending(), 2);
	assert_int_equal(found("ada", "apples"), 1);
	assert_int_equal(found("ada", "plums"), 0);
	assert_int_equal(found("ada", "grapes"), 1);
	sweep_all();
	assert_int_equal(found("ada", "pears"), 1);
	assert_int_equal(found("ada", "grapes"), 1);
	say("t", 2, 1, "cherries");
	assert_int_equal(found("ada", "apples"), 0);
	assert_true(store_messages_drop(store, "t", ids, 3, NULL));
	assert_int_equal(pending(), 0);
	check_index(0);
}

static void of_a_long_text_the_first_part_is_indexed(void **state)
{
	size_t len = 400000;
	char *text = arena_alloc(&arena, len + 1);

	(void)state;
	memset(text, ' ', len);
	memcpy(text, "beginning", 9);
	memcpy(text + len - 3, "end", 4);
	make_thread("t", "ada");
	say("t", 1, 1, text);
	assert_int_equal(found("ada", "beginning"), 1);
	assert_int_equal(found("ada", "end"), 0);
	sweep_all();
	assert_int_equal(found("ada", "beginning"), 1);
	assert_int_equal(found("ada", "end"), 0);
	say("t", 1, 1, "");
	check_index(0);
}

/* --- an older file --- */

static void forget_index(void)
{
	static const char sql[] = "DROP TRIGGER search_added; DROP TRIGGER search_said;"
				  "DROP TRIGGER search_removed; DROP TRIGGER search_changed;"
				  "DROP TABLE search_pending; DROP TABLE search_words; DROP TABLE "
				  "search; DROP TABLE search_threads;"
				  "DROP TABLE search_fill; PRAGMA user_version = 2";
	sqlite3 *db = NULL;

	store_free(store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	store = store_open(&config, NULL, NULL);
	assert_non_null(store);
}

static void an_older_files_messages_come_in_whatever_happens_meanwhile(void **state)
{
	const char *ids[] = { "m1", "m250", "m500" };
	struct thread_deleted deleted;
	int steps = 0;
	bool more;

	(void)state;
	make_thread("a", "ada");
	make_thread("b", "ada");
	make_thread("c", "ada");
	say("a", 1, 500, "apples");
	say("b", 1, 5, "bananas");
	say("c", 1, 5, "cherries");
	forget_index();
	assert_int_equal(found("ada", "apples"), 0);
	make_thread("d", "ada");
	say("d", 1, 1, "dates");
	assert_int_equal(found("ada", "dates"), 1);
	assert_true(sweep());         /* a part of a is in */
	say("a", 501, 1, "apricots"); /* behind it */
	say("a", 3, 1, "avocados");   /* in it */
	assert_true(store_messages_drop(store, "a", ids, 3, NULL));
	assert_true(store_thread_delete(store, NULL, "c", &arena, &deleted, NULL));
	assert_true(store_thread_purge(store, "c", 100, &more, NULL));
	while (sweep())
		assert_true(++steps < 50);
	assert_int_equal(found("ada", "apples"), 1);
	assert_int_equal(found("ada", "apricots"), 1);
	assert_int_equal(found("ada", "avocados"), 1);
	assert_int_equal(found("ada", "bananas"), 1);
	assert_int_equal(found("ada", "cherries"), 0);
	check_index(-1);
	for (const char *id = "a\0b\0d"; *id; id += 2) {
		assert_true(store_thread_delete(store, NULL, id, &arena, &deleted, NULL));
		assert_true(store_thread_purge(store, id, 1000, &more, NULL));
		if (*id == 'd')
			break;
	}
	check_index(0); /* what was never in was never taken out */
}

/* --- a copy --- */

static bool told_off(void *self, int64_t done, int64_t total)
{
	(void)self;
	assert_true(done >= 0 && done <= total);
	return false;
}

static void a_backup_is_whole_or_not_there_and_replaces_nothing(void **state)
{
	char copy[128], part[160], copy_uri[160];
	const struct store_watch watch = { .tell = told_off };
	struct error err = { 0 };
	struct thread thread;

	(void)state;
	snprintf(copy, sizeof copy, "%s/copy.db", folder);
	snprintf(part, sizeof part, "%s.part", copy);
	make_thread("t", "ada");
	say("t", 1, 1500, "some text, so that it is more than one step");
	assert_false(store_backup(uri, &config, copy, &watch, &err));
	assert_int_not_equal(access(copy, F_OK), 0);
	err = (struct error){ 0 };
	if (!store_backup(uri, &config, copy, NULL, &err))
		fail_msg("%s", err.detail);
	assert_false(store_backup(uri, &config, copy, NULL, &err));
	assert_int_equal(err.code, ERROR_CONFLICT);
	assert_int_not_equal(access(part, F_OK), 0);
	store_free(store);
	snprintf(copy_uri, sizeof copy_uri, "sqlite:%s", copy);
	config.store_uri = copy_uri;
	store = store_open(&config, NULL, NULL);
	assert_non_null(store);
	assert_true(store_thread_get(store, "ada", "t", &arena, &thread, NULL));
	assert_int_equal(found("ada", "some text"), 1);
}

static void a_file_is_looked_at_and_damage_is_told(void **state)
{
	static const char garbage[4096] = { 1, 2, 3 };
	const char *how = NULL;
	struct error err = { 0 };
	FILE *file;

	(void)state;
	make_thread("t", "ada");
	say("t", 1, 1500, "some text");
	store_free(store);
	store = NULL;
	if (!store_look(uri, &config, &how, &err))
		fail_msg("%s", err.detail);
	assert_non_null(strstr(how, "sound"));
	file = fopen(path, "r+");
	for (long page = 20; page < 40; page++) {
		assert_int_equal(fseek(file, page * 4096, SEEK_SET), 0);
		assert_int_equal(fwrite(garbage, sizeof garbage, 1, file), 1);
	}
	fclose(file);
	assert_false(store_look(uri, &config, &how, &err));
	assert_int_equal(err.code, ERROR_CORRUPT);
	unlink(path);
	assert_true(store_look(uri, &config, &how, &err));
	assert_null(how);
}

/* A few huge texts are few steps of SQLite's machine, and as much work as a thousand others. */
static void r13_a_call_that_is_late_looks_into_no_more_large_texts(void **state)
{
	enum error_code code = ERROR_NONE;
	struct sqlite_conn *conn = sqlite_file_open(path, 60000, false, &code, NULL);
	static const char small[] = "SELECT fold('x')",
			  large[] = "SELECT fold(hex(zeroblob(100000)))";

	(void)state;
	assert_non_null(conn);
	assert_int_equal(sqlite3_exec(conn->db, large, NULL, NULL, NULL), SQLITE_OK);
	conn->until_ms = 0;
	assert_int_equal(sqlite3_exec(conn->db, small, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(conn->db, large, NULL, NULL, NULL), SQLITE_INTERRUPT);
	sqlite_file_close(conn);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(parts_of_words_are_found_in_any_script),
		TEST(what_many_say_is_found_where_it_is_said),
		TEST(what_changes_comes_in_anew),
		TEST(of_a_long_text_the_first_part_is_indexed),
		TEST(an_older_files_messages_come_in_whatever_happens_meanwhile),
		TEST(a_backup_is_whole_or_not_there_and_replaces_nothing),
		TEST(a_file_is_looked_at_and_damage_is_told),
		TEST(r13_a_call_that_is_late_looks_into_no_more_large_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
