/* What one user had becomes another's: all of it, in steps that may be repeated, and nothing else.
 */
#include "contract.h"

static size_t take(const char *from, const char *to, size_t limit, bool *more)
{
	size_t taken = 99;

	OK(store_threads_take(store, from, to, limit, &taken, more, &error));
	return taken;
}

/* The ids of a user's threads, newest change first. */
static struct thread_list list_of(const char *owner)
{
	const struct thread_filter filter = { .owner = owner, .archived = -1, .limit = 100 };
	struct thread_list list;

	OK(store_thread_list(store, &filter, &arena, &list, &error));
	return list;
}

static void all_threads_of_one_become_the_others_in_their_order(void **state)
{
	const char *from = fresh("visitor"), *to = fresh("user"), *other = fresh("other");
	const char *theirs = new_thread(other);
	struct thread_list before, after;
	bool more;

	(void)state;
	new_thread(to);
	for (int i = 0; i < 5; i++) {
		struct thread thread = thread_of(fresh("thread"), from);

		thread.updated_ms = 5000 + i * 10;
		thread.archived = i == 2;
		OK(store_thread_insert(store, &thread, &error));
	}
	before = list_of(from);
	assert_int_equal(before.count, 5);
	assert_int_equal(take(from, to, 100, &more), 5);
	assert_false(more);
	after = list_of(to);
	assert_int_equal(after.count, 6);
	for (size_t i = 0; i < before.count; i++) {
		assert_string_equal(after.items[i].id, before.items[i].id);
		assert_string_equal(after.items[i].user_id, to);
		assert_int_equal(after.items[i].updated_ms, before.items[i].updated_ms);
		assert_int_equal(after.items[i].archived, before.items[i].archived);
		assert_true(after.items[i].rev >
			    before.items[i].rev); /* an ETag of before is old */
	}
	assert_int_equal(list_of(from).count, 0);
	assert_string_equal(get_thread(theirs).user_id, other);
}

static void it_goes_in_steps_and_again_there_is_nothing_left(void **state)
{
	const char *from = fresh("visitor"), *to = fresh("user");
	bool more;

	(void)state;
	for (int i = 0; i < 5; i++)
		new_thread(from);
	assert_int_equal(take(from, to, 2, &more), 2);
	assert_true(more);
	assert_int_equal(list_of(from).count, 3);
	assert_int_equal(take(from, to, 2, &more), 2);
	assert_true(more);
	assert_int_equal(take(from, to, 2, &more), 1);
	assert_false(more);
	assert_int_equal(take(from, to, 2, &more), 0);
	assert_false(more);
	assert_int_equal(list_of(to).count, 5);
	assert_int_equal(take(fresh("nobody"), to, 2, &more), 0);
}

static void what_is_in_a_thread_comes_along(void **state)
{
	const char *from = fresh("visitor"), *to = fresh("user"), *id = new_thread(from);
	struct turn_open turn = whole_turn(id);
	struct message_list list;
	struct message message;
	bool more;

	(void)state;
	assert_int_equal(take(from, to, 10, &more), 1);
	OK(store_message_list(store, &(struct message_filter){ to, id, .limit = 9 }, &arena, &list,
			      &error));
	assert_int_equal(list.count, 2);
	OK(store_message_by_run(store, to, turn.run.id, &arena, &message, &error));
	FAILS(ERROR_ACCESS_DENIED,
	      store_message_by_run(store, from, turn.run.id, &arena, &message, &error));
	FAILS(ERROR_ACCESS_DENIED,
	      store_message_get(store, from, id, turn.answer.id, &arena, &message, &error));
}

static void an_answer_in_flight_goes_on_and_is_the_others(void **state)
{
	const char *from = fresh("visitor"), *to = fresh("user"), *id = new_thread(from);
	struct turn_open turn = turn_of(id), next = turn_of(id);
	const struct finish end = finish_of(&turn);
	bool more;

	(void)state;
	turn.owner = from;
	next.owner = to;
	assert_int_equal(open_turn(&turn).kind, TURN_OPENED);
	assert_int_equal(take(from, to, 10, &more), 1);
	assert_text(get_thread(id).run.id, turn.run.id);
	assert_int_equal(open_turn(&next).kind, TURN_HELD);
	FAILS(ERROR_ACCESS_DENIED, store_stop_ask(store, from, turn.run.id, &error));
	OK(store_stop_ask(store, to, turn.run.id, &error));
	assert_true(finish(&end));
	assert_int_equal(get_message(id, turn.answer.id).status, STATUS_COMPLETE);
	assert_int_equal(open_turn(&next).kind, TURN_OPENED);
}

static void what_is_deleted_comes_back_to_nobody(void **state)
{
	const char *from = fresh("visitor"), *to = fresh("user"), *id = new_thread(from);
	struct thread thread;
	bool more;

	(void)state;
	delete_thread(id);
	assert_int_equal(take(from, to, 10, &more), 0);
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, to, id, &arena, &thread, &error));
	OK(store_thread_purge(store, id, 10, &more, &error));
}

/* Twice before and twice after: what one read is nobody else's answer. */
static void what_was_read_before_is_read_by_the_other_only(void **state)
{
	const char *from = fresh("visitor"), *to = fresh("user"), *id = new_thread(from);
	const struct message_filter theirs = { from, id, .limit = 9 },
				    ours = { to, id, .limit = 9 };
	struct message_list list;
	struct thread thread;
	bool more;

	(void)state;
	whole_turn(id);
	for (int i = 0; i < 2; i++) {
		OK(store_thread_get(store, from, id, &arena, &thread, &error));
		OK(store_message_list(store, &theirs, &arena, &list, &error));
	}
	assert_int_equal(take(from, to, 10, &more), 1);
	for (int i = 0; i < 2; i++) {
		FAILS(ERROR_ACCESS_DENIED,
		      store_thread_get(store, from, id, &arena, &thread, &error));
		FAILS(ERROR_ACCESS_DENIED,
		      store_message_list(store, &theirs, &arena, &list, &error));
		OK(store_thread_get(store, to, id, &arena, &thread, &error));
		assert_string_equal(thread.user_id, to);
		OK(store_message_list(store, &ours, &arena, &list, &error));
		assert_int_equal(list.count, 2);
	}
}

struct taker {
	const char *from, *to;
	size_t taken;
	bool ok;
};

static void *take_all(void *arg)
{
	struct taker *taker = arg;
	size_t taken;
	bool more = true;

	for (taker->ok = true; taker->ok && more; taker->taken += taker->ok ? taken : 0)
		taker->ok =
			store_threads_take(store, taker->from, taker->to, 3, &taken, &more, NULL);
	return NULL;
}

/* Each thread is taken once, by whoever comes first. */
static void several_at_once_take_each_thread_once(void **state)
{
	const char *from = fresh("visitor"), *to = fresh("user");
	struct taker takers[4];
	size_t all = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		new_thread(from);
	for (int i = 0; i < 4; i++)
		takers[i] = (struct taker){ .from = from, .to = to };
	at_once(take_all, takers, sizeof *takers, 4);
	for (int i = 0; i < 4; i++) {
		assert_true(takers[i].ok);
		all += takers[i].taken;
	}
	assert_int_equal(all, 20);
	assert_int_equal(list_of(to).count, 20);
	assert_int_equal(list_of(from).count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_threads_of_one_become_the_others_in_their_order),
		TEST(it_goes_in_steps_and_again_there_is_nothing_left),
		TEST(what_is_in_a_thread_comes_along),
		TEST(an_answer_in_flight_goes_on_and_is_the_others),
		TEST(what_is_deleted_comes_back_to_nobody),
		TEST(what_was_read_before_is_read_by_the_other_only),
		TEST(several_at_once_take_each_thread_once),
	};

	return cmocka_run_group_tests_name("store: taken along", tests, open_store, close_store);
}
