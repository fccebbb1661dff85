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
	assert_true(out.archived);
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
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, NULL, twin.id, &arena, &out, &error));
	OK(store_thread_insert(store, &twin, &error));
}

static void a_thread_that_is_not_there_is_not_found(void **state)
{
	const char *id = fresh("thread");
	struct thread out = { .id = "untouched" };
	struct thread_deleted deleted;

	(void)state;
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, NULL, id, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_thread_update(store, NULL, id, &no_change, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_delete(store, NULL, id, &arena, &deleted, &error));
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
	assert_false(store_thread_get(store, NULL, fresh("thread"), &arena, &out, NULL));
}

/* --- changing it --- */

static void a_patch_changes_what_it_names_and_nothing_else(void **state)
{
	struct thread_patch patch = no_change;
	const char *id = new_thread("ada");
	struct thread out;

	(void)state;
	patch.title = "Another";
	OK(store_thread_update(store, NULL, id, &patch, &arena, &out, &error));
	assert_string_equal(out.title, "Another");
	assert_int_equal(out.updated_ms, 5000);
	assert_false(out.archived);
	assert_null(out.metadata);
	patch = no_change;
	patch.archived = 1;
	patch.metadata = "{\"k\": \"v\"}";
	OK(store_thread_update(store, NULL, id, &patch, &arena, &out, &error));
	assert_string_equal(out.title, "Another");
	assert_true(out.archived);
	assert_string_equal(out.metadata, "{\"k\": \"v\"}");
	patch = no_change;
	patch.archived = 0;
	patch.metadata = "{}";
	OK(store_thread_update(store, NULL, id, &patch, &arena, &out, &error));
	out = get_thread(id);
	assert_false(out.archived);
	assert_string_equal(out.metadata, "{}");
	assert_string_equal(out.user_id, "ada");
	assert_int_equal(out.created_ms, 1000);
}

static void the_revision_grows_with_every_change(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	const struct finish end = finish_of(&open);
	struct thread out;
	int64_t rev = get_thread(id).rev;

	(void)state;
	OK(store_thread_update(store, NULL, id, &no_change, &arena, &out, &error));
	assert_true(out.rev > rev);
	rev = out.rev;
	assert_int_equal(get_thread(id).rev, rev);
	open_turn(&open);
	assert_true(get_thread(id).rev > rev);
	rev = get_thread(id).rev;
	finish(&end);
	assert_true(get_thread(id).rev > rev);
	rev = get_thread(id).rev;
	insert(message_of(id, "m"));
	assert_true(get_thread(id).rev > rev);
	assert_true(get_thread(id).updated_ms > 5000);
}

static void a_patch_of_another_revision_is_refused(void **state)
{
	struct thread_patch patch = no_change;
	const char *id = new_thread("ada");
	struct thread out;

	(void)state;
	patch.title = "First";
	patch.if_rev = get_thread(id).rev;
	OK(store_thread_update(store, NULL, id, &patch, &arena, &out, &error));
	patch.title = "Second";
	FAILS(ERROR_PRECONDITION,
	      store_thread_update(store, NULL, id, &patch, &arena, &out, &error));
	assert_string_equal(get_thread(id).title, "First");
	patch.if_rev = out.rev;
	OK(store_thread_update(store, NULL, id, &patch, &arena, &out, &error));
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
	patcher->won = store_thread_update(store, NULL, patcher->id, &patch, &mine, &out, &err);
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

/* --- whose it is --- */

static void a_thread_of_another_is_denied_in_every_call(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open open = whole_turn(id), next = turn_of(id), held = turn_of(id);
	struct message_filter page = { .owner = "bob", .thread_id = id, .limit = 10 };
	const struct message_patch edit = { .now_ms = 5000 };
	struct message message = message_of(id, "m"), out;
	struct thread_deleted deleted;
	struct turn_opened opened;
	struct message_list list;
	struct thread thread;

	(void)state;
	open_turn(&held);
	next.owner = "bob";
	FAILS(ERROR_ACCESS_DENIED, store_thread_get(store, "bob", id, &arena, &thread, &error));
	FAILS(ERROR_ACCESS_DENIED,
	      store_thread_update(store, "bob", id, &no_change, &arena, &thread, &error));
	FAILS(ERROR_ACCESS_DENIED, store_thread_delete(store, "bob", id, &arena, &deleted, &error));
	FAILS(ERROR_ACCESS_DENIED, store_messages_add(store, "bob", id, &message, 1, &error));
	FAILS(ERROR_ACCESS_DENIED,
	      store_message_get(store, "bob", id, open.answer.id, &arena, &out, &error));
	FAILS(ERROR_ACCESS_DENIED, store_message_get(store, "bob", id, "no", &arena, &out, &error));
	FAILS(ERROR_ACCESS_DENIED,
	      store_message_update(store, "bob", id, open.answer.id, &edit, &arena, &out, &error));
	FAILS(ERROR_ACCESS_DENIED,
	      store_message_by_run(store, "bob", open.run.id, &arena, &out, &error));
	FAILS(ERROR_ACCESS_DENIED, store_message_list(store, &page, &arena, &list, &error));
	FAILS(ERROR_ACCESS_DENIED, store_runs_of(store, "bob", id, 10, &arena, &list, &error));
	FAILS(ERROR_ACCESS_DENIED,
	      store_turn_find(store, "bob", id, open.answer.id, NULL, &arena, &out, &error));
	FAILS(ERROR_ACCESS_DENIED, store_turn_open(store, &next, &arena, &opened, &error));
	FAILS(ERROR_ACCESS_DENIED, store_stop_ask(store, "bob", held.run.id, &error));
	OK(store_thread_get(store, "ada", id, &arena, &thread, &error));
	OK(store_message_list(store, &(struct message_filter){ "ada", id, .limit = 10 }, &arena,
			      &list, &error));
	assert_int_equal(list.count, 4);
	OK(store_stop_ask(store, "ada", held.run.id, &error));
}

/* A key has its user in it, but a thread may have become another's since it was used. */
static void f1_a_key_gives_nobody_an_answer_of_anothers_thread(void **state)
{
	struct turn_open open = turn_of(new_thread("ada")), again = turn_of(new_thread("bob"));
	const struct finish end = finish_of(&open);
	struct turn_opened opened;
	struct message out;

	(void)state;
	open.answer.key = again.answer.key = fresh("key");
	open_turn(&open);
	finish(&end);
	FAILS(ERROR_ACCESS_DENIED, store_turn_find(store, "bob", again.thread_id, "no",
						   open.answer.key, &arena, &out, &error));
	again.owner = "bob";
	FAILS(ERROR_ACCESS_DENIED, store_turn_open(store, &again, &arena, &opened, &error));
	assert_null(get_thread(again.thread_id).run.id); /* a refusal holds no claim */
	again.owner = NULL;
	assert_int_equal(open_turn(&again).kind, TURN_ASKED);
	OK(store_turn_find(store, "ada", open.thread_id, "no", open.answer.key, &arena, &out,
			   &error));
}

/* --- deleting it --- */

static void a_deleted_thread_takes_nothing_more(void **state)
{
	const char *id = new_thread("ada");
	struct thread twin = thread_of(id, "ada"), out;
	struct message late = message_of(id, "late"), message;
	struct message_filter page = { .thread_id = id, .limit = 10 };
	struct turn_open open = turn_of(id);
	struct thread_deleted deleted;
	struct turn_opened opened;
	struct message_list list;

	(void)state;
	open.make = &twin;
	delete_thread(id);
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, NULL, id, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_thread_delete(store, NULL, id, &arena, &deleted, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_thread_update(store, NULL, id, &no_change, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND, store_messages_add(store, NULL, id, &late, 1, &error));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, NULL, id, "m", &arena, &message, &error));
	FAILS(ERROR_NOT_FOUND, store_message_list(store, &page, &arena, &list, &error));
	FAILS(ERROR_NOT_FOUND, store_turn_open(store, &open, &arena, &opened, &error));
	FAILS(ERROR_CONFLICT, store_thread_insert(store, &twin, &error));
}

/* R18: who deletes learns what has to be stopped and removed elsewhere. */
static void r18_a_deletion_names_the_claim_and_the_runs_that_ended(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open one = whole_turn(id), two = whole_turn(id), held = turn_of(id);
	struct thread_deleted deleted;

	(void)state;
	open_turn(&held);
	deleted = delete_thread(id);
	assert_text(deleted.run.id, held.run.id);
	assert_text(deleted.run.node, "0badcafe");
	assert_text(deleted.run.message_id, held.answer.id);
	assert_int_equal(deleted.run_count, 2);
	assert_string_equal(deleted.run_ids[0], two.run.id);
	assert_string_equal(deleted.run_ids[1], one.run.id);
	assert_null(delete_thread(new_thread("ada")).run.id);
}

/* R18: however large, each step is small, and nobody sees it meanwhile. */
static void r18_a_marked_thread_is_emptied_in_steps(void **state)
{
	const char *id = new_thread("ada"), *other = new_thread("ada");
	struct message messages[7], out;
	bool more = true;
	int steps = 0;

	(void)state;
	for (int i = 0; i < 7; i++)
		messages[i] = message_of(id, arena_printf(&arena, "m%d", i));
	OK(store_messages_add(store, NULL, id, messages, 7, &error));
	insert(message_of(other, "m0"));
	FAILS(ERROR_NOT_FOUND, store_thread_purge(store, id, 3, &more, &error)); /* no mark */
	delete_thread(id);
	FAILS(ERROR_NOT_FOUND, store_message_get(store, NULL, id, "m0", &arena, &out, &error));
	for (; more; steps++)
		OK(store_thread_purge(store, id, 3, &more, &error));
	assert_int_equal(steps, 3);
	get_message(other, "m0");
}

/* --- the down mark, on a store that is up --- */

static void a_store_that_answers_is_up(void **state)
{
	const struct config config = contract_config();

	(void)state;
	assert_true(store_ping(store, &error));
	assert_true(store_probe(store));
	assert_false(store_is_down(store));
	assert_false(store_is_full(store));
	assert_non_null(store_kind(store));
	assert_true(store_check_uri(config.store_uri, &config, &error));
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
		TEST(a_thread_of_another_is_denied_in_every_call),
		TEST(f1_a_key_gives_nobody_an_answer_of_anothers_thread),
		TEST(a_deleted_thread_takes_nothing_more),
		TEST(r18_a_deletion_names_the_claim_and_the_runs_that_ended),
		TEST(r18_a_marked_thread_is_emptied_in_steps),
		TEST(a_store_that_answers_is_up),
	};

	return cmocka_run_group_tests_name("store: threads", tests, open_store, close_store);
}
