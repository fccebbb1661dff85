/* store_turn: what is decided about a turn, by whichever store: who may, was it asked before, may
 * its answer be written anew or ended; and the rows that a turn begins with. */
#include "store_ops.h"

enum error_code store_may(const char *owner, const char *user_id)
{
	return !owner || (user_id && strcmp(owner, user_id) == 0) ? ERROR_NONE
								  : ERROR_ACCESS_DENIED;
}

/* --- decisions --- */

bool store_can_take_over(const struct message *answer, const struct turn_open *open)
{
	return answer->role == ROLE_ASSISTANT && answer->status != STATUS_STREAMING &&
	       answer->unasked && answer->question && open->answer.question &&
	       strcmp(answer->question, open->answer.question) == 0 &&
	       strcmp(answer->id, open->answer.id) == 0 &&
	       strcmp(answer->thread_id, open->thread_id) == 0;
}

bool store_same_question(const struct message *stored, const struct message *wanted)
{
	return stored->role == wanted->role && slice_equal(stored->content, wanted->content);
}

enum turn_step store_turn_step(const struct turn_open *open, const struct message *question,
			       const struct message *answer)
{
	if (answer->id)
		return store_can_take_over(answer, open) ? TURN_STEP_AGAIN : TURN_STEP_ASKED;
	if (!question->id)
		return TURN_STEP_PAIR;
	return store_same_question(question, &open->question) ? TURN_STEP_ANSWER : TURN_STEP_ASKED;
}

/* --- rows --- */

static struct message as_stored(const struct turn_open *open, const struct message *message,
				int64_t seq, const char *parent_id)
{
	struct message stored = *message;

	stored.thread_id = open->thread_id;
	stored.seq = seq;
	stored.parent_id = parent_id;
	stored.usage = USAGE_UNKNOWN;
	return stored;
}

struct message store_new_question(const struct turn_open *open, int64_t seq, const char *parent_id)
{
	return as_stored(open, &open->question, seq, parent_id);
}

struct message store_new_answer(const struct turn_open *open, int64_t seq, const char *question_id)
{
	struct message answer = as_stored(open, &open->answer, seq, question_id);

	answer.status = STATUS_STREAMING;
	answer.run_id = open->run.id;
	answer.content = SLICE("");
	return answer;
}

struct message store_answer_again(const struct message *answer, const struct turn_open *open,
				  int64_t now_ms)
{
	struct message again = *answer;

	again.run_id = open->run.id;
	again.status = STATUS_STREAMING;
	again.content = SLICE("");
	again.usage = USAGE_UNKNOWN;
	again.model = again.finish_reason = NULL;
	again.unasked = false;
	again.updated_ms = now_ms;
	if (open->answer.key)
		again.key = open->answer.key;
	return again;
}
