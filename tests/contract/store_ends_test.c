/* Every store ends runs, and lets them be stopped, as store/store.h promises. */
#include "contract.h"

static void an_end_saves_the_answer_and_clears_the_claim(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	const struct finish end = finish_of(&open);
	struct message out;

	(void)state;
	open_turn(&open);
	assert_true(finish(&end));
	out = get_message(id, open.answer.id);
	assert_int_equal(out.status, STATUS_COMPLETE);
	assert_content(&out, SLICE("Sunny."));
	assert_text(out.finish_reason, "stop");
	assert_text(out.model, "c1/some/model");
	assert_int_equal(out.usage.input, 1);
	assert_int_equal(out.usage.output, 2);
	assert_int_equal(out.usage.total, 3);
	assert_false(out.unasked);
	assert_text(out.run_id, open.run.id);
	assert_int_equal(out.seq, 2);
	assert_null(get_thread(id).run.id);
	OK(store_message_by_run(store, "ada", open.run.id, &arena, &out, &error));
	assert_content(&out, SLICE("Sunny."));
}

static void an_end_may_lack_reason_model_and_usage(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	struct finish end = finish_of(&open);
	struct message out;

	(void)state;
	end.finish_reason = end.model = NULL;
	end.usage = USAGE_UNKNOWN;
	end.status = STATUS_INTERRUPTED;
	end.content = SLICE("");
	open_turn(&open);
	OK(store_finish(store, &end, NULL, &error));
	out = get_message(id, open.answer.id);
	assert_int_equal(out.status, STATUS_INTERRUPTED);
	assert_null(out.finish_reason);
	assert_null(out.model);
	assert_int_equal(out.usage.total, -1);
}

static void an_end_may_be_told_twice(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id), next = turn_of(id);
	const struct finish end = finish_of(&open);
	struct message out;

	(void)state;
	open_turn(&open);
	assert_true(finish(&end));
	open_turn(&next);
	finish(&end);
	out = get_message(id, open.answer.id);
	assert_int_equal(out.status, STATUS_COMPLETE);
	assert_content(&out, SLICE("Sunny."));
	assert_text(get_thread(id).run.id, next.run.id); /* the next run's claim is its own */
}

static void an_end_never_undoes_an_edit(void **state)
{
	const struct message_patch edit = { .has_content = true,
					    .content = SLICE("edited"),
					    .now_ms = 9000 };
	const char *id = new_thread("ada");
	const struct turn_open open = whole_turn(id);
	const struct finish end = finish_of(&open);
	struct message out;

	(void)state;
	OK(store_message_update(store, NULL, id, open.answer.id, &edit, &arena, &out, &error));
	assert_false(finish(&end));
	out = get_message(id, open.answer.id);
	assert_content(&out, SLICE("edited"));
	assert_int_equal(out.updated_ms, 9000);
}

static void an_end_of_another_run_changes_nothing(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	struct finish end = finish_of(&open);

	(void)state;
	open_turn(&open);
	end.run_id = fresh("run");
	assert_false(finish(&end));
	assert_int_equal(get_message(id, open.answer.id).status, STATUS_STREAMING);
	assert_text(get_thread(id).run.id, open.run.id);
}

/* An end without the text yields to the one that has it, never the other way round. */
static void an_end_without_the_text_gives_way_to_the_one_with_it(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	const struct finish end = finish_of(&open);
	struct finish blind = end;
	struct message out;

	(void)state;
	blind.if_streaming = true;
	blind.status = STATUS_INTERRUPTED;
	blind.content = SLICE("");
	open_turn(&open);
	assert_true(finish(&blind));
	assert_true(finish(&end));
	assert_false(finish(&blind));
	out = get_message(id, open.answer.id);
	assert_content(&out, SLICE("Sunny."));
}

static void an_end_brings_nothing_back(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	const struct finish end = finish_of(&open);
	bool more = true;
	struct message out;

	(void)state;
	open_turn(&open);
	delete_thread(id);
	while (more)
		OK(store_thread_purge(store, id, 100, &more, &error));
	assert_false(finish(&end));
	FAILS(ERROR_NOT_FOUND,
	      store_message_by_run(store, NULL, open.run.id, &arena, &out, &error));
}

/* R8: the turn failed half way, nobody knows how far; its end clears what there is. */
static void r8_an_end_without_a_message_clears_the_claim(void **state)
{
	const char *id = new_thread("ada");
	const struct turn_open open = turn_of(id);
	struct finish end = finish_of(&open);

	(void)state;
	open_turn(&open);
	end.message_id = fresh("answer"); /* as if it had never been stored */
	assert_false(finish(&end));
	assert_null(get_thread(id).run.id);
}

/* --- stopping a run of another node --- */

static struct claim_list stops_of(const char *node)
{
	struct claim_list list;

	OK(store_stops_of(store, node, &arena, &list, &error));
	return list;
}

/* R18: who deletes a thread cannot reach a run of another node; the mark wishes it to stop. */
static void r18_a_deletion_wishes_the_run_to_stop(void **state)
{
	const char *id = new_thread("ada"), *node = fresh("node");
	struct turn_open open = turn_of(id);
	const struct finish end = finish_of(&open);
	struct claim_list list;

	(void)state;
	open.run.node = node;
	open_turn(&open);
	delete_thread(id);
	list = stops_of(node);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].run.id, open.run.id);
	finish(&end);
	assert_int_equal(stops_of(node).count, 0);
}

static void r27_a_run_of_another_node_is_asked_to_stop(void **state)
{
	const char *id = new_thread("ada"), *node = fresh("node");
	struct turn_open open = turn_of(id), next = turn_of(id);
	const struct finish end = finish_of(&open);
	struct claim_list list;

	(void)state;
	open.run.node = next.run.node = node;
	open_turn(&open);
	assert_int_equal(stops_of(node).count, 0);
	OK(store_stop_ask(store, "ada", open.run.id, &error));
	OK(store_stop_ask(store, NULL, open.run.id, &error));
	list = stops_of(node);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].thread_id, id);
	assert_string_equal(list.items[0].run.id, open.run.id);
	assert_string_equal(list.items[0].run.message_id, open.answer.id);
	finish(&end);
	assert_int_equal(stops_of(node).count, 0);
	FAILS(ERROR_NOT_FOUND, store_stop_ask(store, NULL, open.run.id, &error));
	open_turn(&next);
	assert_int_equal(stops_of(node).count, 0); /* the wish was for the run before */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_end_saves_the_answer_and_clears_the_claim),
		TEST(an_end_may_lack_reason_model_and_usage),
		TEST(an_end_may_be_told_twice),
		TEST(an_end_never_undoes_an_edit),
		TEST(an_end_of_another_run_changes_nothing),
		TEST(an_end_without_the_text_gives_way_to_the_one_with_it),
		TEST(an_end_brings_nothing_back),
		TEST(r8_an_end_without_a_message_clears_the_claim),
		TEST(r18_a_deletion_wishes_the_run_to_stop),
		TEST(r27_a_run_of_another_node_is_asked_to_stop),
	};

	return cmocka_run_group_tests_name("store: ends", tests, open_store, close_store);
}
