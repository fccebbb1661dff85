/* Whom a question meets on the board: itself, sent again, and nobody else's. */
#include "../../src/service/service_room.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct board_entry entry_of(const char *message_id, const char *key, const char *user_key)
{
	struct board_entry entry = { .state = BOARD_RUNNING };

	snprintf(entry.message_id, sizeof entry.message_id, "%s", message_id);
	snprintf(entry.key, sizeof entry.key, "%s", key);
	snprintf(entry.user_key, sizeof entry.user_key, "%s", user_key);
	return entry;
}

static void f1_a_question_is_no_twin_of_anothers_who_names_its_answer(void **state)
{
	static const struct {
		const char *message_id, *key, *user_key;
		bool is_enforced, is_twin;
	} rows[] = {
		{ "answer", "", "ada", true, true },
		{ "answer", "", "bob", true, false },
		{ "another", "key", "ada", true, true },
		{ "another", "key", "bob", true, false },
		{ "another", "", "ada", true, false },
		{ "answer", "", "bob", false, true },
		{ "another", "key", "bob", false, true },
		{ "another", "other", "ada", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct caller caller = { .enforced = rows[i].is_enforced };
		struct turn_work work = { .caller = &caller,
					  .key = "key",
					  .user_key = "ada",
					  .turn = { .response_id = "answer" } };
		struct board_entry entry =
			entry_of(rows[i].message_id, rows[i].key, rows[i].user_key);

		assert_int_equal(turn_is_twin(&work, &entry), rows[i].is_twin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f1_a_question_is_no_twin_of_anothers_who_names_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
