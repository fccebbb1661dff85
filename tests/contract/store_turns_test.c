/* Every store keeps claims, sequence numbers and the ends of runs as store/store.h promises. */
#include "contract.h"

static struct claim_result ask_claim(const char *thread_id, const char *user_id, const char *run_id)
{
	const struct claim claim = {
		.thread_id = thread_id,
		.user_id = user_id,
		.run = { run_id, "answer", "0badcafe" },
		.now_ms = 6000,
	};
	struct claim_result result;

	OK(store_claim(store, &claim, &arena, &result, &error));
	return result;
}

/* A thread with a question and an answer that run_id is writing. */
static const char *streaming(const char *run_id)
{
	const char *id = new_thread("ada");
	struct claim_result result = ask_claim(id, NULL, run_id);

	assert_true(result.won);
	insert(message_of(id, "question", result.first_seq));
	insert(answer_of(id, "answer", run_id, result.first_seq + 1));
	return id;
}

static struct finish finish_of(const char *thread_id, const char *run_id)
{
	return (struct finish){
		.thread_id = thread_id,
		.message_id = "answer",
		.run_id = run_id,
		.status = STATUS_COMPLETE,
		.content = SLICE("Sunny."),
		.finish_reason = "stop",
		.usage = "{\"total_tokens\":3}",
		.now_ms = 8000,
	};
}

static bool finish(const struct finish *end)
{
	bool applied = false;

	OK(store_finish(store, end, &applied, &error));
	return applied;
}

/* --- claims --- */

static void a_claim_sets_the_run_and_hands_out_two_numbers(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	struct claim_result result = ask_claim(id, "ada", run);
	struct thread thread = get_thread(id);

	(void)state;
	assert_true(result.won);
	assert_int_equal(result.first_seq, 1);
	assert_int_equal(thread.seq, 2);
	assert_int_equal(thread.updated_ms, 6000);
	assert_text(thread.run.id, run);
	assert_text(thread.run.message_id, "answer");
	assert_text(thread.run.node, "0badcafe");
	OK(store_claim_release(store, id, run, &error));
	result = ask_claim(id, NULL, fresh("run"));
	assert_true(result.won);
	assert_int_equal(result.first_seq, 3);
}

static void a_claimed_thread_says_who_holds_it(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	struct claim_result result;

	(void)state;
	assert_true(ask_claim(id, NULL, run).won);
	result = ask_claim(id, NULL, fresh("run"));
	assert_false(result.won);
	assert_true(result.found);
	assert_string_equal(result.thread.id, id);
	assert_string_equal(result.thread.user_id, "ada");
	assert_text(result.thread.run.id, run);
	assert_text(result.thread.run.message_id, "answer");
	assert_text(result.thread.run.node, "0badcafe");
	assert_int_equal(get_thread(id).seq, 2);
}

static void a_claim_of_no_thread_or_anothers_or_a_deleted_one_is_not_won(void **state)
{
	const char *id = new_thread("ada");
	struct claim_result result = ask_claim(fresh("thread"), NULL, fresh("run"));

	(void)state;
	assert_false(result.won);
	assert_false(result.found);
	result = ask_claim(id, "bob", fresh("run"));
	assert_false(result.won);
	assert_true(result.found);
	assert_false(result.thread.deleted);
	assert_string_equal(result.thread.user_id, "ada");
	assert_null(result.thread.run.id);
	OK(store_thread_delete(store, id, 9000, &error));
	result = ask_claim(id, "ada", fresh("run"));
	assert_false(result.won);
	assert_true(result.found);
	assert_true(result.thread.deleted);
	assert_null(get_thread(id).run.id);
}

static void only_the_holder_gives_a_claim_back(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");

	(void)state;
	assert_true(ask_claim(id, NULL, run).won);
	OK(store_claim_release(store, id, fresh("run"), &error));
	assert_text(get_thread(id).run.id, run);
	OK(store_claim_release(store, id, run, &error));
	assert_null(get_thread(id).run.id);
	assert_null(get_thread(id).run.message_id);
	OK(store_claim_release(store, id, run, &error));
	OK(store_claim_release(store, fresh("thread"), run, &error));
}

struct claimant {
	const char *thread_id;
	char run_id[ID_UUID_SIZE];
	bool ok, won, found;
};

static void *claim_once(void *arg)
{
	struct claimant *claimant = arg;
	const struct claim claim = {
		.thread_id = claimant->thread_id,
		.run = { claimant->run_id, "answer", "0badcafe" },
		.now_ms = 6000,
	};
	struct claim_result result = { 0 };
	struct arena mine;

	arena_init(&mine, 1 << 20);
	claimant->ok = store_claim(store, &claim, &mine, &result, NULL);
	claimant->won = result.won;
	claimant->found = result.found;
	arena_done(&mine);
	return NULL;
}

static void of_16_claims_at_once_one_is_won(void **state)
{
	struct claimant claimants[16];
	const char *id = new_thread("ada");
	int won = 0;

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		claimants[i] = (struct claimant){ .thread_id = id };
		id_uuid7(claimants[i].run_id);
	}
	at_once(claim_once, claimants, sizeof *claimants, 16);
	for (size_t i = 0; i < 16; i++) {
		assert_true(claimants[i].ok);
		assert_true(claimants[i].won || claimants[i].found);
		if (claimants[i].won)
			assert_text(get_thread(id).run.id, claimants[i].run_id);
		won += claimants[i].won;
	}
	assert_int_equal(won, 1);
	assert_int_equal(get_thread(id).seq, 2);
}

/* --- sequence numbers --- */

#define NUMBERS 20

struct counter {
	const char *thread_id;
	int64_t numbers[NUMBERS];
	bool ok;
};

static void *count_up(void *arg)
{
	struct counter *counter = arg;

	counter->ok = true;
	for (int i = 0; i < NUMBERS && counter->ok; i++)
		counter->ok =
			store_next_seq(store, counter->thread_id, 7000, &counter->numbers[i], NULL);
	return NULL;
}

static void numbers_of_8_threads_at_once_are_all_different(void **state)
{
	bool seen[8 * NUMBERS + 1] = { false };
	struct counter counters[8];
	const char *id = new_thread("ada");

	(void)state;
	for (size_t i = 0; i < 8; i++)
		counters[i] = (struct counter){ .thread_id = id };
	at_once(count_up, counters, sizeof *counters, 8);
	for (size_t i = 0; i < 8; i++) {
		assert_true(counters[i].ok);
		for (int j = 0; j < NUMBERS; j++) {
			int64_t number = counters[i].numbers[j];

			assert_true(number >= 1 && number <= 8 * NUMBERS);
			assert_false(seen[number]);
			seen[number] = true;
		}
	}
	assert_int_equal(get_thread(id).seq, 8 * NUMBERS);
	assert_int_equal(get_thread(id).updated_ms, 7000);
}

static void a_thread_that_is_not_there_has_no_numbers(void **state)
{
	int64_t seq = 42;

	(void)state;
	FAILS(ERROR_NOT_FOUND, store_next_seq(store, fresh("thread"), 7000, &seq, &error));
	assert_int_equal(seq, 42);
}

/* --- the end of a run --- */

static void an_end_saves_the_answer_and_clears_the_claim(void **state)
{
	const char *run = fresh("run"), *id = streaming(run);
	const struct finish end = finish_of(id, run);
	struct message out;

	(void)state;
	assert_true(finish(&end));
	out = get_message(id, "answer");
	assert_int_equal(out.status, STATUS_COMPLETE);
	assert_content(&out, SLICE("Sunny."));
	assert_text(out.finish_reason, "stop");
	assert_text(out.usage, "{\"total_tokens\":3}");
	assert_text(out.run_id, run);
	assert_int_equal(out.updated_ms, 8000);
	assert_int_equal(out.seq, 2);
	assert_null(get_thread(id).run.id);
	OK(store_message_by_run(store, run, &arena, &out, &error));
	assert_content(&out, SLICE("Sunny."));
}

static void an_end_may_lack_reason_and_usage(void **state)
{
	const char *run = fresh("run"), *id = streaming(run);
	struct finish end = finish_of(id, run);

	(void)state;
	end.finish_reason = end.usage = NULL;
	end.status = STATUS_INTERRUPTED;
	end.content = SLICE("");
	OK(store_finish(store, &end, NULL, &error));
	assert_int_equal(get_message(id, "answer").status, STATUS_INTERRUPTED);
	assert_null(get_message(id, "answer").finish_reason);
	assert_null(get_message(id, "answer").usage);
}

static void an_end_may_be_told_twice(void **state)
{
	const char *run = fresh("run"), *id = streaming(run), *next = fresh("run");
	const struct finish end = finish_of(id, run);
	struct message out;

	(void)state;
	assert_true(finish(&end));
	assert_true(ask_claim(id, NULL, next).won);
	finish(&end);
	out = get_message(id, "answer");
	assert_int_equal(out.status, STATUS_COMPLETE);
	assert_content(&out, SLICE("Sunny."));
	assert_text(get_thread(id).run.id, next); /* the next run's claim is its own */
}

static void an_end_never_undoes_an_edit(void **state)
{
	const struct message_patch edit = { .has_content = true,
					    .content = SLICE("edited"),
					    .now_ms = 9000 };
	const char *run = fresh("run"), *id = streaming(run);
	const struct finish end = finish_of(id, run);
	struct message out;

	(void)state;
	assert_true(finish(&end));
	OK(store_message_update(store, id, "answer", &edit, &arena, &out, &error));
	assert_false(finish(&end));
	out = get_message(id, "answer");
	assert_content(&out, SLICE("edited"));
	assert_int_equal(out.updated_ms, 9000);
}

static void an_end_of_another_run_changes_nothing(void **state)
{
	const char *run = fresh("run"), *id = streaming(run);
	const struct finish end = finish_of(id, fresh("run"));

	(void)state;
	assert_false(finish(&end));
	assert_int_equal(get_message(id, "answer").status, STATUS_STREAMING);
	assert_text(get_thread(id).run.id, run);
}

static void an_end_brings_nothing_back(void **state)
{
	const char *run = fresh("run"), *id = streaming(run);
	const struct finish end = finish_of(id, run);
	struct message_filter filter = { .thread_id = id, .limit = 10 };
	struct message_list list;
	struct message out;

	(void)state;
	OK(store_thread_delete(store, id, 7000, &error));
	assert_false(finish(&end));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, id, "answer", &arena, &out, &error));
	OK(store_message_list(store, &filter, &arena, &list, &error));
	assert_int_equal(list.count, 0);
	assert_true(get_thread(id).deleted);
}

/* The message was never written (the turn failed before); the claim goes all the same. */
static void an_end_without_a_message_clears_the_claim(void **state)
{
	const char *id = new_thread("ada"), *run = fresh("run");
	const struct finish end = finish_of(id, run);
	struct message out;

	(void)state;
	assert_true(ask_claim(id, NULL, run).won);
	assert_false(finish(&end));
	FAILS(ERROR_NOT_FOUND, store_message_get(store, id, "answer", &arena, &out, &error));
	assert_null(get_thread(id).run.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_claim_sets_the_run_and_hands_out_two_numbers),
		TEST(a_claimed_thread_says_who_holds_it),
		TEST(a_claim_of_no_thread_or_anothers_or_a_deleted_one_is_not_won),
		TEST(only_the_holder_gives_a_claim_back),
		TEST(of_16_claims_at_once_one_is_won),
		TEST(numbers_of_8_threads_at_once_are_all_different),
		TEST(a_thread_that_is_not_there_has_no_numbers),
		TEST(an_end_saves_the_answer_and_clears_the_claim),
		TEST(an_end_may_lack_reason_and_usage),
		TEST(an_end_may_be_told_twice),
		TEST(an_end_never_undoes_an_edit),
		TEST(an_end_of_another_run_changes_nothing),
		TEST(an_end_brings_nothing_back),
		TEST(an_end_without_a_message_clears_the_claim),
	};

	return cmocka_run_group_tests_name("store: turns", tests, open_store, close_store);
}
