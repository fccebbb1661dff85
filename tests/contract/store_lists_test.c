/* Every store lists threads and messages as store/store.h promises: order, pages, filters, search.
 */
#include "contract.h"

#define USER_THREADS 7

static struct thread_filter of_user(const char *user_id)
{
	return (struct thread_filter){ .user_id = user_id, .archived = -1, .limit = 100 };
}

static const char *titled(const char *user_id, const char *title, int64_t updated_ms)
{
	struct thread thread = thread_of(fresh("thread"), user_id);

	thread.title = title;
	thread.updated_ms = updated_ms;
	OK(store_thread_insert(store, &thread, &error));
	return thread.id;
}

static struct thread_list list_threads(const struct thread_filter *filter)
{
	struct thread_list list;

	OK(store_thread_list(store, filter, &arena, &list, &error));
	return list;
}

/* --- threads: order and pages --- */

static void threads_come_newest_first_and_without_the_deleted(void **state)
{
	const char *user = fresh("user");
	const char *old = titled(user, "old", 100), *newest = titled(user, "newest", 300);
	const char *gone = titled(user, "gone", 400), *middle = titled(user, "middle", 200);
	struct thread_filter filter = of_user(user);
	struct thread_list list;

	(void)state;
	delete_thread(gone);
	list = list_threads(&filter);
	assert_int_equal(list.count, 3);
	assert_null(list.next);
	assert_string_equal(list.items[0].id, newest);
	assert_string_equal(list.items[1].id, middle);
	assert_string_equal(list.items[2].id, old);
	assert_string_equal(list.items[2].title, "old");
	assert_int_equal(list.items[2].updated_ms, 100);
}

static void a_user_without_threads_has_an_empty_list(void **state)
{
	struct thread_filter filter = of_user(fresh("user"));
	struct thread_list list = list_threads(&filter);

	(void)state;
	assert_int_equal(list.count, 0);
	assert_null(list.next);
}

static void everybodys_threads_are_listed_without_a_user(void **state)
{
	const char *title = fresh("title"), *one = titled(fresh("user"), title, 100);
	const char *two = titled(fresh("user"), title, 200);
	struct thread_filter filter = of_user(NULL);
	struct thread_list list;

	(void)state;
	filter.q = title;
	list = list_threads(&filter);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].id, two);
	assert_string_equal(list.items[1].id, one);
}

/* Pages of two over threads of which some changed in the same millisecond: the id decides there. */
static void pages_show_every_thread_once(void **state)
{
	static const int64_t updated_ms[USER_THREADS] = { 100, 200, 200, 200, 200, 200, 300 };
	const char *user = fresh("user"), *ids[USER_THREADS];
	struct thread_filter filter = of_user(user);
	struct thread_list list;
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < USER_THREADS; i++)
		ids[i] = titled(user, "page", updated_ms[i]);
	filter.limit = 2;
	do {
		list = list_threads(&filter);
		assert_int_equal(list.count, seen + 2 <= USER_THREADS ? 2 : 1);
		for (size_t i = 0; i < list.count; i++, seen++)
			assert_string_equal(list.items[i].id, ids[USER_THREADS - 1 - seen]);
		filter.cursor = list.next;
	} while (list.next);
	assert_int_equal(seen, USER_THREADS);
}

static void a_page_that_is_just_full_is_the_last(void **state)
{
	const char *user = fresh("user");
	struct thread_filter filter = of_user(user);

	(void)state;
	titled(user, "a", 100);
	titled(user, "b", 200);
	filter.limit = 2;
	assert_int_equal(list_threads(&filter).count, 2);
	assert_null(list_threads(&filter).next);
	filter.limit = 1;
	assert_int_equal(list_threads(&filter).count, 1);
	assert_non_null(list_threads(&filter).next);
}

/* What is changed while somebody pages comes to the front; all others are seen, none twice. */
static void pages_are_stable_while_threads_change(void **state)
{
	const struct thread_patch touch = { .archived = -1, .if_rev = -1, .now_ms = 900 };
	const char *user = fresh("user"), *ids[6];
	struct thread_filter filter = of_user(user);
	struct thread_list list;
	struct thread out;

	(void)state;
	for (int i = 0; i < 6; i++)
		ids[i] = titled(user, "page", 100 + i);
	filter.limit = 2;
	list = list_threads(&filter); /* 5, 4 */
	OK(store_thread_update(store, NULL, ids[3], &touch, &arena, &out, &error));
	OK(store_thread_update(store, NULL, ids[4], &touch, &arena, &out, &error));
	delete_thread(ids[2]);
	titled(user, "new", 950);
	filter.cursor = list.next;
	list = list_threads(&filter);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].id, ids[1]);
	assert_string_equal(list.items[1].id, ids[0]);
	assert_null(list.next);
}

static void a_cursor_of_another_make_is_refused(void **state)
{
	static const char *const others[] = { "",     "x",   "1",     "1.",   ".a",
					      "-1.a", "0.a", "1.a b", "+1.a", " 1.a" };
	struct thread_filter filter = of_user("ada");
	struct thread_list list;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		filter.cursor = others[i];
		FAILS(ERROR_VALIDATION, store_thread_list(store, &filter, &arena, &list, &error));
		assert_string_equal(error.field, "cursor");
	}
}

static void an_owner_sees_only_his_own(void **state)
{
	const char *ada = fresh("ada"), *bob = fresh("bob"), *id = titled(ada, "hers", 100);
	struct thread_filter filter = { .owner = ada, .user_id = bob, .archived = -1, .limit = 10 };

	(void)state;
	titled(bob, "his", 200);
	assert_int_equal(list_threads(&filter).count, 1);
	assert_string_equal(list_threads(&filter).items[0].id, id);
	filter.user_id = NULL;
	assert_int_equal(list_threads(&filter).count, 1);
}

/* --- threads: filters --- */

static void archived_threads_are_listed_as_asked(void **state)
{
	const struct thread_patch archive = { .archived = 1, .if_rev = -1, .now_ms = 500 };
	const char *user = fresh("user"), *in = titled(user, "in", 100);
	const char *out = titled(user, "out", 200);
	struct thread_filter filter = of_user(user);
	struct thread thread;

	(void)state;
	OK(store_thread_update(store, NULL, in, &archive, &arena, &thread, &error));
	assert_int_equal(list_threads(&filter).count, 2);
	filter.archived = 1;
	assert_int_equal(list_threads(&filter).count, 1);
	assert_string_equal(list_threads(&filter).items[0].id, in);
	assert_true(list_threads(&filter).items[0].archived);
	filter.archived = 0;
	assert_int_equal(list_threads(&filter).count, 1);
	assert_string_equal(list_threads(&filter).items[0].id, out);
}

static void a_search_finds_parts_of_titles_in_any_case(void **state)
{
	const char *user = fresh("user"), *id = titled(user, "Weather in ZAGREB, \xC5\xBD", 100);
	static const char *const finds[] = { "weather", "THER IN Z", "zagreb", "Zagreb, \xC5\xBD",
					     "" };
	struct thread_filter filter = of_user(user);

	(void)state;
	titled(user, "Something else entirel\xC3\xBD", 200);
	for (size_t i = 0; i < 4; i++) {
		filter.q = finds[i];
		assert_int_equal(list_threads(&filter).count, 1);
		assert_string_equal(list_threads(&filter).items[0].id, id);
	}
	filter.q = finds[4];
	assert_int_equal(list_threads(&filter).count, 2);
	filter.q = "weather zagreb";
	assert_int_equal(list_threads(&filter).count, 0);
}

/* R38: a letter may have several small forms; at the end of a word sigma has one of its own. */
static void r38_a_search_folds_greek_and_other_letters(void **state)
{
	static const char *const words[] = { "\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3",
					     "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82",
					     "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x83" };
	const char *user = fresh("user");
	struct thread_filter filter = of_user(user);

	(void)state;
	for (int i = 0; i < 3; i++)
		titled(user, words[i], 100 + i);
	for (int i = 0; i < 3; i++) {
		filter.q = words[i];
		assert_int_equal(list_threads(&filter).count, 3);
	}
}

/* What means something to LIKE, to a regular expression or to a query language is a character like
 * any other. */
static void a_search_takes_every_character_literally(void **state)
{
	static const char *const marks[] = { "%",  "_",  "\\", ".", "*", "+",   "?",    "^",  "$",
					     "[x", "(x", "x)", "{", "}", "|",   "'",    "\"", "#",
					     "/",  "$a", "a-", ",", "&", "\\d", "\\Qx", "\\E" };
	const char *user = fresh("user");
	struct thread_filter filter = of_user(user);

	(void)state;
	titled(user, "abc xyz 123", 100);
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		filter.q = marks[i];
		if (list_threads(&filter).count != 0)
			fail_msg("%s finds what it is no part of", marks[i]);
	}
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		const char *id = titled(user, arena_printf(&arena, "<%zu>=%s;", i, marks[i]), 100);

		filter.q = arena_printf(&arena, "<%zu>=%s;", i, marks[i]);
		if (list_threads(&filter).count != 1)
			fail_msg("%s does not find itself", marks[i]);
		assert_string_equal(list_threads(&filter).items[0].id, id);
	}
}

/* --- messages --- */

static struct message_list list_messages(const struct message_filter *filter)
{
	struct message_list list;

	OK(store_message_list(store, filter, &arena, &list, &error));
	return list;
}

/* A thread with messages m1 ... m9. */
static const char *nine_messages(void)
{
	const char *id = new_thread("ada");
	struct message messages[9];

	for (int i = 0; i < 9; i++)
		messages[i] = message_of(id, arena_printf(&arena, "m%d", i + 1));
	OK(store_messages_add(store, NULL, id, messages, 9, &error));
	return id;
}

static void assert_seqs(const struct message_filter *filter, int64_t first, size_t count, bool more)
{
	struct message_list list = list_messages(filter);

	assert_int_equal(list.count, count);
	assert_int_equal(list.more, more);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(list.items[i].seq, first + (int64_t)i);
}

static void messages_come_oldest_first(void **state)
{
	struct message_filter filter = { .thread_id = nine_messages(), .limit = 100 };

	(void)state;
	assert_seqs(&filter, 1, 9, false);
	assert_string_equal(list_messages(&filter).items[0].id, "m1");
	assert_string_equal(list_messages(&filter).items[0].thread_id, filter.thread_id);
	filter.limit = 9;
	assert_seqs(&filter, 1, 9, false);
}

static void a_page_from_the_end_holds_the_newest(void **state)
{
	struct message_filter filter = { .thread_id = nine_messages(), .limit = 4 };

	(void)state;
	assert_seqs(&filter, 6, 4, true);
	filter.before = "m6";
	assert_seqs(&filter, 2, 4, true);
	filter.before = "m2";
	assert_seqs(&filter, 1, 1, false);
	filter.before = "m1";
	assert_seqs(&filter, 1, 0, false);
}

static void a_page_behind_a_message_holds_the_next(void **state)
{
	struct message_filter filter = { .thread_id = nine_messages(), .limit = 4 };

	(void)state;
	filter.after = "m1";
	assert_seqs(&filter, 2, 4, true);
	filter.after = "m5";
	assert_seqs(&filter, 6, 4, false);
	filter.after = "m9";
	assert_seqs(&filter, 1, 0, false);
	filter.after = "m2";
	filter.before = "m5";
	assert_seqs(&filter, 3, 2, false);
}

static void a_page_that_begins_at_no_message_is_refused(void **state)
{
	struct message_filter filter = { .thread_id = nine_messages(), .limit = 4, .after = "no" };
	struct message_list list;

	(void)state;
	FAILS(ERROR_VALIDATION, store_message_list(store, &filter, &arena, &list, &error));
	assert_string_equal(error.field, "after");
	filter.after = NULL;
	filter.before = "no";
	FAILS(ERROR_VALIDATION, store_message_list(store, &filter, &arena, &list, &error));
	assert_string_equal(error.field, "before");
}

/* R10: a page has a budget of bytes as well; one message comes in any case. */
static void r10_a_page_ends_where_its_bytes_do(void **state)
{
	struct message_filter filter = { .thread_id = nine_messages(), .limit = 100 };
	size_t size = strlen("What is the weather like?");

	(void)state;
	filter.bytes_max = 3 * size;
	assert_seqs(&filter, 7, 3, true);
	filter.before = "m7";
	filter.bytes_max = 3 * size - 1;
	assert_seqs(&filter, 5, 2, true);
	filter.bytes_max = 1;
	assert_seqs(&filter, 6, 1, true);
	filter.before = NULL;
	filter.after = "m1";
	assert_seqs(&filter, 2, 1, true);
	filter.bytes_max = 8 * size;
	assert_seqs(&filter, 2, 8, false);
}

static void a_thread_without_messages_has_an_empty_list(void **state)
{
	struct message_filter filter = { .thread_id = new_thread("ada"), .limit = 4 };
	struct message_list list;

	(void)state;
	assert_seqs(&filter, 1, 0, false);
	filter.thread_id = fresh("thread");
	FAILS(ERROR_NOT_FOUND, store_message_list(store, &filter, &arena, &list, &error));
}

static void runs_are_listed_newest_first_without_their_text(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open one = whole_turn(id), two = whole_turn(id), three = turn_of(id);
	struct message_list list;

	(void)state;
	open_turn(&three);
	OK(store_runs_of(store, NULL, id, 2, &arena, &list, &error));
	assert_int_equal(list.count, 2);
	assert_true(list.more);
	assert_string_equal(list.items[0].run_id, three.run.id);
	assert_int_equal(list.items[0].status, STATUS_STREAMING);
	assert_int_equal(list.items[0].content.len, 0);
	assert_string_equal(list.items[1].run_id, two.run.id);
	assert_int_equal(list.items[1].content.len, 6);
	assert_null(list.items[1].content.ptr);
	assert_int_equal(list.items[1].usage.total, 3);
	OK(store_runs_of(store, NULL, id, 10, &arena, &list, &error));
	assert_int_equal(list.count, 3);
	assert_false(list.more);
	assert_string_equal(list.items[2].run_id, one.run.id);
}

/* --- takers: told what a list would hold --- */

#define TOLD_MAX 16

struct told {
	char ids[TOLD_MAX][ID_MAX + 1];
	size_t count, room;
};

static bool tell_thread(void *self, const struct thread *thread)
{
	struct told *told = self;

	if (told->count == told->room)
		return false;
	id_copy(told->ids[told->count++], thread->id);
	return true;
}

/* With what lies in the reply besides the id. */
static bool tell_message(void *self, const struct message *message)
{
	struct told *told = self;

	if (told->count == told->room)
		return false;
	assert_true(slice_is(message->content, message_of(message->thread_id, "x").content.ptr));
	assert_int_equal(message->content.ptr[message->content.len], '\0');
	id_copy(told->ids[told->count++], message->id);
	return true;
}

static void a_taker_is_told_the_threads_of_a_list(void **state)
{
	const char *user = fresh("user");
	struct told told = { .room = TOLD_MAX };
	const struct thread_taker taker = { tell_thread, &told };
	struct thread_filter filter = of_user(user);
	struct thread_list listed, list;

	(void)state;
	for (int i = 0; i < 5; i++)
		titled(user, "told", 100 + i);
	filter.limit = 3;
	listed = list_threads(&filter);
	filter.taker = &taker;
	list = list_threads(&filter);
	assert_int_equal(told.count, 3);
	assert_null(list.items);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(told.ids[i], listed.items[i].id);
	assert_string_equal(list.next, listed.next);
	told = (struct told){ .room = 2 };
	FAILS(ERROR_OVERLOADED, store_thread_list(store, &filter, &arena, &list, &error));
	assert_int_equal(told.count, 2);
}

static void assert_told(struct message_filter filter, bool is_turned)
{
	struct message_list listed = list_messages(&filter), list;
	struct told told = { .room = TOLD_MAX };
	const struct message_taker taker = { tell_message, &told };

	filter.taker = &taker;
	list = list_messages(&filter);
	assert_null(list.items);
	assert_int_equal(list.count, listed.count);
	assert_int_equal(list.more, listed.more);
	assert_int_equal(told.count, listed.count);
	for (size_t i = 0; i < listed.count; i++)
		assert_string_equal(told.ids[is_turned ? listed.count - 1 - i : i],
				    listed.items[i].id);
}

/* Twice: what a store keeps of it for the next one is told the same. */
static void a_taker_is_told_the_messages_of_a_list(void **state)
{
	struct message_filter filter = { .thread_id = nine_messages(), .limit = 4 };
	struct told told = { .room = 3 };
	const struct message_taker taker = { tell_message, &told };
	struct message_list list;

	(void)state;
	assert_told(filter, true);
	assert_told(filter, true);
	filter.before = "m3";
	assert_told(filter, true);
	filter.before = NULL;
	filter.after = "m2";
	assert_told(filter, false);
	filter.after = NULL;
	filter.from_start = true;
	assert_told(filter, false);
	filter.taker = &taker;
	FAILS(ERROR_OVERLOADED, store_message_list(store, &filter, &arena, &list, &error));
	assert_int_equal(told.count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_come_newest_first_and_without_the_deleted),
		TEST(a_user_without_threads_has_an_empty_list),
		TEST(everybodys_threads_are_listed_without_a_user),
		TEST(pages_show_every_thread_once),
		TEST(a_page_that_is_just_full_is_the_last),
		TEST(pages_are_stable_while_threads_change),
		TEST(a_cursor_of_another_make_is_refused),
		TEST(an_owner_sees_only_his_own),
		TEST(archived_threads_are_listed_as_asked),
		TEST(a_search_finds_parts_of_titles_in_any_case),
		TEST(r38_a_search_folds_greek_and_other_letters),
		TEST(a_search_takes_every_character_literally),
		TEST(messages_come_oldest_first),
		TEST(a_page_from_the_end_holds_the_newest),
		TEST(a_page_behind_a_message_holds_the_next),
		TEST(a_page_that_begins_at_no_message_is_refused),
		TEST(r10_a_page_ends_where_its_bytes_do),
		TEST(a_thread_without_messages_has_an_empty_list),
		TEST(runs_are_listed_newest_first_without_their_text),
		TEST(a_taker_is_told_the_threads_of_a_list),
		TEST(a_taker_is_told_the_messages_of_a_list),
	};

	return cmocka_run_group_tests_name("store: lists", tests, open_store, close_store);
}
