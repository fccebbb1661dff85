/* The front of the stores: which one a URI means, and the pool's mark of one that cannot be
 * reached. The store that goes and comes is an SQLite file in a folder that is not there yet. */
#include "../../src/store/store_front.h"
#include "../../src/store/store_mark.h"
#include "store/store.h"

#include "base/clock.h"
#include "folder.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char uri[128];
static struct shm *shm;
static struct config config;

static int set_up(void **state)
{
	(void)state;
	if (!folder_make("store") || !(shm = shm_map(NULL, NULL)))
		return -1;
	snprintf(uri, sizeof uri, "sqlite:%s/away/data/store.db", folder);
	config = (struct config){ .store_uri = uri };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	shm_unmap(shm);
	return folder_remove();
}

static struct store *open_away(void)
{
	struct store *store = store_open(&config, shm, NULL);

	assert_non_null(store);
	return store;
}

static void bring_back(void)
{
	char path[96];

	snprintf(path, sizeof path, "%s/away", folder);
	assert_int_equal(mkdir(path, 0700), 0);
}

static enum error_code ask(struct store *store)
{
	struct error err = { 0 };
	struct thread thread;
	struct arena arena;

	arena_init(&arena, 1 << 16);
	assert_false(store_thread_get(store, NULL, "no-such-thread", &arena, &thread, &err));
	arena_done(&arena);
	if (err.code == ERROR_STORE_DOWN)
		assert_int_equal(err.retry_after_s, 1);
	return err.code;
}

/* --- which store --- */

static void a_uri_that_means_no_store_is_refused_with_its_reason(void **state)
{
	static const char *const uris[] = {
		"",
		"store.db",
		"couchdb://user:hunter2@db/x",
		"sqlite:",
		"sqlite:/a/",
		"sqlite::memory:",
		"://hunter2",
		"MONGODB://hunter2@db",
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
		err = (struct error){ 0 };
		assert_false(store_check_uri(uris[i], &config, &err));
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_true(err.detail[0] != '\0');
		assert_null(strstr(err.detail, "hunter2"));
		config.store_uri = (char *)uris[i];
		assert_null(store_open(&config, shm, NULL));
	}
	store_check_uri("couchdb://x", &config, &err);
	assert_non_null(strstr(err.detail, "'couchdb'"));
	assert_non_null(strstr(err.detail, "sqlite:PATH"));
}

static void a_uri_that_means_a_store_is_taken(void **state)
{
	(void)state;
	assert_true(store_check_uri("sqlite:store.db", &config, NULL));
	assert_true(store_check_uri("sqlite:/var/lib/c1d/store.db", &config, NULL));
	assert_true(store_check_uri("mongodb://localhost/c1d", &config, NULL));
	assert_true(store_check_uri("postgresql://localhost/c1d", &config, NULL));
	assert_true(store_check_uri("postgres://localhost/c1d?schema=public", &config, NULL));
}

/* --- the mark --- */

static void a_store_that_cannot_be_reached_is_opened_and_marked_for_the_pool(void **state)
{
	struct store *one = open_away(), *two = open_away();

	(void)state;
	assert_true(store_is_down(one));
	assert_true(store_is_down(two));
	assert_true(atomic_load(&shm->store_down_since_ms) > 0);
	assert_int_equal(ask(one), ERROR_STORE_DOWN);
	bring_back();
	assert_int_equal(ask(two),
			 ERROR_STORE_DOWN); /* the mark alone says so: nobody asked the file */
	assert_true(store_ping(two, NULL));
	assert_false(store_is_down(one));
	assert_int_equal(ask(one), ERROR_NOT_FOUND);
	store_free(one);
	store_free(two);
}

static void without_a_pool_the_mark_is_the_stores_own(void **state)
{
	struct store *store = store_open(&config, NULL, NULL);

	(void)state;
	assert_true(store_is_down(store));
	bring_back();
	assert_true(store_probe(store));
	assert_false(store_is_down(store));
	store_free(store);
}

static void a_call_that_finds_it_gone_sets_the_mark(void **state)
{
	struct store *store = open_away();

	(void)state;
	atomic_store(&shm->store_down_since_ms, 0);
	assert_int_equal(ask(store), ERROR_STORE_DOWN);
	assert_true(store_is_down(store));
	store_free(store);
}

static void one_of_the_pool_probes_in_half_a_second(void **state)
{
	struct store *one = open_away(), *two = open_away();
	int64_t began_ms = clock_mono_ms();

	(void)state;
	assert_false(store_probe(one));
	assert_true(atomic_load(&shm->store_probe_ms) >= began_ms);
	bring_back();
	atomic_store(&shm->store_probe_ms, clock_mono_ms() + 600000); /* now, for long enough */
	assert_false(store_probe(two));                               /* one has asked just now */
	assert_true(store_is_down(two));
	atomic_store(&shm->store_probe_ms, clock_mono_ms() - 500);
	assert_true(store_probe(two));
	assert_false(store_is_down(one));
	assert_true(store_probe(one));
	store_free(one);
	store_free(two);
}

/* R39: a call that hung since before the outage fails when it is over: that is no news. */
static void r39_a_late_failure_of_an_old_call_is_no_news(void **state)
{
	struct mark mark;

	(void)state;
	mark_init(&mark, "test", shm);
	mark_down(&mark, 100, ERROR_STORE_DOWN);
	assert_true(mark_is_down(&mark));
	mark_up(&mark, 200); /* the ping began then */
	mark_down(&mark, 150, ERROR_STORE_DOWN);
	assert_false(mark_is_down(&mark));
	mark_up(&mark, 170); /* an older ping that is answered late */
	mark_down(&mark, 180, ERROR_STORE_DOWN);
	assert_false(mark_is_down(&mark));
	mark_down(&mark, 200, ERROR_STORE_DOWN);
	assert_true(mark_is_down(&mark));
}

/* What the stores say, in words for clients: never an error's title alone. */
static void each_answer_of_a_store_has_words_of_its_own(void **state)
{
	static const enum error_code codes[] = {
		ERROR_CONFLICT,   ERROR_PRECONDITION, ERROR_NOT_SAVED,     ERROR_STORE_DOWN,
		ERROR_STORE_FULL, ERROR_STORE,        ERROR_STORE_TIMEOUT, ERROR_CORRUPT,
		ERROR_TOO_LARGE,  ERROR_OVERLOADED,   ERROR_NOT_FOUND,
	};

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct error err = { 0 };

		assert_false(store_say(&err, codes[i], THREAD));
		assert_int_equal(err.code, codes[i]);
		assert_string_not_equal(err.detail, error_title(codes[i]));
		if (error_status(codes[i]) == 503)
			assert_true(err.retry_after_s > 0);
	}
}

static void a_store_never_opened_is_freed(void **state)
{
	(void)state;
	store_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_uri_that_means_no_store_is_refused_with_its_reason),
		TEST(a_uri_that_means_a_store_is_taken),
		TEST(a_store_that_cannot_be_reached_is_opened_and_marked_for_the_pool),
		TEST(without_a_pool_the_mark_is_the_stores_own),
		TEST(a_call_that_finds_it_gone_sets_the_mark),
		TEST(one_of_the_pool_probes_in_half_a_second),
		TEST(r39_a_late_failure_of_an_old_call_is_no_news),
		TEST(each_answer_of_a_store_has_words_of_its_own),
		TEST(a_store_never_opened_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
