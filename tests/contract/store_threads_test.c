/* Every store keeps threads as store/store.h promises. */
#include "contract.h"

static const struct thread_patch no_change = { .archived = -1, .if_rev = -1, .now_ms = 5000 };

/* --- one thread --- */

static void a_thread_comes_back_as_it_was_put_in(void **state)
{
	const char *metadata =
		"{\"a\":[1,2.50,{\"b\":null}],\"\xC3\xA9\":\"\\u00e9\\n\",\"a b\":1e3}";
	struct thread in = {
		.id = fresh("thread"),
		.user_id = "user with \"quotes\" \xE2\x82\xAC",
		.title = "100% \xF0\x9F\x98\x80 'quoted' \\ $title",
		.created_ms = 1234567890123,
		.updated_ms = 1234567890456,
		.archived = true,
		.metadata = metadata,
	};
	struct thread out;

	(void)state;
	OK(store_thread_insert(store, &in, &error));
	out = get_thread(in.id);
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.user_id, in.user_id);
	assert_string_equal(out.title, in.title);
	assert_int_equal(out.created_ms, in.created_ms);
	assert_int_equal(out.updated_ms, in.updated_ms);
	assert_int_equal(out.seq, 0);
	assert_true(out.archived);
	assert_false(out.deleted);
	assert_string_equal(out.metadata, metadata);
	assert_null(out.run.id);
	assert_null(out.run.message_id);
	assert_null(out.run.node);
}

static void what_a_thread_lacks_is_lacking_when_read(void **state)
{
	(void)state;
	assert_null(get_thread(new_thread("ada")).metadata);
}

static void an_id_of_128_characters_is_kept(void **state)
{
	char id[ID_MAX + 1];
	struct thread in = thread_of(id, "ada");

	(void)state;
	snprintf(id, sizeof id, "%s", arena_printf(&arena, "%s%0*d", fresh("t"), ID_MAX, 0));
	assert_int_equal(strlen(id), ID_MAX);
	OK(store_thread_insert(store, &in, &error));
	assert_string_equal(get_thread(id).id, id);
}

static void ids_differ_by_case(void **state)
{
	struct thread in = thread_of(fresh("case"), "ada"), twin = thread_of(fresh("x"), "ada");
	struct thread out;

	(void)state;
	twin.id = arena_printf(&arena, "CASE%s", in.id + 4);
	OK(store_thread_insert(store, &in, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, twin.id, &arena, &out, &error));
	OK(store_thread_insert(store, &twin, &error));
}

static void a_thread_that_is_not_there_is_not_found(void **state)
{
	const char *id = fresh("thread");
	struct thread out = { .id = "untouched" };

	(void)state;
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, id, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_update(store, id, &no_change, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_delete(store, id, 5000, &error));
	assert_string_equal(out.id, "untouched");
}

static void a_second_thread_of_the_same_id_is_a_conflict(void **state)
{
	struct thread in = thread_of(fresh("thread"), "ada");
	struct thread twin = thread_of(in.id, "bob");

	(void)state;
	OK(store_thread_insert(store, &in, &error));
	FAILS(ERROR_CONFLICT, store_thread_insert(store, &twin, &error));
	assert_string_equal(get_thread(in.id).user_id, "ada");
}

static void an_error_may_be_of_no_interest(void **state)
{
	struct thread out;

	(void)state;
	assert_false(store_thread_get(store, fresh("thread"), &arena, &out, NULL));
}

/* --- changing it --- */

static void a_patch_changes_what_it_names_and_nothing_else(void **state)
{
	struct thread_patch patch = no_change;
	const char *id = new_thread("ada");
	struct thread out;

	(void)state;
	patch.title = "Another";
	OK(store_thread_update(store, id, &patch, &arena, &out, &error));
	assert_string_equal(out.title, "Another");
	assert_int_equal(out.updated_ms, 5000);
	assert_false(out.archived);
	assert_null(out.metadata);
	patch = no_change;
	patch.archived = 1;
	patch.metadata = "{\"k\": \"v\"}";
	OK(store_thread_update(store, id, &patch, &arena, &out, &error));
	assert_string_equal(out.title, "Another");
	assert_true(out.archived);
	assert_string_equal(out.metadata, "{\"k\": \"v\"}");
	patch = no_change;
	patch.archived = 0;
	patch.metadata = "{}";
	OK(store_thread_update(store, id, &patch, &arena, &out, &error));
	out = get_thread(id);
	assert_false(out.archived);
	assert_string_equal(out.metadata, "{}");
	assert_string_equal(out.user_id, "ada");
	assert_int_equal(out.created_ms, 1000);
}

static void the_revision_grows_with_every_change(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	const struct claim claim = { .thread_id = id,
				     .run = { run, "answer", "node" },
				     .now_ms = 6000 };
	struct claim_result result;
	struct thread out;
	int64_t rev = get_thread(id).rev, seq;

	(void)state;
	OK(store_thread_update(store, id, &no_change, &arena, &out, &error));
	assert_true(out.rev > rev);
	rev = out.rev;
	assert_int_equal(get_thread(id).rev, rev);
	OK(store_claim(store, &claim, &arena, &result, &error));
	assert_true(get_thread(id).rev > rev);
	rev = get_thread(id).rev;
	OK(store_claim_release(store, id, run, &error));
	assert_true(get_thread(id).rev > rev);
	rev = get_thread(id).rev;
	OK(store_next_seq(store, id, 7000, &seq, &error));
	assert_true(get_thread(id).rev > rev);
}

static void a_patch_of_another_revision_is_refused(void **state)
{
	struct thread_patch patch = no_change;
	const char *id = new_thread("ada");
	struct thread out;

	(void)state;
	patch.title = "First";
	patch.if_rev = get_thread(id).rev;
	OK(store_thread_update(store, id, &patch, &arena, &out, &error));
	patch.title = "Second";
	FAILS(ERROR_PRECONDITION, store_thread_update(store, id, &patch, &arena, &out, &error));
	assert_string_equal(get_thread(id).title, "First");
	patch.if_rev = out.rev;
	OK(store_thread_update(store, id, &patch, &arena, &out, &error));
	assert_string_equal(out.title, "Second");
}

struct patcher {
	const char *id;
	int64_t rev;
	bool won;
	enum error_code code;
};

static void *patch_once(void *arg)
{
	struct patcher *patcher = arg;
	struct thread_patch patch = no_change;
	struct error err = { 0 };
	struct thread out;
	struct arena mine;

	arena_init(&mine, 1 << 20);
	patch.title = "Won";
	patch.if_rev = patcher->rev;
	patcher->won = store_thread_update(store, patcher->id, &patch, &mine, &out, &err);
	patcher->code = err.code;
	arena_done(&mine);
	return NULL;
}

static void of_8_patches_of_one_revision_one_is_applied(void **state)
{
	struct patcher patchers[8];
	const char *id = new_thread("ada");
	int won = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		patchers[i] = (struct patcher){ .id = id, .rev = get_thread(id).rev };
	at_once(patch_once, patchers, sizeof *patchers, 8);
	for (int i = 0; i < 8; i++) {
		won += patchers[i].won;
		if (!patchers[i].won)
			assert_string_equal(error_word(patchers[i].code),
					    error_word(ERROR_PRECONDITION));
	}
	assert_int_equal(won, 1);
}

/* --- deleting it --- */

static void a_deleted_thread_is_found_marked_and_wiped(void **state)
{
	struct thread in = thread_of(fresh("thread"), "ada"), out;

	(void)state;
	in.title = "A secret";
	in.metadata = "{\"secret\":true}";
	OK(store_thread_insert(store, &in, &error));
	OK(store_thread_delete(store, in.id, 9000, &error));
	out = get_thread(in.id);
	assert_true(out.deleted);
	assert_string_equal(out.user_id, "ada");
	assert_string_equal(out.title ? out.title : "", "");
	assert_null(out.metadata);
}

static void a_deleted_thread_takes_nothing_more(void **state)
{
	const char *id = new_thread("ada");
	struct thread twin = thread_of(id, "ada"), out;
	int64_t seq;

	(void)state;
	OK(store_thread_delete(store, id, 9000, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_delete(store, id, 9001, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_update(store, id, &no_change, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_next_seq(store, id, 9001, &seq, &error));
	FAILS(ERROR_CONFLICT, store_thread_insert(store, &twin, &error));
	assert_true(get_thread(id).deleted);
}

static void a_deleted_thread_takes_its_messages_along_and_no_others(void **state)
{
	const char *id = new_thread("ada"), *other = new_thread("ada");
	struct message_filter filter = { .thread_id = id, .limit = 10 };
	struct message_list list;
	struct message out;

	(void)state;
	insert(message_of(id, "m1", 1));
	insert(message_of(id, "m2", 2));
	insert(message_of(other, "m1", 1));
	OK(store_thread_delete(store, id, 9000, &error));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, id, "m1", &arena, &out, &error));
	OK(store_message_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	get_message(other, "m1");
}

/* --- the down mark, on a store that is up --- */

static void a_store_that_answers_is_up(void **state)
{
	(void)state;
	assert_true(store_ping(store, &error));
	assert_true(store_probe(store));
	assert_false(store_is_down(store));
	assert_non_null(store_kind(store));
	assert_true(store_check_uri(getenv("C1D_TEST_STORE_URI"), &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_thread_comes_back_as_it_was_put_in),
		TEST(what_a_thread_lacks_is_lacking_when_read),
		TEST(an_id_of_128_characters_is_kept),
		TEST(ids_differ_by_case),
		TEST(a_thread_that_is_not_there_is_not_found),
		TEST(a_second_thread_of_the_same_id_is_a_conflict),
		TEST(an_error_may_be_of_no_interest),
		TEST(a_patch_changes_what_it_names_and_nothing_else),
		TEST(the_revision_grows_with_every_change),
		TEST(a_patch_of_another_revision_is_refused),
		TEST(of_8_patches_of_one_revision_one_is_applied),
		TEST(a_deleted_thread_is_found_marked_and_wiped),
		TEST(a_deleted_thread_takes_nothing_more),
		TEST(a_deleted_thread_takes_its_messages_along_and_no_others),
		TEST(a_store_that_answers_is_up),
	};

	return cmocka_run_group_tests_name("store: threads", tests, open_store, close_store);
}
