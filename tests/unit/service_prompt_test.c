/* What the model is sent of a conversation. */
#include "../../src/service/service_room.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char model[] = "c1/test", models[] = "c1/other, c1/third", system_prompt[] = "be brief";
static const struct config config = { .model = model, .models = models };
static struct message items[16];
static size_t count;
static int64_t next_seq;
static const char *question_metadata;

/* What the thread has and the history has not; how often it was asked for. */
static const char *further_back;
static int64_t further_back_seq;
static int looks;

static bool look_up(void *ctx, const char *id, int64_t *seq, struct error *err)
{
	(void)ctx;
	(void)err;
	looks++;
	*seq = further_back && strcmp(id, further_back) == 0 ? further_back_seq : 0;
	return true;
}

static bool cannot_look(void *ctx, const char *id, int64_t *seq, struct error *err)
{
	(void)ctx;
	(void)id;
	(void)seq;
	return error_set(err, ERROR_STORE_DOWN, "away");
}

/* One more message; its number is the next, unless something was left out before it. */
static void say(enum message_role role, const char *content, int64_t left_out)
{
	int64_t seq = next_seq + left_out;

	next_seq = seq + 1;
	items[count++] = (struct message){
		.seq = seq, .role = role, .status = STATUS_COMPLETE, .content = slice_of(content)
	};
}

static int begin(void **state)
{
	(void)state;
	count = 0;
	next_seq = 1;
	question_metadata = further_back = NULL;
	looks = 0;
	return 0;
}

static void assert_sent(const struct config *with, const char *messages)
{
	const struct message_list history = { items, count, false };
	const struct message question = { .seq = next_seq,
					  .role = ROLE_USER,
					  .content = SLICE("q"),
					  .metadata = question_metadata };
	const struct prompt_look look = { look_up, NULL };
	struct error err = { 0 };
	struct arena arena;
	struct buffer body;
	char expected[1024];

	arena_init(&arena, 1u << 20);
	snprintf(expected, sizeof expected,
		 "{\"model\":\"c1/test\",\"messages\":[%s{\"role\":\"user\",\"content\":\"q\"}],"
		 "\"stream\":true}",
		 messages);
	assert_true(prompt_build(with, &history, &question, &look, SLICE("c1/test"), &arena, &body,
				 &err));
	assert_string_equal(body.data, expected);
	buffer_done(&body);
	arena_done(&arena);
}

static void a_conversation_goes_in_order_behind_the_system_prompt(void **state)
{
	struct config with = config;

	(void)state;
	with.system_prompt = system_prompt;
	say(ROLE_USER, "a \"b\"", 0);
	say(ROLE_ASSISTANT, "c", 0);
	say(ROLE_TOOL, "{}", 0);
	assert_sent(&with, "{\"role\":\"system\",\"content\":\"be brief\"},"
			   "{\"role\":\"user\",\"content\":\"a \\\"b\\\"\"},"
			   "{\"role\":\"assistant\",\"content\":\"c\"},");
}

static void r26_history_never_begins_with_an_answer(void **state)
{
	(void)state;
	say(ROLE_ASSISTANT, "c", 4);
	say(ROLE_TOOL, "{}", 0);
	say(ROLE_ASSISTANT, "d", 0);
	assert_sent(&config, "");
	say(ROLE_USER, "e", 0);
	say(ROLE_ASSISTANT, "f", 0);
	assert_sent(&config, "{\"role\":\"user\",\"content\":\"e\"},"
			     "{\"role\":\"assistant\",\"content\":\"f\"},");
}

#define LEFT_OUT "(A message that is too long to repeat is left out here.)"

static void r26_what_the_store_left_out_is_said(void **state)
{
	(void)state;
	say(ROLE_USER, "a", 0);
	say(ROLE_USER, "b", 1);
	say(ROLE_ASSISTANT, "c", 0);
	say(ROLE_ASSISTANT, "d", 1);
	assert_sent(&config, "{\"role\":\"user\",\"content\":\"a\"},"
			     "{\"role\":\"assistant\",\"content\":\"" LEFT_OUT "\"},"
			     "{\"role\":\"user\",\"content\":\"b\"},"
			     "{\"role\":\"assistant\",\"content\":\"c\"},"
			     "{\"role\":\"user\",\"content\":\"" LEFT_OUT "\"},"
			     "{\"role\":\"assistant\",\"content\":\"d\"},");
}

static void r26_the_answer_right_before_may_be_the_one_left_out(void **state)
{
	(void)state;
	say(ROLE_USER, "a", 0);
	next_seq++;
	assert_sent(&config, "{\"role\":\"user\",\"content\":\"a\"},"
			     "{\"role\":\"assistant\",\"content\":\"" LEFT_OUT "\"},");
}

static void an_answer_that_failed_is_no_gap(void **state)
{
	(void)state;
	say(ROLE_USER, "a", 0);
	say(ROLE_ASSISTANT, "", 0);
	items[1].status = STATUS_ERROR;
	say(ROLE_USER, "b", 0);
	assert_sent(&config, "{\"role\":\"user\",\"content\":\"a\"},"
			     "{\"role\":\"user\",\"content\":\"b\"},");
}

/* The same, with an id and in place of another; NULL: of none. */
static void ask(const char *id, const char *content, const char *metadata)
{
	say(ROLE_USER, content, 0);
	items[count - 1].id = id;
	items[count - 1].metadata = metadata;
}

static void two_turns(void)
{
	ask("1", "a", NULL);
	say(ROLE_ASSISTANT, "b", 0);
	ask("2", "c", NULL);
	say(ROLE_ASSISTANT, "d", 0);
}

#define ASKED(question) "{\"role\":\"user\",\"content\":\"" question "\"},"
#define TURN(question, answer)                                                                     \
	ASKED(question)                                                                            \
	"{\"role\":\"assistant\",\"content\":\"" answer "\"},"

static void what_was_asked_again_is_told_once(void **state)
{
	(void)state;
	two_turns();
	ask("3", "e", "{\"replaces\":\"2\"}");
	say(ROLE_ASSISTANT, "f", 0);
	assert_sent(&config, TURN("a", "b") TURN("e", "f"));
	ask("4", "g", "{\"replaces\":\"3\"}"); /* and again, */
	say(ROLE_ASSISTANT, "h", 0);
	assert_sent(&config, TURN("a", "b") TURN("g", "h"));
	ask("5", "i", "{\"more\":[1],\"replaces\":\"2\"}"); /* by its first name, */
	say(ROLE_ASSISTANT, "j", 0);
	assert_sent(&config, TURN("a", "b") TURN("i", "j"));
	ask("6", "k", "{\"replaces\":\"1\"}"); /* and from further up: what followed goes, too */
	say(ROLE_ASSISTANT, "l", 0);
	assert_sent(&config, TURN("k", "l"));
}

static void the_question_itself_may_stand_in_place_of_another(void **state)
{
	(void)state;
	two_turns();
	question_metadata = "{\"replaces\":\"2\"}";
	assert_sent(&config, TURN("a", "b"));
	question_metadata = "{\"replaces\":\"1\"}";
	assert_sent(&config, "");
}

static void what_replaces_something_further_back_than_was_read_replaces_all(void **state)
{
	(void)state;
	next_seq = 7;
	further_back = "0";
	further_back_seq = 3;
	two_turns();
	question_metadata = "{\"replaces\":\"0\"}";
	assert_sent(&config, "");
	assert_int_equal(looks, 1);
	ask("3", "e", question_metadata); /* a question of before that did */
	say(ROLE_ASSISTANT, "f", 0);
	question_metadata = NULL;
	assert_sent(&config, TURN("e", "f"));
}

/* A question that never arrived has its id, too, and is asked again under it. */
static void p2_what_names_nothing_replaces_nothing_however_long_the_thread(void **state)
{
	(void)state;
	next_seq = 7;
	two_turns();
	question_metadata = "{\"replaces\":\"9\"}";
	assert_sent(&config, TURN("a", "b") TURN("c", "d"));
	assert_int_equal(looks, 1);
	for (int i = 0; i < 5; i++)
		ask("x", "e", question_metadata);
	assert_sent(&config, TURN("a", "b") TURN("c", "d") ASKED("e") ASKED("e") ASKED("e")
				     ASKED("e") ASKED("e"));
	assert_int_equal(looks, 1 + 4); /* and no more */
}

static void what_names_one_that_was_left_out_stands_in_its_place(void **state)
{
	(void)state;
	two_turns();
	next_seq++; /* it, of number 5 */
	further_back = "huge";
	further_back_seq = 5;
	question_metadata = "{\"replaces\":\"huge\"}";
	assert_sent(&config, TURN("a", "b") TURN("c", "d"));
}

static void p2_a_store_that_does_not_tell_ends_the_turn(void **state)
{
	const struct message_list history = { items, 0, false };
	const struct message question = { .seq = 9,
					  .role = ROLE_USER,
					  .content = SLICE("q"),
					  .metadata = "{\"replaces\":\"1\"}" };
	const struct prompt_look look = { cannot_look, NULL };
	struct error err = { 0 };
	struct arena arena;
	struct buffer body;

	(void)state;
	arena_init(&arena, 1u << 20);
	assert_false(prompt_build(&config, &history, &question, &look, SLICE("c1/test"), &arena,
				  &body, &err));
	assert_int_equal(err.code, ERROR_STORE_DOWN);
	arena_done(&arena);
}

static void what_names_nothing_of_the_thread_replaces_nothing(void **state)
{
	static const char *const metadata[] = { "{\"replaces\":\"9\"}", "{\"replaces\":2}",
						"{\"about\":\"\\\"replaces\\\"\"}" };

	(void)state;
	two_turns();
	for (size_t i = 0; i < 3; i++) {
		question_metadata = metadata[i];
		assert_sent(&config, TURN("a", "b") TURN("c", "d"));
	}
	assert_int_equal(looks, 0); /* all of it is here */
}

static void r26_a_gap_before_what_was_asked_again_is_said_and_none_within(void **state)
{
	(void)state;
	ask("1", "a", NULL);
	next_seq++;
	ask("2", "b", NULL);
	next_seq++;
	ask("3", "c", "{\"replaces\":\"2\"}");
	say(ROLE_ASSISTANT, "d", 0);
	assert_sent(&config, TURN("a", LEFT_OUT) TURN("c", "d"));
}

static void only_models_that_are_offered_are_allowed(void **state)
{
	(void)state;
	assert_true(prompt_model_allowed(&config, SLICE("c1/test")));
	assert_true(prompt_model_allowed(&config, SLICE("c1/other")));
	assert_true(prompt_model_allowed(&config, SLICE("c1/third")));
	assert_false(prompt_model_allowed(&config, SLICE("c1/oth")));
	assert_false(prompt_model_allowed(&config, SLICE("c1/other,")));
	assert_false(prompt_model_allowed(&config, SLICE("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_conversation_goes_in_order_behind_the_system_prompt,
				       begin),
		cmocka_unit_test_setup(r26_history_never_begins_with_an_answer, begin),
		cmocka_unit_test_setup(r26_what_the_store_left_out_is_said, begin),
		cmocka_unit_test_setup(r26_the_answer_right_before_may_be_the_one_left_out, begin),
		cmocka_unit_test_setup(an_answer_that_failed_is_no_gap, begin),
		cmocka_unit_test_setup(what_was_asked_again_is_told_once, begin),
		cmocka_unit_test_setup(the_question_itself_may_stand_in_place_of_another, begin),
		cmocka_unit_test_setup(
			what_replaces_something_further_back_than_was_read_replaces_all, begin),
		cmocka_unit_test_setup(
			p2_what_names_nothing_replaces_nothing_however_long_the_thread, begin),
		cmocka_unit_test_setup(what_names_one_that_was_left_out_stands_in_its_place, begin),
		cmocka_unit_test_setup(p2_a_store_that_does_not_tell_ends_the_turn, begin),
		cmocka_unit_test_setup(what_names_nothing_of_the_thread_replaces_nothing, begin),
		cmocka_unit_test_setup(
			r26_a_gap_before_what_was_asked_again_is_said_and_none_within, begin),
		cmocka_unit_test(only_models_that_are_offered_are_allowed),
	};

	return cmocka_run_group_tests_name("service_prompt", tests, NULL, NULL);
}
