/* store_search: what every store promises that says it searches what is said in threads. */
#include "contract.h"

static void only_those_that_search(void)
{
	if (!store_searches_text(store))
		skip();
}

/* A word that nobody has said before. */
static const char *word(void)
{
	static const char letters[] = "abcdefghijklmnop";
	const char *id = fresh("x");
	char *made = arena_alloc(&arena, 33);
	size_t at = 0;

	for (const char *c = id + 2; *c && at < 32; c++)
		if (*c != '-')
			made[at++] = letters[*c <= '9' ? *c - '0' : *c - 'a' + 10];
	made[at] = '\0';
	return made;
}

static void say(const char *thread_id, const char *id, const char *text)
{
	struct message message = message_of(thread_id, id);

	message.content = slice_of(text);
	insert(message);
}

static struct thread_list search(const char *user_id, const char *q, size_t limit,
				 const char *cursor)
{
	const struct thread_filter filter = {
		.user_id = user_id, .archived = -1, .q = q, .cursor = cursor, .limit = limit
	};
	struct thread_list list;

	OK(store_thread_list(store, &filter, &arena, &list, &error));
	return list;
}

static size_t found(const char *user_id, const char *q)
{
	return search(user_id, q, 50, NULL).count;
}

static void what_was_said_is_found_in_any_case_by_whoever_may_see_it(void **state)
{
	const char *ada = fresh("ada"), *bob = fresh("bob"), *thread = new_thread(ada),
		   *it = word();
	struct thread_filter filter = { .owner = bob, .archived = -1, .q = it, .limit = 5 };
	struct thread_list list;

	(void)state;
	only_those_that_search();
	say(thread, "m", arena_printf(&arena, "It was (%s), I think.", it));
	assert_int_equal(found(ada, it), 1);
	assert_int_equal(found(NULL, it), 1);
	assert_int_equal(found(ada, arena_printf(&arena, "WAS (%s)", it)), 1);
	assert_int_equal(found(ada, word()), 0);
	OK(store_thread_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	new_thread(bob);
	assert_int_equal(found(bob, it), 0);
}

static void the_title_is_found_as_well_and_a_thread_once(void **state)
{
	const char *ada = fresh("ada"), *it = word();
	struct thread thread = thread_of(fresh("thread"), ada);
	struct thread_list list;

	(void)state;
	only_those_that_search();
	thread.title = it;
	OK(store_thread_insert(store, &thread, &error));
	say(thread.id, "a", it);
	say(thread.id, "b", it);
	list = search(ada, it, 50, NULL);
	assert_int_equal(list.count, 1);
	assert_text(list.items[0].id, thread.id);
}

static void it_is_found_page_by_page_newest_first(void **state)
{
	const char *ada = fresh("ada"), *it = word(), *cursor = NULL, *last = NULL;
	int seen = 0;

	(void)state;
	only_those_that_search();
	for (int i = 0; i < 7; i++) {
		struct thread thread = thread_of(fresh("thread"), ada);

		thread.updated_ms = 5000 - i;
		OK(store_threads_put(store, &thread, 1, &error));
		if (i % 2 == 0) {
			struct message message = message_of(thread.id, "m");

			message.seq = 1;
			message.content = slice_of(it);
			OK(store_messages_put(store, &message, 1, &error));
		}
	}
	do {
		struct thread_list list = search(ada, it, 2, cursor);

		for (size_t i = 0; i < list.count; i++, seen++) {
			assert_true(!last || strcmp(last, list.items[i].id) < 0);
			last = list.items[i].id;
			assert_int_equal(list.items[i].updated_ms, 5000 - 2 * seen);
		}
		cursor = list.next;
	} while (cursor);
	assert_int_equal(seen, 4);
}

static void what_is_said_no_more_is_not_found(void **state)
{
	const char *ada = fresh("ada"), *thread = new_thread(ada);
	const char *old = word(), *new = word(), *other = word(), *ids[] = { "b" };
	const struct message_patch patch = { true, slice_of(new), NULL, 5000 };
	struct message message;
	bool more;

	(void)state;
	only_those_that_search();
	say(thread, "a", old);
	say(thread, "b", other);
	OK(store_message_update(store, ada, thread, "a", &patch, &arena, &message, &error));
	assert_int_equal(found(ada, old), 0);
	assert_int_equal(found(ada, new), 1);
	message = get_message(thread, "a");
	message.content = slice_of(old);
	OK(store_messages_put(store, &message, 1, &error));
	assert_int_equal(found(ada, new), 0);
	assert_int_equal(found(ada, old), 1);
	assert_int_equal(found(ada, other), 1);
	OK(store_messages_drop(store, thread, ids, 1, &error));
	assert_int_equal(found(ada, other), 0);
	delete_thread(thread);
	assert_int_equal(found(ada, old), 0);
	OK(store_thread_purge(store, thread, 100, &more, &error));
	assert_int_equal(found(NULL, old), 0);
}

static void an_answer_is_found_once_it_is_saved(void **state)
{
	const char *ada = fresh("ada"), *it = word();
	struct turn_open open = turn_of(new_thread(ada));
	struct finish end = finish_of(&open);

	(void)state;
	only_those_that_search();
	open_turn(&open);
	assert_int_equal(found(ada, it), 0);
	end.content = slice_of(arena_printf(&arena, "<content>%s</content>", it));
	assert_true(finish(&end));
	assert_int_equal(found(ada, it), 1);
}

static void it_goes_with_its_thread_to_another_user(void **state)
{
	const char *ada = fresh("ada"), *bob = fresh("bob"), *it = word();
	size_t taken;
	bool more;

	(void)state;
	only_those_that_search();
	say(new_thread(ada), "m", it);
	OK(store_threads_take(store, ada, bob, 10, &taken, &more, &error));
	assert_int_equal(found(ada, it), 0);
	assert_int_equal(found(bob, it), 1);
}

/* What the store's own language of search would take for something else. */
static void whatever_is_searched_for_is_only_text(void **state)
{
	static const char *const odd[] = {
		"\"",      "\"\"\"", "' OR 1=1", "AND",  "a AND",      "NOT b", "NEAR(a b, 3)",
		"text: a", "*",      "abc*",     "^abc", "a & b | !c", "<->",   "\\",
		"%",       "_",      "(((",      "{a}",  "-a",         "+",     "\xF0\x9F\x8E\x89",
	};
	const char *ada = fresh("ada");

	(void)state;
	only_those_that_search();
	say(new_thread(ada), "m", "nothing of the kind");
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		if (found(ada, odd[i]) != 0)
			fail_msg("'%s' was found", odd[i]);
	for (size_t len = 1; len <= 200; len += 37)
		assert_int_equal(found(ada, arena_printf(&arena, "%0*d", (int)len, 7)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_said_is_found_in_any_case_by_whoever_may_see_it),
		TEST(the_title_is_found_as_well_and_a_thread_once),
		TEST(it_is_found_page_by_page_newest_first),
		TEST(what_is_said_no_more_is_not_found),
		TEST(an_answer_is_found_once_it_is_saved),
		TEST(it_goes_with_its_thread_to_another_user),
		TEST(whatever_is_searched_for_is_only_text),
	};

	return cmocka_run_group_tests_name("store: search", tests, open_store, close_store);
}
