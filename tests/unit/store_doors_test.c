/* The doors of a store: how many may be inside, and what is said of one that is full. The slow
 * store is an SQLite file that somebody else is writing; the full disk is a file system that
 * refuses. */
#include "store/store.h"

#include "folder.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char path[96], uri[112];
static struct config config;
static struct store *store;

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("doors"))
		return -1;
	snprintf(path, sizeof path, "%s/store.db", folder);
	snprintf(uri, sizeof uri, "sqlite:%s", path);
	config = (struct config){ .store_uri = uri, .threads = 4 };
	store = store_open(&config, NULL, NULL);
	return store ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	store_free(store);
	return folder_remove();
}

static enum error_code put(const char *id)
{
	const struct thread thread = { .id = id, .user_id = "ada", .title = "A title" };
	struct error err = { 0 };

	return store_thread_insert(store, &thread, &err) ? ERROR_NONE : err.code;
}

static enum error_code look(struct store *door, const char *id, struct error *err)
{
	struct thread thread;
	struct arena arena;

	*err = (struct error){ 0 };
	arena_init(&arena, 1 << 16);
	store_thread_get(door, NULL, id, &arena, &thread, err);
	arena_done(&arena);
	return err->code;
}

/* --- R13: a slow store --- */

struct putter {
	const char *id;
	enum error_code code;
};

static void *put_one(void *arg)
{
	struct putter *putter = arg;

	putter->code = put(putter->id);
	return NULL;
}

/* Of four request threads three may be inside. When they are, the next is told to come back, and
 * whoever saves has a door of his own. */
static void r13_a_slow_store_never_holds_all_threads(void **state)
{
	struct putter putters[3] = { { .id = "a" }, { .id = "b" }, { .id = "c" } };
	pthread_t threads[3];
	sqlite3 *other = NULL;
	struct error err;

	(void)state;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, put_one, &putters[i]), 0);
	while (look(store, "x", &err) == ERROR_NOT_FOUND)
		; /* not all three are inside yet */
	assert_int_equal(err.code, ERROR_OVERLOADED);
	assert_int_equal(error_status(err.code), 503);
	assert_int_equal(err.retry_after_s, 1);
	assert_int_equal(look(store_for_savers(store), "x", &err), ERROR_NOT_FOUND);
	assert_false(store_is_down(store));
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(putters[i].code, ERROR_NONE);
	}
	assert_int_equal(look(store, "a", &err), ERROR_NONE);
	sqlite3_close(other);
}

/* A search, and what others are told while it is inside. */
struct searcher {
	struct thread_taker taker;
	struct error other, large, ordinary;
};

static bool search(const struct thread_taker *taker, struct error *err)
{
	const struct thread_filter filter = {
		.archived = -1, .q = "title", .limit = 1, .taker = taker
	};
	struct thread_list list;
	struct arena arena;
	bool ok;

	arena_init(&arena, 1 << 16);
	ok = store_thread_list(store, &filter, &arena, &list, err);
	arena_done(&arena);
	return ok;
}

static bool add(const char *id, size_t len, struct error *err)
{
	static char text[300 << 10];
	struct message message = { .thread_id = "a", .id = id, .content = { text, len } };

	memset(text, 'x', sizeof text);
	return store_messages_add(store, NULL, "a", &message, 1, err);
}

static bool meanwhile(void *self, const struct thread *thread)
{
	struct searcher *searcher = self;

	look(store, thread->id, &searcher->ordinary);
	search(NULL, &searcher->other);
	add("large", 300 << 10, &searcher->large);
	assert_true(add("small", 200 << 10, NULL));
	return true;
}

static void r13_what_may_last_leaves_room_for_all_else(void **state)
{
	struct searcher searcher = { .taker = { meanwhile, &searcher } };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(put("a"), ERROR_NONE);
	assert_true(search(&searcher.taker, &err));
	assert_int_equal(searcher.ordinary.code, ERROR_NONE);
	assert_int_equal(searcher.other.code, ERROR_OVERLOADED);
	assert_int_equal(searcher.other.retry_after_s, 1);
	assert_int_equal(searcher.large.code, ERROR_OVERLOADED);
	assert_true(search(NULL, &err)); /* its place is free again */
	assert_true(add("large", 300 << 10, &err));
}

/* --- R36: a full disk --- */

#define KINDS 4

/* The files of a database have methods of several kinds; each gets a copy that writes as we say. */
static sqlite3_vfs full_vfs, *real_vfs;
static sqlite3_io_methods copies[KINDS];
static const sqlite3_io_methods *originals[KINDS];
static bool is_full;

static int write_or_refuse(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	return is_full ? SQLITE_FULL
		       : originals[file->pMethods - copies]->xWrite(file, bytes, len, at);
}

static const sqlite3_io_methods *copy_of(const sqlite3_io_methods *methods)
{
	int kind = 0;

	while (originals[kind] && originals[kind] != methods)
		assert_true(++kind < KINDS);
	originals[kind] = methods;
	copies[kind] = *methods;
	copies[kind].xWrite = write_or_refuse;
	return &copies[kind];
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	int code = real_vfs->xOpen(real_vfs, name, file, flags, out);

	(void)vfs;
	if (code == SQLITE_OK && file->pMethods)
		file->pMethods = copy_of(file->pMethods);
	return code;
}

static int set_up_full(void **state)
{
	real_vfs = sqlite3_vfs_find(NULL);
	full_vfs = *real_vfs;
	full_vfs.zName = "full";
	full_vfs.xOpen = open_file;
	sqlite3_vfs_register(&full_vfs, 1);
	return set_up(state);
}

static int tear_down_full(void **state)
{
	int failed = tear_down(state);

	sqlite3_vfs_unregister(&full_vfs);
	return failed;
}

static void r36_a_full_disk_is_told_and_reading_goes_on(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(put("before"), ERROR_NONE);
	is_full = true;
	assert_int_equal(put("while"), ERROR_STORE_FULL);
	assert_int_equal(error_status(ERROR_STORE_FULL), 503);
	assert_true(store_is_full(store));
	assert_false(store_is_down(store));
	assert_int_equal(look(store, "before", &err), ERROR_NONE);
	assert_int_equal(look(store, "while", &err), ERROR_NOT_FOUND);
	assert_false(store_ping(store, &err));
	assert_int_equal(err.code, ERROR_STORE_FULL);
	assert_non_null(strstr(err.detail, "no room"));
	assert_false(store_is_down(store));
	is_full = false;
	assert_true(store_probe(store));
	assert_false(store_is_full(store));
	assert_int_equal(put("after"), ERROR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(r13_a_slow_store_never_holds_all_threads, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(r13_what_may_last_leaves_room_for_all_else, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(r36_a_full_disk_is_told_and_reading_goes_on,
						set_up_full, tear_down_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
