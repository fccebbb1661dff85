/* store_try: what every store promises `c1d check`: a write is tried and nothing stays of it. */
#include "contract.h"

static size_t threads_of(const char *user)
{
	const struct thread_filter filter = { .user_id = user, .archived = -1, .limit = 100 };
	struct thread_list list;

	OK(store_thread_list(store, &filter, &arena, &list, &error));
	return list.count;
}

static void r29_a_trial_says_how_and_may_be_repeated(void **state)
{
	const struct config config = contract_config();

	(void)state;
	for (int i = 0; i < 3; i++) {
		const char *how = NULL;

		OK(store_try_write(config.store_uri, &config, &how, &error));
		assert_non_null(how);
		assert_non_null(strstr(how, "taken back"));
	}
}

static void r29_a_trial_disturbs_nobody(void **state)
{
	const struct config config = contract_config();
	const char *user = fresh("user"), *how;

	(void)state;
	new_thread(user);
	OK(store_try_write(config.store_uri, &config, &how, &error));
	assert_int_equal(threads_of(user), 1);
	new_thread(user);
	assert_int_equal(threads_of(user), 2);
}

static void r29_a_store_that_is_not_there_fails_the_trial(void **state)
{
	const struct config config = contract_config();
	const char *how;

	(void)state;
	FAILS(ERROR_STORE_DOWN,
	      store_try_write("sqlite:/nonexistent/none/c1d.db", &config, &how, &error));
	FAILS(ERROR_STORE_DOWN,
	      store_try_write("mongodb://127.0.0.1:1/c1d", &config, &how, &error));
	FAILS(ERROR_STORE_DOWN,
	      store_try_write("postgresql://127.0.0.1:1/c1d", &config, &how, &error));
	FAILS(ERROR_CONFIG, store_try_write("couchdb://localhost/c1d", &config, &how, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(r29_a_trial_says_how_and_may_be_repeated),
		TEST(r29_a_trial_disturbs_nobody),
		TEST(r29_a_store_that_is_not_there_fails_the_trial),
	};

	return cmocka_run_group_tests_name("store: try", tests, open_store, close_store);
}
