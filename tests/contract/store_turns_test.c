/* Every store begins turns as store/store.h promises: the claim, the pair, the history, and what
 * was asked before. */
#include "contract.h"

/* --- beginning --- */

static void a_turn_begins_with_the_claim_and_both_messages(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	const struct turn_opened opened = open_turn(&open);
	struct message question = get_message(id, open.question.id);
	struct message answer = get_message(id, open.answer.id);
	struct thread thread = get_thread(id);

	(void)state;
	assert_int_equal(opened.kind, TURN_OPENED);
	assert_int_equal(opened.history.count, 0);
	assert_string_equal(opened.question.id, open.question.id);
	assert_string_equal(opened.answer.id, open.answer.id);
	assert_text(thread.run.id, open.run.id);
	assert_text(thread.run.message_id, open.answer.id);
	assert_text(thread.run.node, "0badcafe");
	assert_true(thread.updated_ms > 1000);
	assert_int_equal(question.seq, 1);
	assert_null(question.parent_id);
	assert_content(&question, open.question.content);
	assert_int_equal(answer.seq, 2);
	assert_int_equal(answer.status, STATUS_STREAMING);
	assert_text(answer.parent_id, open.question.id);
	assert_text(answer.run_id, open.run.id);
	assert_text(answer.question, "hash of the question");
	assert_int_equal(answer.usage.total, -1);
}

static void a_turn_goes_on_behind_what_was_said(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open first = whole_turn(id), second = turn_of(id);
	struct message between = message_of(id, "between");
	struct turn_opened opened;

	(void)state;
	between.metadata = "{\"replaces\":\"first\"}";
	insert(between);
	opened = open_turn(&second);
	assert_int_equal(opened.history.count, 3);
	assert_string_equal(opened.history.items[0].id, first.question.id);
	assert_string_equal(opened.history.items[1].id, first.answer.id);
	assert_content(&opened.history.items[1], SLICE("Sunny."));
	assert_string_equal(opened.history.items[2].id, "between");
	assert_text(opened.history.items[2].metadata, between.metadata);
	assert_int_equal(get_message(id, second.question.id).seq, 4);
	assert_text(get_message(id, second.question.id).parent_id, "between");
	assert_int_equal(get_message(id, second.answer.id).seq, 5);
}

static void a_thread_is_made_with_its_first_turn(void **state)
{
	struct thread make = thread_of(fresh("thread"), "ada");
	struct turn_open open = turn_of(make.id);
	struct turn_opened opened;
	struct thread thread;

	(void)state;
	FAILS(ERROR_NOT_FOUND, store_turn_open(store, &open, &arena, &opened, &error));
	make.metadata = "{\"a\":1}";
	open.make = &make;
	open.owner = "ada";
	assert_int_equal(open_turn(&open).kind, TURN_OPENED);
	thread = get_thread(make.id);
	assert_string_equal(thread.user_id, "ada");
	assert_string_equal(thread.title, "A title");
	assert_text(thread.metadata, "{\"a\":1}");
	assert_int_equal(thread.created_ms, 1000);
	assert_false(thread.archived);
	assert_text(thread.run.id, open.run.id);
	assert_int_equal(get_message(make.id, open.answer.id).seq, 2);
}

static void a_thread_that_is_there_is_not_made_again(void **state)
{
	const char *id = new_thread("ada");
	struct thread make = thread_of(id, "bob");
	struct turn_open open = turn_of(id);
	struct turn_opened opened;

	(void)state;
	make.title = "Another";
	open.make = &make;
	open.owner = "bob";
	FAILS(ERROR_ACCESS_DENIED, store_turn_open(store, &open, &arena, &opened, &error));
	open.owner = NULL;
	assert_int_equal(open_turn(&open).kind, TURN_OPENED);
	assert_string_equal(get_thread(id).title, "A title");
	assert_string_equal(get_thread(id).user_id, "ada");
}

static void a_thread_that_is_claimed_says_by_whom(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id), second = turn_of(id);
	const struct finish end = finish_of(&open);
	struct turn_opened opened;
	struct message out;

	(void)state;
	open_turn(&open);
	opened = open_turn(&second);
	assert_int_equal(opened.kind, TURN_HELD);
	assert_text(opened.holder.id, open.run.id);
	assert_text(opened.holder.message_id, open.answer.id);
	assert_text(opened.holder.node, "0badcafe");
	FAILS(ERROR_NOT_FOUND,
	      store_message_get(store, NULL, id, second.question.id, &arena, &out, &error));
	finish(&end);
	assert_int_equal(open_turn(&second).kind, TURN_OPENED);
}

struct beginner {
	struct turn_open open;
	bool ok;
	enum turn_opened_kind kind;
	char holder[ID_MAX + 1];
};

static void *begin_once(void *arg)
{
	struct beginner *beginner = arg;
	struct turn_opened opened = { 0 };
	struct arena mine;

	arena_init(&mine, 1 << 20);
	beginner->ok = store_turn_open(store, &beginner->open, &mine, &opened, NULL);
	beginner->kind = opened.kind;
	snprintf(beginner->holder, sizeof beginner->holder, "%s",
		 opened.holder.id ? opened.holder.id : "");
	arena_done(&mine);
	return NULL;
}

/* 16 at once, of questions of their own or of one; exactly one gets the claim. */
static void begin_16(const struct turn_open *twin, const char *thread_id, const struct thread *make)
{
	struct beginner all[16];
	const char *winner = NULL;
	int opened = 0;

	for (int i = 0; i < 16; i++) {
		all[i] = (struct beginner){ .open = turn_of(thread_id) };
		all[i].open.make = make;
		if (twin) {
			all[i].open.question = twin->question;
			all[i].open.answer = twin->answer;
			all[i].open.run.message_id = twin->answer.id;
		}
	}
	at_once(begin_once, all, sizeof *all, 16);
	for (int i = 0; i < 16; i++) {
		assert_true(all[i].ok);
		if (all[i].kind != TURN_OPENED)
			continue;
		winner = all[i].open.run.id;
		opened++;
	}
	assert_int_equal(opened, 1);
	assert_text(get_thread(thread_id).run.id, winner);
	for (int i = 0; i < 16; i++)
		if (all[i].kind == TURN_HELD)
			assert_string_equal(all[i].holder, winner);
}

static void of_16_turns_at_once_one_is_opened(void **state)
{
	const char *id = new_thread("ada");
	struct message_filter page = { .thread_id = id, .limit = 50 };
	struct message_list list;

	(void)state;
	begin_16(NULL, id, NULL);
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, 2);
}

static void of_16_twins_that_make_their_thread_one_is_opened(void **state)
{
	struct thread make = thread_of(fresh("thread"), "ada");
	const struct turn_open twin = turn_of(make.id);

	(void)state;
	begin_16(&twin, make.id, &make);
}

/* --- history --- */

static struct turn_opened with_budget(const char *thread_id, size_t bytes, size_t max)
{
	struct turn_open open = turn_of(thread_id);
	const struct finish end = finish_of(&open);
	struct turn_opened opened;

	open.history_bytes = bytes;
	open.history_max = max;
	opened = open_turn(&open);
	finish(&end);
	return opened;
}

static const char *of_sizes(const size_t *sizes, size_t count)
{
	const char *id = new_thread("ada");

	for (size_t i = 0; i < count; i++) {
		struct message message = message_of(id, arena_printf(&arena, "m%zu", i + 1));
		char *text = arena_alloc(&arena, sizes[i] + 1);

		memset(text, 'x', sizes[i]);
		message.content = (struct slice){ text, sizes[i] };
		insert(message);
	}
	return id;
}

static void r10_history_is_read_up_to_its_budget_and_no_further(void **state)
{
	static const size_t sizes[] = { 50, 50, 50, 50 };
	struct turn_opened opened = with_budget(of_sizes(sizes, 4), 149, 100);

	(void)state;
	assert_int_equal(opened.history.count, 2);
	assert_string_equal(opened.history.items[0].id, "m3");
	opened = with_budget(of_sizes(sizes, 4), 150, 100);
	assert_int_equal(opened.history.count, 3);
	assert_string_equal(opened.history.items[0].id, "m2");
	opened = with_budget(of_sizes(sizes, 4), 1000, 1);
	assert_int_equal(opened.history.count, 1);
	assert_string_equal(opened.history.items[0].id, "m4");
}

/* R26: one answer that is larger than all of the budget drops itself and nothing else. */
static void r26_what_alone_is_over_the_budget_is_skipped(void **state)
{
	static const size_t in_the_middle[] = { 10, 500, 10 }, last[] = { 10, 10, 500 };
	struct turn_opened opened = with_budget(of_sizes(in_the_middle, 3), 100, 100);

	(void)state;
	assert_int_equal(opened.history.count, 2);
	assert_string_equal(opened.history.items[0].id, "m1");
	assert_string_equal(opened.history.items[1].id, "m3");
	opened = with_budget(of_sizes(last, 3), 100, 100);
	assert_int_equal(opened.history.count, 2);
	assert_string_equal(opened.history.items[1].id, "m2");
	assert_int_equal(opened.question.seq, 4);
	assert_text(opened.question.parent_id, "m3");
}

static void what_is_still_streaming_is_no_history(void **state)
{
	const char *id = new_thread("ada");
	struct message message = message_of(id, "empty");
	struct turn_opened opened;

	(void)state;
	message.content = SLICE("");
	insert(message);
	message = answer_of(id, "streaming", fresh("run"));
	message.content = SLICE("half");
	insert(message);
	opened = with_budget(id, 1000, 100);
	assert_int_equal(opened.history.count, 1); /* without a hole that looks like a long one */
	assert_string_equal(opened.history.items[0].id, "empty");
	assert_int_equal(opened.question.seq, 3);
	assert_text(opened.question.parent_id, "streaming");
}

/* --- was it asked before? --- */

static void a_turn_is_found_by_its_key_and_by_its_answer(void **state)
{
	const char *id = new_thread("ada"), *key = fresh("key");
	struct turn_open open = turn_of(id);
	struct message out;

	(void)state;
	open.answer.key = key;
	FAILS(ERROR_NOT_FOUND,
	      store_turn_find(store, "ada", id, open.answer.id, key, &arena, &out, &error));
	open_turn(&open);
	OK(store_turn_find(store, "ada", "another thread", "x", key, &arena, &out, &error));
	assert_string_equal(out.id, open.answer.id);
	assert_string_equal(out.thread_id, id);
	assert_text(out.question, "hash of the question");
	OK(store_turn_find(store, "ada", id, open.answer.id, NULL, &arena, &out, &error));
	assert_text(out.run_id, open.run.id);
	delete_thread(id);
	FAILS(ERROR_NOT_FOUND, store_turn_find(store, NULL, id, "x", key, &arena, &out, &error));
	FAILS(ERROR_NOT_FOUND,
	      store_turn_find(store, NULL, id, open.answer.id, NULL, &arena, &out, &error));
}

/* The claim is not held, and nothing was added. */
static void assert_let_go(const char *thread_id, size_t messages)
{
	struct message_filter page = { .thread_id = thread_id, .limit = 50 };
	struct message_list list;

	assert_null(get_thread(thread_id).run.id);
	OK(store_message_list(store, &page, &arena, &list, &error));
	assert_int_equal(list.count, messages);
}

static void a_question_that_was_answered_is_not_asked_again(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open first = whole_turn(id);
	struct turn_open again = turn_of(id);
	struct turn_opened opened;

	(void)state;
	again.answer.id = again.run.message_id = first.answer.id;
	opened = open_turn(&again); /* the answer's id */
	assert_int_equal(opened.kind, TURN_ASKED);
	assert_string_equal(opened.answer.id, first.answer.id);
	assert_null(opened.question.id);
	assert_let_go(id, 2);
	again = turn_of(id);
	again.question.id = first.question.id;
	opened = open_turn(&again); /* the question's id: its answer is found */
	assert_int_equal(opened.kind, TURN_ASKED);
	assert_string_equal(opened.question.id, first.question.id);
	assert_string_equal(opened.answer.id, first.answer.id);
	assert_let_go(id, 2);
}

static void r24_a_key_is_known_in_every_thread(void **state)
{
	const char *id = new_thread("ada"), *other = new_thread("ada"), *key = fresh("key");
	struct thread make = thread_of(fresh("thread"), "ada"), out;
	struct turn_open first = turn_of(id), again = turn_of(id), elsewhere = turn_of(other);
	struct turn_opened opened;

	(void)state;
	first.answer.key = again.answer.key = elsewhere.answer.key = key;
	open_turn(&first);
	finish(&(struct finish){ .thread_id = id,
				 .message_id = first.answer.id,
				 .run_id = first.run.id,
				 .status = STATUS_COMPLETE,
				 .usage = USAGE_UNKNOWN });
	opened = open_turn(&again);
	assert_int_equal(opened.kind, TURN_ASKED);
	assert_string_equal(opened.answer.id, first.answer.id);
	assert_let_go(id, 2);
	assert_int_equal(open_turn(&elsewhere).kind, TURN_ASKED);
	assert_let_go(other, 0);
	elsewhere.thread_id = make.id;
	elsewhere.make = &make;
	assert_int_equal(open_turn(&elsewhere).kind, TURN_ASKED);
	FAILS(ERROR_NOT_FOUND, store_thread_get(store, NULL, make.id, &arena, &out, &error));
}

static void a_key_of_a_deleted_thread_is_free_again(void **state)
{
	const char *id = new_thread("ada"), *other = new_thread("ada"), *key = fresh("key");
	struct turn_open first = turn_of(id), again = turn_of(other);
	struct message out;

	(void)state;
	first.answer.key = again.answer.key = key;
	open_turn(&first);
	delete_thread(id); /* its messages are not removed yet */
	assert_int_equal(open_turn(&again).kind, TURN_OPENED);
	OK(store_turn_find(store, NULL, other, "x", key, &arena, &out, &error));
	assert_string_equal(out.thread_id, other);
}

static void another_question_under_a_used_id_is_told_apart(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open open = turn_of(id);
	struct turn_opened opened;

	(void)state;
	insert(message_of(id, open.question.id));
	open.question.content = SLICE("Something else?");
	opened = open_turn(&open);
	assert_int_equal(opened.kind, TURN_ASKED);
	assert_string_equal(opened.question.id, open.question.id);
	assert_content(&opened.question, SLICE("What is the weather like?"));
	assert_null(opened.answer.id);
	assert_let_go(id, 1);
}

/* R26: the first try died between its two inserts. */
static void r26_a_question_without_an_answer_is_taken_over(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open open = turn_of(id);
	struct turn_opened opened;

	(void)state;
	insert(message_of(id, "before"));
	insert(message_of(id, open.question.id));
	insert(message_of(id, "behind"));
	opened = open_turn(&open);
	assert_int_equal(opened.kind, TURN_OPENED);
	assert_int_equal(opened.history.count, 1);
	assert_string_equal(opened.history.items[0].id, "before");
	assert_int_equal(opened.question.seq, 2);
	assert_int_equal(get_message(id, open.answer.id).seq, 4);
	assert_text(get_message(id, open.answer.id).parent_id, open.question.id);
	assert_text(get_thread(id).run.id, open.run.id);
}

/* --- R9: the model was never asked --- */

static struct turn_open unasked_turn(const char *thread_id, const char *key)
{
	struct turn_open open = turn_of(thread_id);
	struct finish end = finish_of(&open);

	open.answer.key = key;
	assert_int_equal(open_turn(&open).kind, TURN_OPENED);
	end.status = STATUS_ERROR;
	end.content = SLICE("");
	end.finish_reason = end.model = NULL;
	end.usage = USAGE_UNKNOWN;
	end.unasked = true;
	assert_true(finish(&end));
	assert_true(get_message(thread_id, open.answer.id).unasked);
	return open;
}

static void r9_what_was_never_asked_is_asked_again(void **state)
{
	const char *id = new_thread("ada"), *key = fresh("key");
	struct turn_open first = whole_turn(id), failed = unasked_turn(id, key);
	struct turn_open again = turn_of(id);
	struct turn_opened opened;
	struct message answer;

	(void)state;
	again.answer.key = key;
	again.answer.id = again.run.message_id = failed.answer.id;
	opened = open_turn(&again); /* its own question id is a new one: the old question stays */
	assert_int_equal(opened.kind, TURN_OPENED);
	assert_string_equal(opened.question.id, failed.question.id);
	assert_string_equal(opened.answer.id, failed.answer.id);
	assert_int_equal(opened.history.count, 2);
	assert_string_equal(opened.history.items[1].id, first.answer.id);
	answer = get_message(id, failed.answer.id);
	assert_int_equal(answer.status, STATUS_STREAMING);
	assert_text(answer.run_id, again.run.id);
	assert_text(answer.parent_id, failed.question.id);
	assert_false(answer.unasked);
	assert_int_equal(answer.seq, 4);
	assert_text(get_thread(id).run.id, again.run.id);
	assert_false(finish(&(struct finish){ .thread_id = id,
					      .message_id = failed.answer.id,
					      .run_id = failed.run.id,
					      .status = STATUS_COMPLETE,
					      .usage = USAGE_UNKNOWN }));
	assert_text(get_thread(id).run.id, again.run.id);
}

static void r9_another_question_does_not_take_it_over(void **state)
{
	const char *id = new_thread("ada");
	struct turn_open failed = unasked_turn(id, NULL), again = turn_of(id);
	struct turn_opened opened;

	(void)state;
	again.answer.id = again.run.message_id = failed.answer.id;
	again.answer.question = "hash of another";
	opened = open_turn(&again);
	assert_int_equal(opened.kind, TURN_ASKED);
	assert_true(opened.answer.unasked);
	assert_let_go(id, 2);
}

static void r9_it_is_asked_again_with_a_key_of_a_deleted_thread(void **state)
{
	const char *id = new_thread("ada"), *other = new_thread("ada"), *key = fresh("key");
	struct turn_open first = turn_of(other), failed = unasked_turn(id, NULL), again;
	struct message out;

	(void)state;
	first.answer.key = key;
	open_turn(&first);
	delete_thread(other); /* its messages are not removed yet */
	again = turn_of(id);
	again.answer.key = key;
	again.answer.id = again.run.message_id = failed.answer.id;
	assert_int_equal(open_turn(&again).kind, TURN_OPENED);
	OK(store_turn_find(store, NULL, id, "x", key, &arena, &out, &error));
	assert_string_equal(out.id, failed.answer.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_turn_begins_with_the_claim_and_both_messages),
		TEST(a_turn_goes_on_behind_what_was_said),
		TEST(a_thread_is_made_with_its_first_turn),
		TEST(a_thread_that_is_there_is_not_made_again),
		TEST(a_thread_that_is_claimed_says_by_whom),
		TEST(of_16_turns_at_once_one_is_opened),
		TEST(of_16_twins_that_make_their_thread_one_is_opened),
		TEST(r10_history_is_read_up_to_its_budget_and_no_further),
		TEST(r26_what_alone_is_over_the_budget_is_skipped),
		TEST(what_is_still_streaming_is_no_history),
		TEST(a_turn_is_found_by_its_key_and_by_its_answer),
		TEST(a_question_that_was_answered_is_not_asked_again),
		TEST(r24_a_key_is_known_in_every_thread),
		TEST(a_key_of_a_deleted_thread_is_free_again),
		TEST(another_question_under_a_used_id_is_told_apart),
		TEST(r26_a_question_without_an_answer_is_taken_over),
		TEST(r9_what_was_never_asked_is_asked_again),
		TEST(r9_another_question_does_not_take_it_over),
		TEST(r9_it_is_asked_again_with_a_key_of_a_deleted_thread),
	};

	return cmocka_run_group_tests_name("store: turns", tests, open_store, close_store);
}
